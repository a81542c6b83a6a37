"""Where the boxes of a scan come from: the kinds of proposals by name."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from stages.artifacts.figures import LabelsRead
from stages.artifacts.types import Scene
from stages.config.detect import Detect
from stages.core.errors import InputError
from stages.detection.clusters import cluster_boxes
from stages.detection.detr3d.model import load_detr3d
from stages.detection.suppression import select_proposals


class Proposals(NamedTuple):
    """Boxes of one scan: f4 [Q, 6] as centre and size in metres, and the objectness f4 [Q] in 0..1 of each.

    `kept` i8 are the places of those that the published evaluation of this kind scores, None where there is none.
    """

    boxes: np.ndarray
    objectness: np.ndarray
    kept: np.ndarray | None = None

    def as_published(self) -> "Proposals":
        """Those that are kept."""
        return Proposals(self.boxes[self.kept], self.objectness[self.kept])


Propose = Callable[[Scene, np.random.Generator], Proposals]


def ground_truth(detect: Detect, device: torch.device) -> Propose:
    """The true boxes, an upper bound: what classification reaches when every box is right."""
    return lambda scene, rng: Proposals(scene.boxes, np.ones(len(scene.boxes), np.float32))


def clusters(detect: Detect, device: torch.device) -> Propose:
    """Clusters of what is neither floor nor wall: no network and no label."""
    return lambda scene, rng: Proposals(
        *cluster_boxes(scene.points, planes=detect.planes, clusters=detect.clusters, rng=rng)
    )


def region_clusters(detect: Detect, device: torch.device) -> Propose:
    """The same clusters where those that share a region leave it to the one that has most of it."""
    return lambda scene, rng: Proposals(
        *cluster_boxes(scene.points, planes=detect.planes, clusters=detect.clusters, rng=rng, regions=detect.regions)
    )


def detr3d(detect: Detect, device: torch.device) -> Propose:
    """3DETR with ScanNet weights, which was trained on the boxes of ScanNet's classes: supervised boxes.

    As published, suppression is among the boxes that 3DETR itself gives the same class.
    """
    if detect.weights is None:
        raise InputError("params.yaml: detect.weights: the proposals detr3d need a path to 3DETR's ScanNet weights")
    network = load_detr3d(Path(detect.weights), device=device)

    def propose(scene: Scene, rng: np.random.Generator) -> Proposals:
        few = len(scene.points) < detect.network_points
        drawn = scene.points[rng.choice(len(scene.points), detect.network_points, replace=few)]
        found = network(drawn[None])
        boxes, objectness, classes = found.boxes[0], found.objectness[0], found.class_probabilities[0].argmax(axis=1)
        return Proposals(boxes, objectness, select_proposals(boxes, objectness, classes, points=drawn))

    return propose


# Proposals are added by one more entry: a function of section `detect` and the device, called once, which loads what
# the kind needs and returns a function of a scan and a random generator, called for every scan.
PROPOSALS: dict[str, Callable[[Detect, torch.device], Propose]] = {
    "ground_truth": ground_truth,
    "clusters": clusters,
    "region_clusters": region_clusters,
    "detr3d": detr3d,
}
REFINED = {"region_clusters": "clusters"}  # kinds that refine another, with which they are compared
LABELS_READ: dict[str, LabelsRead] = {"ground_truth": "test", "detr3d": "train"}  # of the others none


def proposers(detect: Detect, device: torch.device) -> dict[str, Propose]:
    """The kinds that `detect.proposals` names, and detr3d where `detect.weights` names a checkpoint.

    InputError when one is unknown or cannot be loaded.
    """
    names = dict.fromkeys([*detect.proposals, *(["detr3d"] if detect.weights else [])])
    for name in names:
        if name not in PROPOSALS:
            raise InputError(f"params.yaml: detect.proposals '{name}': expected one of {', '.join(PROPOSALS)}")
    return {name: PROPOSALS[name](detect, device) for name in names}
