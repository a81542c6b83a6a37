"""Boxes of labels in a scan of one's own: a room in metres.

M points, Q boxes, C labels.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.backbones.clip import ClipModel
from stages.config.params import Params
from stages.core.precision import local_origin
from stages.core.text import warn_of_unknown_words
from stages.detection.box_classifier import BoxClassifier
from stages.detection.clusters import cluster_boxes
from stages.detection.detections import Detections, detections
from stages.detection.proposals import Proposals
from stages.language.prompts.templates import display_name
from stages.own.inputs import Cloud
from stages.own.results import Axis, Boxes
from stages.own.sentences import label_templates
from stages.projection.presets import preset_named

# Columns and signs that turn the named axis up to z, as a rotation.
TO_Z_UP = {"x": ((1, 2, 0), (1, 1, 1)), "y": ((0, 2, 1), (1, -1, 1)), "z": ((0, 1, 2), (1, 1, 1))}


def find_boxes(cloud: Cloud, labels: Sequence[str], *, up: Axis, model: ClipModel, params: Params, root: Path) -> Boxes:
    """Clusters of what is neither floor nor wall, classified as the stage `detect` does.

    A box that resembles a name of `detect.no_object` more than any label has a low score.
    """
    warn_of_unknown_words(model.unknown_words(map(display_name, labels)), backbone=model.name)
    columns, signs = TO_Z_UP[up]
    origin = local_origin(cloud.points)
    upright = ((cloud.points - origin)[:, columns] * signs).astype(np.float32)
    found = _detect(upright, labels, source=cloud.source, model=model, params=params, root=root)
    scores = found.probabilities.max(axis=1) * found.scores
    best, order = found.probabilities.argmax(axis=1), np.argsort(-scores, kind="stable")
    back = np.argsort(columns)
    centres, sizes = (found.boxes[:, :3] * signs)[:, back] + origin, found.boxes[:, 3:][:, back]
    return Boxes(
        source=cloud.source,
        boxes=np.concatenate([centres, sizes], axis=1)[order],
        labels=tuple(labels[label] for label in best[order]),
        scores=scores[order],
        up=up,
        read=cloud.read,
    )


def _detect(
    points: np.ndarray, labels: Sequence[str], *, source: str, model: ClipModel, params: Params, root: Path
) -> Detections:
    """Boxes around clusters of `points` f4 [M, 3], z up, with the probability of every label."""
    detect = params.detect
    rng = np.random.default_rng(detect.seed)
    proposals = Proposals(*cluster_boxes(points, planes=detect.planes, clusters=detect.clusters, rng=rng))
    classify = BoxClassifier(
        model,
        class_names=labels,
        templates=label_templates(detect.templates, root=root),
        projection=preset_named(detect.preset, key="detect.preset"),
        detect=detect,
    )
    classified = classify(points, proposals, source=source)
    return detections(classified, classes=len(labels), ablations=detect.ablations, detect=detect)
