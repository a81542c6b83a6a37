"""Boxes in the scans of one dataset, classified by CLIP and scored: `python -m stages.detect <dataset> <backbone>`.

The true boxes of the split are read to score, and by the proposals `ground_truth`, an upper bound.
"""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages.artifacts.boxes import BOX_COLUMNS, write_boxes
from stages.artifacts.figures import DetectionMetrics
from stages.artifacts.files import read_text
from stages.artifacts.metrics import write_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.scenes import ScenesReader, open_scenes
from stages.artifacts.types import Scene
from stages.backbones.device import choose_device
from stages.backbones.loading import load_backbone
from stages.config.detect import Detect
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.errors import InputError
from stages.detection.box_classifier import BoxClassifier, ClassifiedBoxes
from stages.detection.detections import AS_PUBLISHED, detections
from stages.detection.proposals import LABELS_READ, REFINED, proposers
from stages.detection.scoring import score_as_published, score_rows
from stages.language.prompts.templates import parse_templates
from stages.projection.presets import preset_named

TEMPLATES_KEY = "params.yaml: detect.templates names it"


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Score every kind of proposals and every ablation; write data/boxes/... and reports/metrics/..."""
    params, paths = params or load_params(root), Paths(root)
    detect, source = params.detect, paths.points(dataset)
    projection = preset_named(detect.preset, key="detect.preset")
    shown = params.dataset_entry(dataset).display_names
    device, templates = choose_device(detect.device), paths.templates(detect.templates)
    propose = proposers(detect, device)
    model = load_backbone(backbone, params.backbone_entry(backbone), device=device, root=root)
    with open_scenes(source) as scans:
        classes, names = scans.classes, scans.names(detect.split)[: detect.max_scans]
        classify = BoxClassifier(
            model,
            class_names=[shown.get(name, name) for name in classes],
            templates=parse_templates(read_text(templates, hint=TEMPLATES_KEY), source=str(templates)),
            projection=projection,
            detect=detect,
        )
        as_published, published = classify.as_published(), {}
        classified, truths = {kind: [] for kind in propose}, []
        for number, name in enumerate(tqdm(names, unit="scan", desc=f"detect {dataset}", disable=None)):
            where = f"{source}: {detect.split}/{name}"
            scan = _scan(scans, detect.split, name, source=where)
            truths.append((scan.boxes, scan.labels))
            for kind, boxes_of in propose.items():
                rng = np.random.default_rng([detect.seed, number])
                proposals = boxes_of(scan, rng)
                compared = kind not in REFINED
                classified[kind].append(classify(scan.points, proposals, source=where, all_crops=compared))
                if proposals.kept is not None:
                    named = as_published(scan.points, proposals.as_published(), source=where)
                    published.setdefault(kind, []).append(named)
    scores = score_rows(classified, truths, classes=classes, detect=detect)
    for kind, boxes in published.items():
        read = LABELS_READ.get(kind, "none")
        scores[kind][AS_PUBLISHED] = score_as_published(boxes, truths, classes=classes, labels_read=read)
    counts = {"scans": len(names), "classes": len(classes), "boxes": sum(len(labels) for _, labels in truths)}
    write_boxes(paths.boxes(dataset, backbone), _columns(classified, names, len(classes), detect))
    write_metrics(paths.metrics(dataset, backbone), DetectionMetrics(**counts, proposals=scores))


def _scan(scans: ScenesReader, split: str, name: str, *, source: str) -> Scene:
    """One scan; InputError where it has no points or z does not point up."""
    scan = scans.scene(split, name)
    if scans.up_axis != "z" or not len(scan.points):
        raise InputError(f"{source}: {len(scan.points)} points, {scans.up_axis} up; expected some, and z up")
    return scan


def _columns(
    classified: dict[str, list[ClassifiedBoxes]], names: tuple[str, ...], classes: int, detect: Detect
) -> dict[str, np.ndarray]:
    """The table of boxes with the ablations as set: each box with its best class, best score first."""
    rows = []
    for kind, boxes_of_scans in classified.items():
        for name, boxes in zip(names, boxes_of_scans, strict=True):
            found = detections(boxes, classes=classes, ablations=detect.ablations, detect=detect)
            labels, scores = found.probabilities.argmax(axis=1), found.probabilities.max(axis=1) * found.scores
            rows += [
                (kind, name, *box, label, score) for box, label, score in zip(found.boxes, labels, scores, strict=True)
            ]
    columns = zip(*rows, strict=True) if rows else [()] * len(BOX_COLUMNS)
    return dict(zip(BOX_COLUMNS, map(np.array, columns), strict=True))


if __name__ == "__main__":
    run_stage(main)
