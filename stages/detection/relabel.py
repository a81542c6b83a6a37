"""Boxes named by CLIP: what lies in each box is rendered and classified, all boxes of a scan in one batch.

Q boxes, C classes, O names of what is no object, M points, V views, R resolution, D embedding.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from stages.backbones.clip import ClipModel
from stages.config.detect import Detect, Switches
from stages.core.text import ensemble
from stages.detection.boxes import points_inside
from stages.detection.planes import above_floor
from stages.detection.proposals import Proposed
from stages.detection.suppression import nms_3d
from stages.language.prompts.templates import display_name, fill
from stages.projection.clouds import orient
from stages.projection.presets import Projection
from stages.projection.rendering import render
from stages.zeroshot.classifier import class_logits


class Named(NamedTuple):
    """Boxes f4 [Q, 6] of one scan with their objectness f4 [Q], points inside i8 [Q] and logits f4 [Q, C + O]."""

    boxes: np.ndarray
    objectness: np.ndarray
    points: np.ndarray
    logits: np.ndarray


class Detections(NamedTuple):
    """What is reported of one scan: boxes f4 [Q, 6], class probabilities f4 [Q, C] and a score f4 [Q] beside them.

    A box counts for every class, with probability times score, as 3DETR is evaluated.
    """

    boxes: np.ndarray
    probabilities: np.ndarray
    scores: np.ndarray


class Namer:
    """Names boxes among `class_names`, or as one of `detect.no_object`, with CLIP sentences about both."""

    def __init__(
        self,
        model: ClipModel,
        *,
        class_names: Sequence[str],
        templates: Sequence[str],
        projection: Projection,
        detect: Detect,
    ):
        self._model, self._projection, self._detect = model, projection, detect
        shown = {display_name(name) for name in class_names}
        others = [name for name in detect.no_object if display_name(name) not in shown]
        self._text = text_features(model, [*class_names, *others], templates, batch_size=detect.batch_size)

    def __call__(self, points: np.ndarray, proposed: Proposed, *, source: str) -> Named:
        """Logits for every box of the scan `points` [M, 3] (z up) with a shape in it; the others are left out."""
        if self._detect.without_floor:
            points = points[above_floor(points, thickness=self._detect.planes.thickness)]
        inside = points_inside(points, proposed.boxes, grow=self._detect.grow)
        shaped = np.array([one.any() and np.ptp(points[one], axis=0).any() for one in inside], bool)
        boxes, objectness, inside = proposed.boxes[shaped], proposed.objectness[shaped], inside[shaped]
        if not len(boxes):
            return Named(boxes, objectness, np.empty(0, np.int64), np.empty((0, len(self._text)), np.float32))
        clouds = [orient(points[one], "z") for one in inside]
        depth = render(clouds, self._projection, source=source)
        features = self._model.encode_depth(depth, batch_size=self._detect.batch_size)
        views = features.shape[1]
        logits = class_logits(
            features, self._text, view_weights=np.full(views, 1 / views), logit_scale=self._model.logit_scale
        )
        return Named(boxes, objectness, inside.sum(axis=1), logits)


def text_features(model: ClipModel, names: Sequence[str], templates: Sequence[str], *, batch_size: int) -> np.ndarray:
    """Text features f4 [len(names), D] of unit norm: the mean over `templates` of each name's sentences."""
    sentences = [sentence for name in names for sentence in fill(templates, name)]
    features = model.encode_text(sentences, batch_size=batch_size)
    return ensemble(features, np.arange(len(features)).reshape(len(names), len(templates)))


def switch_rows(switches: Switches) -> dict[str, Switches]:
    """The rows of the table: `switches` as they are set, and once without each of those that are on."""
    on = [name for name, value in vars(switches).items() if value is True]
    return {"as_set": switches} | {f"without_{name}": replace(switches, **{name: False}) for name in on}


def detections(named: Named, *, classes: int, switches: Switches, detect: Detect) -> Detections:
    """The boxes that stay, and their scores.

    `minimum_points` drops boxes with fewer than `detect.minimum_points` points. `no_object_class` lets the names of no
    object share in the probability, so that what looks like one of them scores less as a class. `combined_score`
    multiplies by objectness to the power of `detect.objectness_weight` (at 1 it is 3DETR's product). At last
    non-maximum suppression within a class, a box's class being its best.
    """
    enough = named.points >= (detect.minimum_points if switches.minimum_points else 0)
    logits = named.logits[enough] if switches.no_object_class else named.logits[enough, :classes]
    boxes, probabilities = named.boxes[enough], softmax(logits, axis=1)[:, :classes]
    scores = named.objectness[enough] ** np.float32(detect.objectness_weight if switches.combined_score else 0)
    best = probabilities.max(axis=1) * scores
    stay = nms_3d(boxes, best, probabilities.argmax(axis=1), threshold=detect.nms_threshold)
    return Detections(boxes[stay], probabilities[stay], scores[stay])
