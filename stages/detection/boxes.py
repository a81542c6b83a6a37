"""Boxes in metres, axis-aligned: the points inside, and overlap.

A box is (centre x, y, z, size x, y, z); z points up.
"""

import numpy as np
from numba import njit

from stages.core.errors import InputError


def check_boxes(boxes: np.ndarray, *, source: str) -> np.ndarray:
    """`boxes` as f8 [K, 6]; InputError naming `source` and the box where one is not finite or its size negative."""
    boxes = np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 6:
        raise InputError(f"{source}: boxes of shape {list(boxes.shape)}, expected [K, 6]")
    bad = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 3:6] < 0).any(axis=1)
    if bad.any():
        first = int(bad.argmax())
        size = ", ".join(f"{extent:g}" for extent in boxes[first, 3:6])
        raise InputError(f"{source}: box {first} has size ({size}), expected finite numbers and no negative size")
    return boxes


def points_inside(points: np.ndarray, boxes: np.ndarray, *, margin: float = 0.0) -> np.ndarray:
    """bool [K, M]: whether each of points [M, 3] lies in each box [K, 6] enlarged by `margin` metres on every side.

    A point on a face is inside.
    """
    half = boxes[:, 3:6] / 2 + margin
    return _inside(points[:, :3], boxes[:, :3] - half, boxes[:, :3] + half)


def grown(boxes: np.ndarray, share: float) -> np.ndarray:
    """Boxes [K, 6] larger by `share` of their own size on every side."""
    return np.concatenate([boxes[:, :3], boxes[:, 3:6] * (1 + 2 * share)], axis=1)


def iou_axis_aligned(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Intersection over union f8 [A, B] of boxes [A, 6] and [B, 6]; 0 where both are empty."""
    low_a, high_a = _ends(boxes_a)
    low_b, high_b = _ends(boxes_b)
    return _ratios(low_a, high_a, low_b, high_b)


def _ends(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner f8 [K, 3]."""
    boxes = np.asarray(boxes, np.float64)
    return boxes[:, :3] - boxes[:, 3:6] / 2, boxes[:, :3] + boxes[:, 3:6] / 2


@njit(cache=True, nogil=True)
def _inside(points, low, high):
    inside = np.empty((len(low), len(points)), np.bool_)
    for k in range(len(low)):
        for m in range(len(points)):
            x, y, z = points[m, 0], points[m, 1], points[m, 2]
            inside[k, m] = (
                (low[k, 0] <= x <= high[k, 0]) & (low[k, 1] <= y <= high[k, 1]) & (low[k, 2] <= z <= high[k, 2])
            )
    return inside


@njit(cache=True, nogil=True)
def _ratios(low_a, high_a, low_b, high_b):
    ratios = np.zeros((len(low_a), len(low_b)))
    for a in range(len(low_a)):
        volume_a = np.prod(high_a[a] - low_a[a])
        for b in range(len(low_b)):
            shared, volume_b = 1.0, 1.0
            for axis in range(3):
                shared *= max(0.0, min(high_a[a, axis], high_b[b, axis]) - max(low_a[a, axis], low_b[b, axis]))
                volume_b *= high_b[b, axis] - low_b[b, axis]
            if shared > 0:
                ratios[a, b] = shared / (volume_a + volume_b - shared)
    return ratios
