"""Boxes of labels in a scan of one's own: a room in metres."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.backbones.clip import ClipModel
from stages.config.params import Params
from stages.core.precision import local_origin
from stages.detection.box_classifier import BoxClassifier
from stages.detection.clusters import cluster_boxes
from stages.detection.detections import detections
from stages.detection.proposals import Proposals
from stages.own.inputs import Given, read_scan, source_of
from stages.own.results import Axis, Boxes
from stages.own.sentences import label_templates
from stages.projection.presets import preset_named

MOST_POINTS = 50_000  # of a scan, drawn at random, as VoteNet prepares ScanNet
# Columns and signs that turn the named axis up to z, as a rotation.
TO_Z_UP = {"x": ((1, 2, 0), (1, 1, 1)), "y": ((0, 2, 1), (1, -1, 1)), "z": ((0, 1, 2), (1, 1, 1))}


def find_boxes(scan: Given, labels: Sequence[str], *, up: Axis, model: ClipModel, params: Params, root: Path) -> Boxes:
    """Clusters of what is neither floor nor wall, classified as the stage `detect` does.

    A box whose best name is no object's at all, by `detect.no_object`, has a low score.
    """
    detect = params.detect
    cloud = read_scan(scan, source=source_of(scan, 0), points=MOST_POINTS)
    origin = local_origin(cloud.points)
    columns, signs = TO_Z_UP[up]
    points = ((cloud.points - origin)[:, columns] * signs).astype(np.float32)
    rng = np.random.default_rng(detect.seed)
    proposals = Proposals(*cluster_boxes(points, planes=detect.planes, clusters=detect.clusters, rng=rng))
    classify = BoxClassifier(
        model,
        class_names=labels,
        templates=label_templates(detect.templates, root=root),
        projection=preset_named(detect.preset, key="detect.preset"),
        detect=detect,
    )
    classified = classify(points, proposals, source=cloud.source)
    found = detections(classified, classes=len(labels), ablations=detect.ablations, detect=detect)
    scores = found.probabilities.max(axis=1, initial=0) * found.scores
    order = np.argsort(-scores, kind="stable")
    back = np.argsort(columns)
    centres = (found.boxes[:, :3] * signs)[:, back] + origin
    boxes = np.concatenate([centres, found.boxes[:, 3:6][:, back]], axis=1)
    best = found.probabilities.argmax(axis=1)
    return Boxes(
        source=cloud.source,
        boxes=boxes[order],
        labels=tuple(labels[best[row]] for row in order),
        scores=scores[order],
        up=up,
        read=cloud.read,
    )
