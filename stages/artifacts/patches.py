"""data/patches/<dataset>/<backbone>/<category>.h5: patch features, and where every point lies in them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py

from stages.artifacts.checks import expect
from stages.artifacts.hdf5 import append_rows, group_of, new_h5, open_h5, read_array
from stages.artifacts.packing import LABELS, PATCH_FEATURES, PIXELS, VISIBILITY
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
            values = getattr(patches, key).astype(dtype)
            expect(self._path, f"{split}/{key}", values, dtype, shape.get(key, (shapes, views, points)))
            append_rows(self._file.require_group(split), key, values, level=LEVELS[key])


@contextmanager
def new_patches(
    path: Path, *, category: str, parts: Sequence[str], map_size: int, logit_scale: float
) -> Iterator[PatchesWriter]:
    """Open a file of patches for appending; it appears at `path` only when the block ends without an error."""
    with new_h5(path, classes=[category], parts=list(parts), map_size=map_size, logit_scale=logit_scale) as file:
        yield PatchesWriter(path, file)


def read_patches(path: Path, split: str) -> PatchFeatures | None:
    """Read one split of what `new_patches` wrote; None where the category has no shape in it."""
    with open_h5(path) as file:
        if split not in file:
            return None
        group = group_of(path, file, split)
        arrays = {key: read_array(path, group, key, dtype) for key, dtype in PATCHES.items()}
        attributes = (json.loads(file.attrs[name]) for name in ("map_size", "logit_scale"))
        return PatchFeatures(**arrays, **dict(zip(("map_size", "logit_scale"), attributes, strict=True)))
