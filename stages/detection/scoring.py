"""Scores of the boxes of all scans: rows for the method as set, with each of its steps otherwise, and as published."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from stages.artifacts.figures import DetectionFigures, LabelsRead
from stages.config.detect import Detect
from stages.detection.average_precision import APResult, Truth, evaluate, match, score
from stages.detection.bootstrap import drawn_map, draws, paired_change
from stages.detection.box_classifier import ClassifiedBoxes
from stages.detection.detections import FULL, ablation_rows, detections, detections_as_published
from stages.detection.proposals import LABELS_READ, REFINED

Results = Mapping[float, APResult]  # by overlap


class Scored(NamedTuple):
    """One row: its scores, and mAP f8 [B] in draws of the scans, by overlap."""

    results: Results
    drawn: Mapping[float, np.ndarray]


def score_rows(
    classified: Mapping[str, Sequence[ClassifiedBoxes]],
    truths: Sequence[Truth],
    *,
    classes: Sequence[str],
    detect: Detect,
) -> dict[str, dict[str, DetectionFigures]]:
    """Figures in percent by kind of proposals and ablation row: mAP and AR at overlaps 0.25 and 0.5, AP of every class.

    A row is compared with the row `full` of its kind. Proposals that refine another kind have that row alone, which is
    compared with the other kind's.
    """
    counts = draws(len(truths), samples=detect.bootstrap_samples, seed=detect.seed)
    rows = ablation_rows(detect.ablations)
    scored = {
        (kind, row): _score(boxes, truths, counts, ablations=rows[row], classes=len(classes), detect=detect)
        for kind, boxes in classified.items()
        for row in (rows if kind not in REFINED else (FULL,))
    }
    figures = {kind: {} for kind in classified}
    for (kind, row), one in scored.items():
        other = (REFINED.get(kind, kind), FULL)
        plain = scored.get(other) if other != (kind, row) else None
        figures[kind][row] = _figures(one.results, classes, LABELS_READ.get(kind, "none"), **_changes(one, plain))
    return figures


def score_as_published(
    classified: Sequence[ClassifiedBoxes], truths: Sequence[Truth], *, classes: Sequence[str], labels_read: LabelsRead
) -> DetectionFigures:
    """Figures in percent of boxes that the published rules kept and `BoxClassifier.as_published` has named."""
    predictions = [detections_as_published(boxes) for boxes in classified]
    return _figures(evaluate(predictions, truths, classes=len(classes)), classes, labels_read)


def _score(
    classified: Sequence[ClassifiedBoxes], truths: Sequence[Truth], counts: np.ndarray, *, classes: int, **settings
) -> Scored:
    predictions = [detections(boxes, classes=classes, **settings) for boxes in classified]
    matches = match(predictions, truths, classes=classes)
    results = score(matches)
    return Scored(results, {overlap: drawn_map(matches, counts, threshold=overlap) for overlap in results})


def _changes(found: Scored, plain: Scored | None) -> dict:
    """Changes of both mAPs against the plain row; none where there is none."""
    if plain is None:
        return {}
    return {
        f"map{round(100 * overlap)}_change": paired_change(
            result.map - plain.results[overlap].map, found.drawn[overlap], plain.drawn[overlap]
        )
        for overlap, result in found.results.items()
    }


def _figures(results: Results, classes: Sequence[str], labels_read: LabelsRead, **changes) -> DetectionFigures:
    means, by_class = {}, {name: {} for name in classes}
    for overlap, result in results.items():
        at = round(100 * overlap)
        means |= {f"map{at}": _percent(result.map), f"ar{at}": _percent(result.mar)}
        for name, precision in zip(classes, result.ap, strict=True):
            if precision == precision:  # not a number where a class has neither a box nor a prediction
                by_class[name][f"ap{at}"] = _percent(precision)
    return DetectionFigures(labels_read=labels_read, per_class=by_class, **means, **changes)


def _percent(share: float) -> float:
    return round(100 * float(share), 2)
