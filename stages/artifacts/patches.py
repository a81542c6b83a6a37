"""data/patches/<dataset>/<backbone>/: shards of patch features, and where every point lies in them.

<category>.h5 has the first shapes of a category, <category>.1.h5 the next, where there are more than in one shard.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.checks import expect
from stages.artifacts.hdf5 import append_rows, group_of, new_h5, open_h5, read_array
from stages.artifacts.packing import LABELS, PATCH_FEATURES, PIXELS, VISIBILITY
from stages.artifacts.shards import Shard, cut, read_manifest
from stages.artifacts.types import PatchFeatures

PATCHES = {"rows": "i8", "features": "f2", "pixels": "u2", "visible": "?", "visible_released": "?"}
LEVELS = {
    "rows": LABELS,
    "features": PATCH_FEATURES,
    "pixels": PIXELS,
    "visible": VISIBILITY,
    "visible_released": VISIBILITY,
}


class PatchesWriter:
    """Appends the patches of a category's shapes, chunk by chunk; features are half floats, as a GPU works them out."""

    def __init__(self, path: Path, file: h5py.File):
        self._path, self._file = path, file

    def append(self, split: str, patches: PatchFeatures) -> None:
        """Add some shapes to `split`."""
        shapes, views, points = patches.visible.shape
        shape = {"rows": (shapes,), "features": (shapes, views, None, None), "pixels": (shapes, views, points, 2)}
        for key, dtype in PATCHES.items():
            values = getattr(patches, key).astype(dtype, copy=False)
            expect(self._path, f"{split}/{key}", values, dtype, shape.get(key, (shapes, views, points)))
            append_rows(self._file.require_group(split), key, values, level=LEVELS[key])


@contextmanager
def new_patches(
    path: Path, *, category: str, parts: Sequence[str], map_size: int, logit_scale: float
) -> Iterator[PatchesWriter]:
    """Open a file of patches for appending; it appears at `path` only when the block ends without an error."""
    with new_h5(path, classes=[category], parts=list(parts), map_size=map_size, logit_scale=logit_scale) as file:
        yield PatchesWriter(path, file)


def category_shards(rows: Mapping[str, Mapping[str, np.ndarray]], samples: int) -> tuple[Shard, ...]:
    """Shards of at most `samples` shapes of one category, whose `rows` by split are given."""
    return tuple(
        Shard(f"{category}.h5" if number == 0 else f"{category}.{number}.h5", shard.rows)
        for category, splits in rows.items()
        for number, shard in enumerate(cut({split: len(of_split) for split, of_split in splits.items()}, samples))
    )


def category_of(shard: Shard) -> str:
    """The category whose shapes a shard has."""
    return shard.name.partition(".")[0]


def read_patches(folder: Path, category: str, split: str) -> PatchFeatures | None:
    """One split of a category of what `new_patches` wrote; None where the category has no shape in it."""
    shards = [shard for shard in read_manifest(folder) if category_of(shard) == category and split in shard.rows]
    if not shards:
        return None
    shards.sort(key=lambda shard: shard.rows[split])
    with ExitStack() as stack:
        files = {folder / shard.name: stack.enter_context(open_h5(folder / shard.name)) for shard in shards}
        first = next(iter(files.values()))
        sizes = {name: json.loads(first.attrs[name]) for name in ("map_size", "logit_scale")}
        pieces = {
            key: [read_array(path, group_of(path, file, split), key, dtype) for path, file in files.items()]
            for key, dtype in PATCHES.items()
        }
    return PatchFeatures(
        **{key: found[0] if len(found) == 1 else np.concatenate(found) for key, found in pieces.items()}, **sizes
    )
