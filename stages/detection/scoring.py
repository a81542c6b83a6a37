"""What the boxes of all scans score: one row for the switches as they are set, one without each that is on."""

from collections.abc import Sequence

from stages.artifacts.metrics import DetectionFigures, LabelsRead
from stages.config.detect import Detect
from stages.detection.average_precision import APResult, Truth, evaluate
from stages.detection.relabel import Named, detections, switch_rows


def score_rows(
    named: Sequence[Named],
    truths: Sequence[Truth],
    *,
    classes: Sequence[str],
    labels_read: LabelsRead,
    detect: Detect,
) -> dict[str, DetectionFigures]:
    """Figures in percent of each row of switches: mAP and AR at overlaps 0.25 and 0.5, and AP of every class."""
    rows = {}
    for row, switches in switch_rows(detect.switches).items():
        predictions = [detections(one, classes=len(classes), switches=switches, detect=detect) for one in named]
        rows[row] = _figures(evaluate(predictions, truths, classes=len(classes)), classes, labels_read)
    return rows


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
