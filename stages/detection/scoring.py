"""Scores of the boxes of all scans: rows for the method as set, without each of its ablations, and as published."""

from collections.abc import Sequence

from stages.artifacts.figures import DetectionFigures, LabelsRead
from stages.config.detect import Detect
from stages.detection.average_precision import APResult, Truth, evaluate
from stages.detection.box_classifier import ClassifiedBoxes
from stages.detection.detections import ablation_rows, detections, detections_as_published


def score_rows(
    classified: Sequence[ClassifiedBoxes],
    truths: Sequence[Truth],
    *,
    classes: Sequence[str],
    labels_read: LabelsRead,
    detect: Detect,
) -> dict[str, DetectionFigures]:
    """Figures in percent of each ablation row: mAP and AR at overlaps 0.25 and 0.5, and AP of every class."""
    rows = {}
    for row, ablations in ablation_rows(detect.ablations).items():
        predictions = [
            detections(boxes, classes=len(classes), ablations=ablations, detect=detect) for boxes in classified
        ]
        rows[row] = _figures(evaluate(predictions, truths, classes=len(classes)), classes, labels_read)
    return rows


def score_as_published(
    classified: Sequence[ClassifiedBoxes], truths: Sequence[Truth], *, classes: Sequence[str], labels_read: LabelsRead
) -> DetectionFigures:
    """Figures in percent of boxes that the published rules kept and `BoxClassifier.as_published` has named."""
    predictions = [detections_as_published(boxes) for boxes in classified]
    return _figures(evaluate(predictions, truths, classes=len(classes)), classes, labels_read)


def _figures(results: dict[float, APResult], classes: Sequence[str], labels_read: LabelsRead) -> DetectionFigures:
    means, by_class = {}, {name: {} for name in classes}
    for overlap, result in results.items():
        at = round(100 * overlap)
        means |= {f"map{at}": _percent(result.map), f"ar{at}": _percent(result.mar)}
        for name, precision in zip(classes, result.ap, strict=True):
            if precision == precision:  # not a number where a class has neither a box nor a prediction
                by_class[name][f"ap{at}"] = _percent(precision)
    return DetectionFigures(labels_read=labels_read, per_class=by_class, **means)


def _percent(share: float) -> float:
    return round(100 * float(share), 2)
