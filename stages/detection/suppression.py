"""Which proposals are kept: those with points inside, the best of overlapping ones, those that are likely objects.

K proposals of one scan. Boxes are (centre, size) in metres, up axis z.
"""

from typing import Literal

import numpy as np
from numba import njit

from stages.core.errors import InputError
from stages.detection.boxes import check_boxes, points_inside

Scope = Literal["class", "all", "ground", "none"]
Share = Literal["union", "suppressed"]


def nms_3d(
    boxes: np.ndarray,
    scores: np.ndarray,
    classes: np.ndarray | None,
    *,
    threshold: float,
    share: Share = "union",
    ground: bool = False,
) -> np.ndarray:
    """Places i8 in boxes [K, 6] that non-maximum suppression keeps, best score first.

    The box of best score among those left is picked, and the others are dropped whose overlap with it is above
    `threshold`: as a share of the union, or of the volume of the box to drop (`share`). With `classes` [K] only boxes
    of one class suppress each other. `ground` compares the outlines seen from above instead of the volumes. Of equal
    scores the later box is picked first. InputError for a box of negative size, or not one score and
    class for each box.
    """
    boxes = check_boxes(boxes, source="suppression").copy()
    if any(values is not None and np.shape(values) != (len(boxes),) for values in (scores, classes)):
        raise InputError(f"suppression: expected {len(boxes)} scores and classes, as many as boxes")
    if ground:
        boxes[:, 2], boxes[:, 5] = 0, 1
    groups = np.zeros(len(boxes), np.int64) if classes is None else np.asarray(classes, np.int64)
    order = np.argsort(scores, kind="stable")[::-1]
    half = boxes[:, 3:] / 2
    return _pick(boxes[:, :3] - half, boxes[:, :3] + half, groups, order, float(threshold), share == "union")


def select_proposals(
    boxes: np.ndarray,
    objectness: np.ndarray,
    classes: np.ndarray,
    *,
    points: np.ndarray | None,
    min_points: int = 5,
    scope: Scope = "class",
    threshold: float = 0.25,
    share: Share = "union",
    min_objectness: float = 0.05,
) -> np.ndarray:
    """Places i8 in boxes [K, 6] of the proposals that 3DETR's evaluation scores, in the order they are picked.

    Boxes with fewer than `min_points` of the scan's points [M, 3] inside go (where none is left, the one of best
    objectness stays); `points` None leaves this out. Then `nms_3d` by objectness among boxes of one class, among all,
    among their outlines on the ground, or none; then those of objectness above `min_objectness`.
    """
    rows = np.arange(len(boxes)) if points is None else occupied(boxes, objectness, points=points, least=min_points)
    if scope != "none":
        groups = classes[rows] if scope == "class" else None
        ground = scope == "ground"
        rows = rows[nms_3d(boxes[rows], objectness[rows], groups, threshold=threshold, share=share, ground=ground)]
    return rows[objectness[rows] > min_objectness]


def occupied(boxes: np.ndarray, objectness: np.ndarray, *, points: np.ndarray, least: int) -> np.ndarray:
    """Places i8 of boxes [K, 6] that hold at least `least` of points [M, 3]; where none does, that of best objectness.

    InputError for a scan without points.
    """
    if not len(points):
        raise InputError("proposals: a scan without points, expected [M, 3] with M > 0")
    rows = np.flatnonzero(points_inside(points, boxes).sum(axis=1) >= least)
    return rows if len(rows) or not len(boxes) else np.array([objectness.argmax()])


@njit(cache=True, nogil=True)
def _pick(low, high, groups, order, threshold, of_union):
    dropped = np.zeros(len(order), np.bool_)
    picked = np.empty(len(order), np.int64)
    count = 0
    for place, best in enumerate(order):
        if dropped[best]:
            continue
        picked[count] = best
        count += 1
        volume = np.prod(high[best] - low[best])
        for other in order[place + 1 :]:
            if dropped[other] or groups[other] != groups[best]:
                continue
            shared = 1.0
            for axis in range(3):
                shared *= max(0.0, min(high[best, axis], high[other, axis]) - max(low[best, axis], low[other, axis]))
            whole = np.prod(high[other] - low[other])
            if of_union:
                whole += volume - shared
            dropped[other] = shared > threshold * whole
    return picked[:count]
