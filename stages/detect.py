"""Boxes in the scans of one dataset, named by CLIP and scored: `python -m stages.detect <dataset> <backbone>`.

The true boxes of the split are read to score, and by the proposals `ground_truth`, an upper bound.
"""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages.artifacts.boxes import BOX_COLUMNS, write_boxes
from stages.artifacts.files import read_text
from stages.artifacts.metrics import DetectionMetrics, write_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.scenes import open_scenes
from stages.backbones.clip import choose_device
from stages.backbones.loading import load_backbone
from stages.config.detect import Detect
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.errors import InputError
from stages.detection.proposals import LABELS_READ, proposers
from stages.detection.relabel import Named, Namer, detections
from stages.detection.scoring import score_rows
from stages.language.prompts.templates import parse_templates
from stages.projection.presets import resolve

TEMPLATES_KEY = "params.yaml: detect.templates names it"


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Score every kind of proposals and every row of switches; write data/boxes/... and reports/metrics/..."""
    params, paths = params or load_params(root), Paths(root)
    detect, source = params.detect, paths.points(dataset)
    shown = params.dataset_entry(dataset).display_names
    device, templates = choose_device(detect.device), paths.templates(detect.templates)
    propose = proposers(detect, device)
    model = load_backbone(backbone, params.backbone_entry(backbone), device=device, root=root)
    with open_scenes(source) as scans:
        namer = Namer(
            model,
            class_names=[shown.get(name, name) for name in scans.classes],
            templates=parse_templates(read_text(templates, hint=TEMPLATES_KEY), source=str(templates)),
            projection=resolve(params.render),
            detect=detect,
        )
        names, named, truths = scans.names(detect.split)[: detect.max_scans], {kind: [] for kind in propose}, []
        for number, name in enumerate(tqdm(names, unit="scan", desc=f"detect {dataset}", disable=None)):
            scan, where = scans.scene(detect.split, name), f"{source}: {detect.split}/{name}"
            if scans.up_axis != "z" or not len(scan.points):
                raise InputError(f"{where}: {len(scan.points)} points, {scans.up_axis} up; expected some, and z up")
            truths.append((scan.boxes, scan.labels))
            for kind, boxes_of in propose.items():
                rng = np.random.default_rng([detect.seed, number])
                named[kind].append(namer(scan.points, boxes_of(scan, rng), source=where))
        classes = scans.classes
    scores = {
        kind: score_rows(boxes, truths, classes=classes, labels_read=LABELS_READ.get(kind, "none"), detect=detect)
        for kind, boxes in named.items()
    }
    counts = {"scans": len(names), "classes": len(classes), "boxes": sum(len(labels) for _, labels in truths)}
    write_boxes(paths.boxes(dataset, backbone), _columns(named, names, len(classes), detect))
    write_metrics(paths.metrics(dataset, backbone), DetectionMetrics(**counts, proposals=scores))


def _columns(
    named: dict[str, list[Named]], names: tuple[str, ...], classes: int, detect: Detect
) -> dict[str, np.ndarray]:
    """The table of boxes with the switches as they are set: each with its best class, best score first."""
    rows = []
    for kind, boxes_of_scans in named.items():
        for name, boxes in zip(names, boxes_of_scans, strict=True):
            found = detections(boxes, classes=classes, switches=detect.switches, detect=detect)
            labels, scores = found.probabilities.argmax(axis=1), found.probabilities.max(axis=1) * found.scores
            rows += [
                (kind, name, *box, label, score) for box, label, score in zip(found.boxes, labels, scores, strict=True)
            ]
    columns = zip(*rows, strict=True) if rows else [()] * len(BOX_COLUMNS)
    return dict(zip(BOX_COLUMNS, map(np.array, columns), strict=True))


if __name__ == "__main__":
    run_stage(main)
