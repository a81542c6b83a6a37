"""Boxes with heading, and VOC 2007's average precision, of which 3DETR's recorded evaluation holds arrays.

A box is (centre x, y, z, size x, y, z) in metres; a seventh number is its heading in radians, clockwise about z seen
from above.
"""

import numpy as np

CORNERS = np.array([[x, y, z] for z in (-0.5, 0.5) for x, y in ((0.5, 0.5), (0.5, -0.5), (-0.5, -0.5), (-0.5, 0.5))])


def corners_of(boxes):
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


def iou_oriented(boxes_a, boxes_b):
    """Intersection over union f8 [A, B] of boxes with heading [A, 7] and [B, 7]; 0 where both are empty."""
    return np.array([[_iou(np.float64(a), np.float64(b)) for b in boxes_b] for a in boxes_a])


def eleven_point_precision(recall, precision):
    """Average precision as VOC 2007 has it: the mean of the best precision at recall 0, 0.1 to 1 or beyond."""
    return float(sum(precision[recall >= level].max(initial=0) / 11 for level in np.arange(0.0, 1.1, 0.1)))


def _iou(a, b):
    height = min(a[2] + a[5] / 2, b[2] + b[5] / 2) - max(a[2] - a[5] / 2, b[2] - b[5] / 2)
    volumes = np.prod(a[3:6]), np.prod(b[3:6])
    # far from the origin the ends are rounded, and what lies between them may be more than either box
    shared = min(max(0.0, height) * _shared_area(a, b), *volumes)
    return shared / (sum(volumes) - shared) if shared > 0 else 0.0


def _shared_area(a, b):
    """Area that two boxes share seen from above: a's outline in the axes of b, cut at b's four sides."""
    x, y = (corners_of([a])[0, :4, :2] - b[:2]).T
    cosine, sine = np.cos(b[6]), np.sin(b[6])
    outline = list(np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1))
    for axis in range(2):
        for side in (-1.0, 1.0):
            outline = _cut(outline, axis, side, b[3 + axis] / 2)
    crossed = [p[0] * q[1] - q[0] * p[1] for p, q in zip(outline, outline[1:] + outline[:1], strict=True)]
    return abs(sum(crossed)) / 2


def _cut(outline, axis, side, limit):
    """The part of a convex outline where side * coordinate <= limit (Sutherland-Hodgman)."""
    kept = []
    for here, there in zip(outline, outline[1:] + outline[:1], strict=True):
        depth, next_depth = limit - side * here[axis], limit - side * there[axis]
        if depth >= 0:
            kept.append(here)
        if (depth >= 0) != (next_depth >= 0):
            kept.append(here + (there - here) * (depth / (depth - next_depth)))
    return kept
