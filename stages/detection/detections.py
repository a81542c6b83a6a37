"""From classified boxes to detections: which boxes are kept and how they are scored, with and without each step."""

from dataclasses import fields, replace
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
    """The rows of the table: `full`, the steps as set, and one row each with one of them the other way round."""
    steps = {step.name: getattr(ablations, step.name) for step in fields(ablations)}
    return {FULL: ablations} | {
        f"{'without' if used else 'with'}_{name}": replace(ablations, **{name: not used})
        for name, used in steps.items()
    }


def detections(classified: ClassifiedBoxes, *, classes: int, ablations: Ablations, detect: Detect) -> Detections:
    """The boxes that are kept, and their scores.

    `minimum_points` drops boxes with fewer than `detect.minimum_points` points. `multi_scale_crops` and `visible_views`
    are those of `box_logits`. `no_object_class` takes the softmax over the classes and the names of no object, so that
    a box that resembles one of these scores less as a class.
    `combined_score` multiplies by objectness to the power of `detect.objectness_weight` (at 1 it is 3DETR's product).
    Last comes non-maximum suppression within a class, a box's class being its best.
    """
    enough = classified.points >= (detect.minimum_points if ablations.minimum_points else 0)
    logits = box_logits(classified, ablations, views=detect.visible_views)[enough]
    boxes = classified.boxes[enough]
    probabilities = softmax(logits if ablations.no_object_class else logits[:, :classes], axis=1)[:, :classes]
    weight = detect.objectness_weight if ablations.combined_score else 0
    scores = classified.objectness[enough] ** np.float32(weight)
    best = probabilities.max(axis=1) * scores
    kept = nms_3d(boxes, best, probabilities.argmax(axis=1), threshold=detect.nms_threshold)
    return Detections(boxes[kept], probabilities[kept], scores[kept])


def box_logits(classified: ClassifiedBoxes, ablations: Ablations, *, views: int) -> np.ndarray:
    """Logits f4 [Q, C + O]: the mean over a box's views, all of them or with `visible_views` some.

    These are the `views` ones that show the largest share of its points, as OpenMask3D (Takmaz et al. 2023, section
    3.2) chooses frames. `multi_scale_crops` takes the mean over all crops instead of the box itself, as it does too.
    """
    by_view = classified.logits.mean(axis=1) if ablations.multi_scale_crops else classified.logits[:, 0]
    if ablations.visible_views:
        best = np.argsort(-classified.visible, axis=1, kind="stable")[:, :views]
        by_view = np.take_along_axis(by_view, best[:, :, None], axis=1)
    return by_view.mean(axis=1)


def detections_as_published(classified: ClassifiedBoxes) -> Detections:
    """The boxes that 3DETR's own rules kept before they were named: the classes' probabilities times objectness."""
    logits = classified.logits[:, 0].mean(axis=1)
    return Detections(classified.boxes, softmax(logits, axis=1), classified.objectness)
