"""Average precision of boxes in scans, as 3DETR and VoteNet score ScanNet.

Per class, all predictions over all scans go by falling score. Each takes the true box of its class and scan with the
largest overlap; it is correct where that overlap is above the threshold and the box is not taken yet. Average precision
is the area under the precision envelope over recall. A class enters the means that has a prediction or a true box.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.errors import InputError
from stages.detection.boxes import check_boxes, iou_axis_aligned

Prediction = tuple[np.ndarray, np.ndarray, np.ndarray]  # boxes [K, 6], classes i8 [K] or probabilities [K, C], scores
Truth = tuple[np.ndarray, np.ndarray]  # boxes [G, 6], classes i8 [G]


@dataclass(frozen=True)
class APResult:
    """Scores at one threshold: per class f8 [C], NaN for a class without predictions and true boxes, and their means.

    `recall` is the share of true boxes found by any prediction; `mar` is what detection papers call AR.
    """

    ap: np.ndarray
    recall: np.ndarray
    map: float
    mar: float


@dataclass(frozen=True)
class Matches:
    """Every prediction with the true box that it is matched to: P predictions, T true boxes of all scans, C classes.

    `scores` f8 [P, C], NaN where the prediction says nothing about the class; `overlap` f8 [P, C] with the true box
    `taken` i8 [P, C], 0 where the scan has none of the class; `scans` i8 [P] which scan it is of; `truths` i8 [N, C]
    counts of true boxes of each scan.
    """

    scores: np.ndarray
    overlap: np.ndarray
    taken: np.ndarray
    scans: np.ndarray
    truths: np.ndarray

    def curve(self, label: int, *, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """Recall and precision f8 [E] after each of a class's E predictions, best score first."""
        _, right = self.ranked(label, threshold=threshold)
        found = right.cumsum()
        return found / max(self.truths[:, label].sum(), 1), found / np.arange(1, len(right) + 1)

    def ranked(self, label: int, *, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """A class's E predictions, best score first, as places i8 [E] among all, and which are right, bool [E]."""
        rows = np.flatnonzero(~np.isnan(self.scores[:, label]))
        rows = rows[np.argsort(-self.scores[rows, label], kind="stable")]
        right = np.zeros(len(rows), bool)
        close = np.flatnonzero(self.overlap[rows, label] > threshold)
        right[close[np.unique(self.taken[rows[close], label], return_index=True)[1]]] = True
        return rows, right


def evaluate(
    predictions: Sequence[Prediction],
    truths: Sequence[Truth],
    *,
    classes: int,
    thresholds: Sequence[float] = (0.25, 0.5),
) -> dict[float, APResult]:
    """Scores by threshold of `predictions` against `truths`, one of each per scan; see `match` for what they hold."""
    return score(match(predictions, truths, classes=classes), thresholds)


def score(matches: Matches, thresholds: Sequence[float] = (0.25, 0.5)) -> dict[float, APResult]:
    """Scores by threshold of predictions that are matched."""
    return {threshold: _score(matches, threshold) for threshold in thresholds}


def match(predictions: Sequence[Prediction], truths: Sequence[Truth], *, classes: int) -> Matches:
    """The true box that each prediction takes.

    A scan's prediction is boxes [K, 6], classes i8 [K] and scores [K], or boxes, class probabilities [K, C] and scores
    [K]: then each box is a prediction for every class, with score times probability (3DETR's per-class proposals).
    InputError for another number of scans, a box of negative size or a class outside 0..C-1.
    """
    if len(predictions) != len(truths):
        raise InputError(f"detection: predictions of {len(predictions)} scans and truth of {len(truths)}, expected one")
    scores, overlap, taken, counts = [], [], [], []
    for scan, ((boxes, says, score), (true_boxes, labels)) in enumerate(zip(predictions, truths, strict=True)):
        boxes = check_boxes(boxes, source=f"detection: predictions of scan {scan}")
        true_boxes = check_boxes(true_boxes, source=f"detection: truth of scan {scan}")
        labels = _check_classes(labels, classes=classes, source=f"detection: truth of scan {scan}")
        scores.append(_entries(says, score, classes=classes, source=f"detection: predictions of scan {scan}"))
        best, which = _best(iou_axis_aligned(boxes, true_boxes), labels, classes=classes)
        overlap.append(best)
        taken.append(which + sum(before.sum() for before in counts))
        counts.append(np.bincount(labels, minlength=classes))
    if not scores:
        raise InputError("detection: no scan to score")
    scans = np.repeat(np.arange(len(scores)), [len(of_scan) for of_scan in scores])
    joined = (np.concatenate(values) for values in (scores, overlap, taken))
    return Matches(*joined, scans, np.stack(counts))


def _score(matches: Matches, threshold: float) -> APResult:
    """Scores at one threshold; without any prediction or true box the means are 0."""
    classes = matches.truths.shape[1]
    ap, recall = np.full(classes, np.nan), np.full(classes, np.nan)
    for label in range(classes):
        recalls, precisions = matches.curve(label, threshold=threshold)
        if len(recalls) or matches.truths[:, label].any():
            ap[label] = _area(recalls, precisions)
            recall[label] = recalls[-1] if len(recalls) else 0
    some = ~np.isnan(ap)
    return APResult(ap, recall, *(float(values[some].mean()) if some.any() else 0.0 for values in (ap, recall)))


def _area(recall: np.ndarray, precision: np.ndarray) -> float:
    """Area below the precision envelope: at each recall the best precision there or beyond."""
    envelope = np.maximum.accumulate(np.append(precision, 0.0)[::-1])[::-1]
    steps = np.diff(recall, prepend=0.0, append=1.0)
    return float(np.sum(steps[steps > 0] * envelope[steps > 0]))


def _entries(says: np.ndarray, score: np.ndarray, *, classes: int, source: str) -> np.ndarray:
    """Scores f8 [K, C] of one scan's predictions, NaN where a box says nothing about a class."""
    if np.ndim(says) == 2:
        if says.shape[1] != classes:
            raise InputError(f"{source}: probabilities of {says.shape[1]} classes, expected {classes}")
        return (says * score[:, None]).astype(np.float64)
    says = _check_classes(says, classes=classes, source=source)
    entries = np.full((len(says), classes), np.nan)
    entries[np.arange(len(says)), says] = score
    return entries


def _best(overlap: np.ndarray, labels: np.ndarray, *, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest of overlap [K, G] with the true boxes of each class, f8 [K, C], and that box's place i8 [K, C]."""
    best, which = np.zeros((len(overlap), classes)), np.zeros((len(overlap), classes), np.int64)
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        which[:, label] = places[overlap[:, places].argmax(axis=1)]  # the first of equals
        best[:, label] = overlap[:, places].max(axis=1)
    return best, which


def _check_classes(labels: np.ndarray, *, classes: int, source: str) -> np.ndarray:
    labels = np.asarray(labels, np.int64)
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise InputError(f"{source}: class {labels.min()} to {labels.max()}, expected 0 to {classes - 1}")
    return labels
