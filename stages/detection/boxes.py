"""Boxes in metres, up axis z: corners, the points inside, and overlap.

A box is (centre x, y, z, size x, y, z), an oriented one has a seventh number: its heading, in radians clockwise about z
seen from above, as 3DETR's angle.
"""

import math

import numpy as np
from numba import njit

from stages.core.errors import InputError

CORNERS = np.array([[x, y, z] for z in (-0.5, 0.5) for x, y in ((0.5, 0.5), (0.5, -0.5), (-0.5, -0.5), (-0.5, 0.5))])


def check_boxes(boxes: np.ndarray, *, source: str, width: int = 6) -> np.ndarray:
    """`boxes` as f8 [K, width]; InputError naming `source` and the box where one is not finite or its size negative."""
    boxes = np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != width:
        raise InputError(f"{source}: boxes of shape {list(boxes.shape)}, expected [K, {width}]")
    bad = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 3:6] < 0).any(axis=1)
    if bad.any():
        first = int(bad.argmax())
        size = ", ".join(f"{extent:g}" for extent in boxes[first, 3:6])
        raise InputError(f"{source}: box {first} has size ({size}), expected finite numbers and no negative size")
    return boxes


def corners_of(boxes: np.ndarray) -> np.ndarray:
    """Corners f8 [K, 8, 3] of boxes [K, 6] or [K, 7]: the four of the bottom, then the four above them.

    Each four go round clockwise seen from above, from the corner at positive x and y of a box without heading.
    """
    boxes = np.asarray(boxes, np.float64)
    corners = CORNERS * boxes[:, None, 3:6]
    if boxes.shape[1] == 7:
        cosine, sine = np.cos(boxes[:, 6:]), np.sin(boxes[:, 6:])
        x, y = corners[..., 0], corners[..., 1]
        corners[..., 0], corners[..., 1] = cosine * x + sine * y, cosine * y - sine * x
    return corners + boxes[:, None, :3]


def points_inside(points: np.ndarray, boxes: np.ndarray, grow: float = 0.0) -> np.ndarray:
    """bool [K, M]: whether each of points [M, 3] lies in each box [K, 6] made larger by `grow` metres on every side.

    A point on a face is inside.
    """
    half = boxes[:, 3:6] / 2 + grow
    return _inside(points[:, :3], boxes[:, :3] - half, boxes[:, :3] + half)


def iou_axis_aligned(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Intersection over union f8 [A, B] of boxes [A, 6] and [B, 6]; 0 where both are empty."""
    low_a, high_a = _ends(boxes_a)
    low_b, high_b = _ends(boxes_b)
    return _ratios(low_a, high_a, low_b, high_b)


def iou_oriented(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Intersection over union f8 [A, B] of boxes with heading [A, 7] and [B, 7]; 0 where both are empty."""
    return _oriented_ratios(np.asarray(boxes_a, np.float64), np.asarray(boxes_b, np.float64))


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


@njit(cache=True, nogil=True)
def _oriented_ratios(boxes_a, boxes_b):
    ratios = np.zeros((len(boxes_a), len(boxes_b)))
    for a in range(len(boxes_a)):
        for b in range(len(boxes_b)):
            one, other = boxes_a[a], boxes_b[b]
            top = min(one[2] + one[5] / 2, other[2] + other[5] / 2)
            bottom = max(one[2] - one[5] / 2, other[2] - other[5] / 2)
            volume_a, volume_b = np.prod(one[3:6]), np.prod(other[3:6])
            # far from the origin the ends are rounded, and what lies between them may be more than either box
            shared = min(max(0.0, top - bottom) * _shared_area(one, other), volume_a, volume_b)
            if shared > 0:
                ratios[a, b] = shared / (volume_a + volume_b - shared)
    return ratios


@njit(cache=True, nogil=True)
def _shared_area(one, other):
    """Area that two boxes share seen from above: `one`'s outline in the axes of `other`, cut at its four sides."""
    cosine, sine = math.cos(other[6]), math.sin(other[6])
    dx, dy = one[0] - other[0], one[1] - other[1]
    centre_x, centre_y = cosine * dx - sine * dy, sine * dx + cosine * dy
    cosine, sine = math.cos(one[6] - other[6]), math.sin(one[6] - other[6])
    outline, count = np.empty((4, 2)), 4
    for corner, (x, y) in enumerate(((0.5, 0.5), (0.5, -0.5), (-0.5, -0.5), (-0.5, 0.5))):
        outline[corner, 0] = centre_x + cosine * x * one[3] + sine * y * one[4]
        outline[corner, 1] = centre_y + cosine * y * one[4] - sine * x * one[3]
    for axis in range(2):
        for side in (-1.0, 1.0):
            outline, count = _cut(outline, count, axis, side, other[3 + axis] / 2)
    area = 0.0
    for i in range(count):
        j = (i + 1) % count
        area += outline[i, 0] * outline[j, 1] - outline[j, 0] * outline[i, 1]
    return abs(area) / 2


@njit(cache=True, nogil=True)
def _cut(outline, count, axis, side, limit):
    """The convex outline's part where side * coordinate <= limit (Sutherland-Hodgman), and its number of corners.

    A cut of a convex outline adds one corner at most; one that rounding has bent may cross the limit at every side, so
    there is room for half as many again.
    """
    kept, left = np.empty((count + count // 2, 2)), 0
    for i in range(count):
        here, there = outline[i], outline[(i + 1) % count]
        depth, next_depth = limit - side * here[axis], limit - side * there[axis]
        if depth >= 0:
            kept[left] = here
            left += 1
        if (depth >= 0) != (next_depth >= 0):
            kept[left] = here + (there - here) * (depth / (depth - next_depth))
            left += 1
    return kept, left
