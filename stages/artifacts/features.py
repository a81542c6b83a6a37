"""data/features/<dataset>/<backbone>/depth.h5: image features of the depth maps, one file that readers map."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.checks import expect, expect_unit_norm
from stages.artifacts.hdf5 import group_of, new_h5, open_h5, read_array, stored_classes
from stages.artifacts.types import Features
from stages.core.errors import InputError

BLOCK = 4096  # samples that are copied at a time


def write_features(
    path: Path, splits: dict[str, tuple[np.ndarray, np.ndarray]], *, classes: Sequence[str], logit_scale: float
) -> None:
    """Write per split (features f4 [N, V, D] of unit norm, labels i8 [N])."""
    with new_h5(path, classes=classes) as file:
        file.attrs["logit_scale"] = float(logit_scale)
        for split, (features, labels) in splits.items():
            expect(path, f"{split}/features", features, "f4", (None, None, None))
            expect(path, f"{split}/labels", labels, "i8", (len(features),))
            expect_unit_norm(path, f"{split}/features", features)
            file.create_dataset(f"{split}/features", data=features)
            file.create_dataset(f"{split}/labels", data=labels)


def stored_splits(path: Path) -> tuple[str, ...]:
    """The names of the splits of what `write_features` wrote."""
    with open_h5(path) as file:
        return tuple(file)


def join_features(shards: Sequence[Path], path: Path) -> None:
    """Write the features of `shards`, each what `write_features` wrote, as one such file, a block at a time."""
    with ExitStack() as stack:
        parts = [stack.enter_context(open_h5(shard)) for shard in shards]
        file = stack.enter_context(new_h5(path, classes=stored_classes(parts[0])))
        file.attrs["logit_scale"] = parts[0].attrs["logit_scale"]
        for split in dict.fromkeys(name for part in parts for name in part):
            groups = [part[split] for part in parts if split in part]
            samples = sum(len(group["labels"]) for group in groups)
            for key in ("features", "labels"):
                stored = groups[0][key]
                _copy(
                    [group[key] for group in groups],
                    file.create_dataset(f"{split}/{key}", (samples, *stored.shape[1:]), stored.dtype),
                )


def _copy(parts: Sequence[h5py.Dataset], joined: h5py.Dataset) -> None:
    first = 0
    for part in parts:
        for start in range(0, len(part), BLOCK):
            block = part[start : start + BLOCK]
            joined[first : first + len(block)] = block
            first += len(block)


def read_features(path: Path, split: str) -> Features:
    """One split of what `write_features` wrote; the features are mapped: what is not looked at takes no memory."""
    with open_h5(path) as file:
        group = group_of(path, file, split)
        features = _mapped(path, group, "features")
        expect(path, f"/{split}/features", features, "f4", (None, None, None))
        return Features(
            features,
            read_array(path, group, "labels", "i8", (len(features),)),
            stored_classes(file),
            float(file.attrs["logit_scale"]),
        )


def _mapped(path: Path, group: h5py.Group, key: str) -> np.ndarray:
    """The numbers of an array as they lie in the file; what is written into them stays in memory."""
    if key not in group:
        raise InputError(f"{path}: no key {group.name}/{key}")
    stored = group[key]
    offset = stored.id.get_offset()
    if offset is None or offset % stored.dtype.itemsize:  # an empty array, or one that another program wrote
        return stored[:]
    return np.asarray(np.memmap(path, stored.dtype, "c", offset, stored.shape))
