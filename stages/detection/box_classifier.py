"""Boxes classified by CLIP: what lies in each box is rendered, all boxes of a scan in one batch.

Q boxes, C classes, O names of what is no object, M points, V views, D embedding.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from stages.backbones.clip import ClipModel
from stages.config.detect import Detect
from stages.core.text import ensemble
from stages.detection.boxes import points_inside
from stages.detection.planes import above_floor
from stages.detection.proposals import Proposals
from stages.language.prompts.templates import display_name, fill
from stages.projection.clouds import orient
from stages.projection.presets import Projection
from stages.projection.rendering import render
from stages.zeroshot.classifier import class_logits


class ClassifiedBoxes(NamedTuple):
    """Boxes f4 [Q, 6] of one scan with their objectness f4 [Q], points inside i8 [Q] and logits f4 [Q, C + O]."""

    boxes: np.ndarray
    objectness: np.ndarray
    points: np.ndarray
    logits: np.ndarray


class BoxClassifier:
    """Classifies boxes among `class_names` and the names of `detect.no_object`, by CLIP sentences about both."""

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
        self._classes = len(class_names)
        shown = {display_name(name) for name in class_names}
        others = [name for name in detect.no_object if display_name(name) not in shown]
        self._text = text_features(model, [*class_names, *others], templates, batch_size=detect.batch_size)

    def __call__(self, points: np.ndarray, proposals: Proposals, *, source: str) -> ClassifiedBoxes:
        """Logits of every box of the scan `points` [M, 3] (z up); a box without two different points is left out."""
        if self._detect.without_floor:
            points = points[above_floor(points, thickness=self._detect.planes.thickness)]
        inside = points_inside(points, proposals.boxes, margin=self._detect.box_margin)
        has_shape = np.array([rows.any() and np.ptp(points[rows], axis=0).any() for rows in inside], bool)
        boxes, objectness, inside = proposals.boxes[has_shape], proposals.objectness[has_shape], inside[has_shape]
        clouds = [orient(points[rows], "z") for rows in inside]
        return ClassifiedBoxes(boxes, objectness, inside.sum(axis=1), self._logits(clouds, source=source))

    def as_published(self) -> "BoxClassifier":
        """The same without our own steps: all the points in a box, as large as it is, among the classes alone."""
        other = copy(self)
        other._detect = replace(self._detect, without_floor=False, box_margin=0.0)
        other._text = self._text[: self._classes]
        return other

    def _logits(self, clouds: list[np.ndarray], *, source: str) -> np.ndarray:
        """Logits f4 [Q, C + O] of clouds, y up, with equal view weights."""
        if not clouds:
            return np.empty((0, len(self._text)), np.float32)
        depth = render(clouds, self._projection, source=source)
        features = self._model.encode_depth(depth, batch_size=self._detect.batch_size)
        weights = np.full(features.shape[1], 1 / features.shape[1])
        return class_logits(features, self._text, view_weights=weights, logit_scale=self._model.logit_scale)


def text_features(model: ClipModel, names: Sequence[str], templates: Sequence[str], *, batch_size: int) -> np.ndarray:
    """Text features f4 [len(names), D] of unit norm: the mean over `templates` of each name's sentences."""
    sentences = [sentence for name in names for sentence in fill(templates, name)]
    features = model.encode_text(sentences, batch_size=batch_size)
    return ensemble(features, np.arange(len(features)).reshape(len(names), len(templates)))
