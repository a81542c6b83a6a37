"""Folders of one shard, for tests of what reads them."""

from contextlib import contextmanager

from stages.artifacts.depth import new_depth
from stages.artifacts.shards import Shard, numbered
from stages.artifacts.unfinished import new_folder

ONE = numbered(0)


@contextmanager
def depth_folder(path, counts, **options):
    """A writer of depth maps in a folder of one shard with as many samples of every split as `counts` says."""
    shard = Shard(ONE, {split: (0, count) for split, count in counts.items()})
    with (
        new_folder(path, [shard]) as unfinished,
        unfinished.new_shard(shard) as file,
        new_depth(file, **options) as writer,
    ):
        yield writer
