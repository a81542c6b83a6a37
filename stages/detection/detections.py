"""From classified boxes to detections: which boxes are kept and how they are scored, with and without each step."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from stages.config.detect import Ablations, Detect
from stages.detection.box_classifier import ClassifiedBoxes
from stages.detection.suppression import nms_3d

FULL, AS_PUBLISHED = "full", "as_published"


class Detections(NamedTuple):
    """What is reported of one scan: boxes f4 [Q, 6], class probabilities f4 [Q, C] and a score f4 [Q] of each.

    A box counts for every class, with probability times score, as 3DETR is evaluated.
    """

    boxes: np.ndarray
    probabilities: np.ndarray
    scores: np.ndarray


def ablation_rows(ablations: Ablations) -> dict[str, Ablations]:
    """The rows of the table: `full`, the steps as set, and one row without each of those that are in use."""
    used = [name for name, value in vars(ablations).items() if value is True]
    return {FULL: ablations} | {f"without_{name}": replace(ablations, **{name: False}) for name in used}


def detections(classified: ClassifiedBoxes, *, classes: int, ablations: Ablations, detect: Detect) -> Detections:
    """The boxes that are kept, and their scores.

    `minimum_points` drops boxes with fewer than `detect.minimum_points` points. `no_object_class` takes the softmax
    over the classes and the names of no object, so that a box that resembles one of these scores less as a class.
    `combined_score` multiplies by objectness to the power of `detect.objectness_weight` (at 1 it is 3DETR's product).
    Last comes non-maximum suppression within a class, a box's class being its best.
    """
    enough = classified.points >= (detect.minimum_points if ablations.minimum_points else 0)
    logits = classified.logits[enough] if ablations.no_object_class else classified.logits[enough, :classes]
    boxes, probabilities = classified.boxes[enough], softmax(logits, axis=1)[:, :classes]
    weight = detect.objectness_weight if ablations.combined_score else 0
    scores = classified.objectness[enough] ** np.float32(weight)
    best = probabilities.max(axis=1) * scores
    kept = nms_3d(boxes, best, probabilities.argmax(axis=1), threshold=detect.nms_threshold)
    return Detections(boxes[kept], probabilities[kept], scores[kept])


def detections_as_published(classified: ClassifiedBoxes) -> Detections:
    """The boxes that 3DETR's own rules kept before they were named: the classes' probabilities times objectness."""
    return Detections(classified.boxes, softmax(classified.logits, axis=1), classified.objectness)
