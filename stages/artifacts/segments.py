"""data/segments/<dataset>/<backbone>.h5: the predicted part of every point."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.artifacts.checks import expect
from stages.artifacts.hdf5 import new_h5, open_h5, read_array
from stages.core.errors import InputError


def write_segments(
    path: Path, predicted: dict[str, np.ndarray], *, classes: Sequence[str], split: str, part_names: Sequence
) -> None:
    """Write the parts u1 [N, P] that each method predicts for the points of `split`, in the order of data/points."""
    with new_h5(path, classes=classes, split=split, part_names=part_names) as file:
        for method, parts in predicted.items():
            expect(path, method, parts, "u1", (None, None))
            file.create_dataset(method, data=parts, chunks=(1, parts.shape[1]), compression="gzip", shuffle=True)


def read_segments(path: Path, method: str) -> tuple[str, np.ndarray]:
    """The split, and the parts u1 [N, P] that `method` predicts for its points; InputError when it is not there."""
    with open_h5(path) as file:
        if method not in file:
            raise InputError(f"{path}: no method '{method}'; it has {', '.join(file)}")
        return str(file.attrs["split"]), read_array(path, file, method, "u1", (None, None))
