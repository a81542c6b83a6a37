"""data/points/<dataset>/ of a detection dataset: scans with boxes, in one shard."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from stages.artifacts.checks import expect
from stages.artifacts.hdf5 import group_of, new_h5, open_h5, read_array, stored_classes
from stages.artifacts.shards import Shard, numbered, read_manifest
from stages.artifacts.types import Scene, Scenes
from stages.artifacts.unfinished import new_folder


def write_scenes(path: Path, scenes: Scenes) -> None:
    """Write `scenes` as a folder of one shard, one group a scan."""
    shard = Shard(numbered(0), {split: (0, len(scans)) for split, scans in scenes.splits.items()})
    with (
        new_folder(path, [shard]) as unfinished,
        unfinished.new_shard(shard) as written,
        new_h5(written, classes=scenes.classes, up_axis=scenes.up_axis) as file,
    ):
        for split, scans in scenes.splits.items():
            file.create_group(split)
            for scan in scans:
                key = f"{split}/{scan.name}"
                expect(path, f"{key}/points", scan.points, "f4", (None, 3))
                expect(path, f"{key}/boxes", scan.boxes, "f4", (len(scan.labels), 6))
                expect(path, f"{key}/labels", scan.labels, "i8", (len(scan.boxes),))
                for name in ("points", "boxes", "labels"):
                    file.create_dataset(f"{key}/{name}", data=getattr(scan, name))


class ScenesReader:
    """Scans on disk, read one by one."""

    def __init__(self, path: Path, file: h5py.File):
        self._path, self._file = path, file
        self.classes, self.up_axis, self.splits = stored_classes(file), str(file.attrs["up_axis"]), tuple(file)

    def names(self, split: str) -> tuple[str, ...]:
        """Names of the scans of `split`, sorted."""
        return tuple(group_of(self._path, self._file, split))

    def scene(self, split: str, name: str) -> Scene:
        """One scan."""
        group = group_of(self._path, group_of(self._path, self._file, split), name)
        labels = read_array(self._path, group, "labels", "i8", (None,))
        boxes = read_array(self._path, group, "boxes", "f4", (len(labels), 6))
        return Scene(name, read_array(self._path, group, "points", "f4", (None, 3)), boxes, labels)


@contextmanager
def open_scenes(path: Path) -> Iterator[ScenesReader]:
    """Open what `write_scenes` wrote."""
    (shard,) = read_manifest(path)
    with open_h5(path / shard.name) as file:
        yield ScenesReader(path, file)
