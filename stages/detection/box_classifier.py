"""Boxes classified by CLIP: what lies in each box is rendered, all boxes of a scan in one batch.

Q boxes, S crops of a box, C classes, O names of what is no object, M points, V views, D embedding.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from stages.backbones.clip import ClipModel
from stages.config.detect import Detect
from stages.core.text import ensemble
from stages.detection.boxes import grown, points_inside
from stages.detection.planes import above_floor
from stages.detection.proposals import Proposals
from stages.language.prompts.templates import display_name, fill
from stages.projection.clouds import orient
from stages.projection.presets import Projection
from stages.projection.rendering import project

AT_ONCE = 64  # clouds rendered together: what is known of their points takes memory


class ClassifiedBoxes(NamedTuple):
    """Boxes f4 [Q, 6] of one scan with their objectness f4 [Q], points inside i8 [Q] and logits f4 [Q, S, V, C + O].

    The first crop is the box itself. `visible` f4 [Q, V] is the share of its points that each view shows.
    """

    boxes: np.ndarray
    objectness: np.ndarray
    points: np.ndarray
    logits: np.ndarray
    visible: np.ndarray


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

    def __call__(
        self, points: np.ndarray, proposals: Proposals, *, source: str, all_crops: bool = False
    ) -> ClassifiedBoxes:
        """Logits of every box of the scan `points` [M, 3] (z up); a box without two different points is left out.

        Larger crops are rendered where `detect.ablations` has them in use, and with `all_crops`, to compare.
        """
        if self._detect.without_floor:
            points = points[above_floor(points, thickness=self._detect.planes.thickness)]
        inside = points_inside(points, proposals.boxes, margin=self._detect.box_margin)
        has_shape = np.array([rows.any() and np.ptp(points[rows], axis=0).any() for rows in inside], bool)
        boxes, objectness, inside = proposals.boxes[has_shape], proposals.objectness[has_shape], inside[has_shape]
        crops = self._detect.crops
        larger = [
            points_inside(points, grown(boxes, scale * crops.growth), margin=self._detect.box_margin)
            for scale in range(1, crops.scales if all_crops or self._detect.ablations.multi_scale_crops else 1)
        ]
        logits, visible = self._named(points, np.stack([inside, *larger], axis=1), source=source)
        return ClassifiedBoxes(boxes, objectness, inside.sum(axis=1), logits, visible)

    def as_published(self) -> "BoxClassifier":
        """The same without our own steps: all the points in a box, as large as it is, among the classes alone."""
        other = copy(self)
        plain = replace(self._detect.ablations, multi_scale_crops=False)
        other._detect = replace(self._detect, without_floor=False, box_margin=0.0, ablations=plain)
        other._text = self._text[: self._classes]
        return other

    def _named(self, points: np.ndarray, inside: np.ndarray, *, source: str) -> tuple[np.ndarray, np.ndarray]:
        """Logits f4 [Q, S, V, C + O] of the points in each crop, bool [Q, S, M], and `visible` f4 [Q, V].

        Crops that hold the same points are rendered once.
        """
        views, (boxes, scales, _) = self._projection.views, inside.shape
        if not boxes:
            return np.empty((0, scales, views, len(self._text)), np.float32), np.empty((0, views), np.float32)
        places, clouds = {}, []
        for rows in inside.reshape(boxes * scales, -1):
            if places.setdefault(rows.tobytes(), len(clouds)) == len(clouds):
                clouds.append(orient(points[rows], "z"))
        place = np.array([places[rows.tobytes()] for rows in inside.reshape(boxes * scales, -1)]).reshape(boxes, scales)
        logits, visible = [], []
        for start in range(0, len(clouds), AT_ONCE):
            seen = project(clouds[start : start + AT_ONCE], self._projection, source=source, first_sample=start)
            features = self._model.encode_depth(seen.depth, batch_size=self._detect.batch_size)
            logits.append(np.float32(self._model.logit_scale) * features @ self._text.T)
            visible += [shown.mean(axis=1, dtype=np.float32) for shown in seen.visible]
        return np.concatenate(logits)[place], np.stack(visible)[place[:, 0]]


def text_features(model: ClipModel, names: Sequence[str], templates: Sequence[str], *, batch_size: int) -> np.ndarray:
    """Text features f4 [len(names), D] of unit norm: the mean over `templates` of each name's sentences."""
    sentences = [sentence for name in names for sentence in fill(templates, name)]
    features = model.encode_text(sentences, batch_size=batch_size)
    return ensemble(features, np.arange(len(features)).reshape(len(names), len(templates)))
