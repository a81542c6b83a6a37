"""Some of many: evenly spread rows, those of classes, and farthest points, compiled for datasets and boxes alike."""

from collections.abc import Mapping, Sequence

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def farthest_points(points, count, start):
    """Indices i8 [count] of `points` f4 [P, >=3] by farthest-point sampling from index `start` (Eldar et al. 1997).

    Each next point is the one farthest from all chosen before it; ties go to the lower index. Needs count <= P.
    """
    chosen = np.empty(count, np.int64)
    sample_farthest(points, start, np.full(len(points), np.inf, np.float32), chosen)
    return chosen


@njit(cache=True, nogil=True)
def sample_farthest(points, start, nearest, chosen):
    """Fill `chosen` i8 [count] as `farthest_points` does, with given distances to start from.

    `nearest` f4 [P] holds squared distances to what is chosen before, at most which a point counts as far, and is
    changed; a point where it is negative is never taken, and index 0 repeats where no other is left.
    """
    x, y, z = points[:, 0].copy(), points[:, 1].copy(), points[:, 2].copy()
    best = start
    for k in range(len(chosen)):
        chosen[k] = last = best
        best, distance = 0, np.float32(-1)
        for i in range(len(points)):
            dx, dy, dz = x[i] - x[last], y[i] - y[last], z[i] - z[last]
            nearest[i] = min(nearest[i], dx * dx + dy * dy + dz * dz)
            if nearest[i] > distance:
                best, distance = i, nearest[i]


def spread(samples: int, limit: int | None) -> np.ndarray:
    """Rows of at most `limit` of `samples` samples, evenly spread in their order; None keeps all."""
    return np.unique(np.linspace(0, samples - 1, min(limit or samples, samples)).round().astype(int))


def rows_of_classes(
    labels: Mapping[str, np.ndarray], classes: Sequence[str], *, whole: str, others: int | None
) -> dict[str, dict[str, np.ndarray]]:
    """Of every class in the split `whole` its rows by split: all there, of another split `others`, evenly spread.

    `labels` are i8 [N] by split.
    """

    def rows(split: str, label: int) -> np.ndarray:
        found = np.flatnonzero(labels[split] == label)
        return found if split == whole else found[spread(len(found), others)]

    by_class = {name: {split: rows(split, label) for split in labels} for label, name in enumerate(classes)}
    return {name: splits for name, splits in by_class.items() if len(splits.get(whole, ()))}
