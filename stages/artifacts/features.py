"""data/features/<dataset>/<backbone>/depth.h5: image features of the depth maps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.artifacts.checks import expect, expect_unit_norm
from stages.artifacts.hdf5 import group_of, new_h5, open_h5, read_array, stored_classes
from stages.artifacts.types import Features


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


def read_features(path: Path, split: str) -> Features:
    """Read one split of what `write_features` wrote."""
    with open_h5(path) as file:
        group = group_of(path, file, split)
        features = read_array(path, group, "features", "f4", (None, None, None))
        return Features(
            features,
            read_array(path, group, "labels", "i8", (len(features),)),
            stored_classes(file),
            float(file.attrs["logit_scale"]),
        )
