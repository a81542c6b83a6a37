"""data/segments/<dataset>/<backbone>.h5: the predicted part of every point, and how right each shape's are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.artifacts.checks import expect
from stages.artifacts.hdf5 import append_rows, new_h5, open_h5, read_array
from stages.artifacts.packing import PARTS as PART_LABELS
from stages.core.errors import InputError

PARTS, IOU = "predicted", "iou"


class Segments(NamedTuple):
    """One method's result on a split: parts u1 [N, P] of its points, and each shape's mean part IoU f4 [N] in 0..1."""

    split: str
    predicted: np.ndarray
    iou: np.ndarray


def write_segments(
    path: Path,
    predicted: Mapping[str, np.ndarray],
    iou: Mapping[str, np.ndarray],
    *,
    classes: Sequence[str],
    split: str,
    part_names: Sequence,
) -> None:
    """Write what each method predicts for the points of `split`, in the order of data/points: parts u1 [N, P].

    `iou` f4 [N] in 0..1 is each shape's mean part IoU by method.
    """
    with new_h5(path, classes=classes, split=split, part_names=part_names) as file:
        for method, parts in predicted.items():
            expect(path, f"{PARTS}/{method}", parts, "u1", (None, None))
            expect(path, f"{IOU}/{method}", iou[method], "f4", (len(parts),))
            append_rows(file.require_group(PARTS), method, parts, level=PART_LABELS)
            file.create_dataset(f"{IOU}/{method}", data=iou[method])


def read_segments(path: Path, method: str) -> Segments:
    """What `method` predicts; InputError when it is not there."""
    with open_h5(path) as file:
        known = file.get(PARTS, ())
        if method not in known:
            raise InputError(f"{path}: no method '{method}'; it has {', '.join(known) or 'none'}")
        parts = read_array(path, file, f"{PARTS}/{method}", "u1", (None, None))
        return Segments(str(file.attrs["split"]), parts, read_array(path, file, f"{IOU}/{method}", "f4", (len(parts),)))
