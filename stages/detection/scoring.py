"""Scores of the boxes of all scans: rows for the method as set, with each of its steps otherwise, and as published."""

from collections.abc import Mapping, Sequence

from stages.artifacts.figures import DetectionFigures, LabelsRead
from stages.config.detect import Detect
from stages.detection.average_precision import APResult, Matches, Truth, evaluate, match, score
from stages.detection.bootstrap import paired_change
from stages.detection.box_classifier import ClassifiedBoxes
from stages.detection.detections import FULL, ablation_rows, detections, detections_as_published

REFINED = {"region_clusters": "clusters"}  # kinds of proposals whose row `full` is compared with that of another


def score_rows(
    classified: Mapping[str, Sequence[ClassifiedBoxes]],
    truths: Sequence[Truth],
    *,
    classes: Sequence[str],
    labels_read: Mapping[str, LabelsRead],
    detect: Detect,
) -> dict[str, dict[str, DetectionFigures]]:
    """Figures in percent by kind of proposals and ablation row: mAP and AR at overlaps 0.25 and 0.5, AP of every class.

    A row is compared with the row `full` of its kind, that of a kind in REFINED with the other kind's. A kind that is
    not in `labels_read` has read none.
    """
    matches = {
        kind: {
            row: match(
                [detections(one, classes=len(classes), ablations=ablations, detect=detect) for one in boxes],
                truths,
                classes=len(classes),
            )
            for row, ablations in ablation_rows(detect.ablations).items()
        }
        for kind, boxes in classified.items()
    }
    return {
        kind: {
            row: _figures(score(found), classes, labels_read.get(kind, "none"), **_changes(matches, kind, row, detect))
            for row, found in rows.items()
        }
        for kind, rows in matches.items()
    }


def score_as_published(
    classified: Sequence[ClassifiedBoxes], truths: Sequence[Truth], *, classes: Sequence[str], labels_read: LabelsRead
) -> DetectionFigures:
    """Figures in percent of boxes that the published rules kept and `BoxClassifier.as_published` has named."""
    predictions = [detections_as_published(boxes) for boxes in classified]
    return _figures(evaluate(predictions, truths, classes=len(classes)), classes, labels_read)


def _changes(matches: Mapping[str, Mapping[str, Matches]], kind: str, row: str, detect: Detect) -> dict:
    """Changes of both mAPs against the plain row; none for that itself."""
    other = REFINED.get(kind, kind) if row == FULL else kind
    if other not in matches or (other, FULL) == (kind, row):
        return {}
    drawn = {"samples": detect.bootstrap_samples, "seed": detect.seed}
    return {
        f"map{percent}_change": paired_change(
            matches[kind][row], matches[other][FULL], threshold=percent / 100, **drawn
        )
        for percent in (25, 50)
    }


def _figures(
    results: dict[float, APResult], classes: Sequence[str], labels_read: LabelsRead, **changes
) -> DetectionFigures:
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
