"""Scores of predicted parts of points: accuracy, IoU of a shape's parts, and their means by instance and by category.

N shapes, P points, K parts of one category.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from stages.core.errors import InputError


class Scores(NamedTuple):
    """Scores of one category's shapes, 0..1: share of points right and mean part IoU, f8 [N] each."""

    accuracy: np.ndarray
    iou: np.ndarray


def score(predicted: np.ndarray, truth: np.ndarray, *, parts: int) -> Scores:
    """Scores of `predicted` [N, P] against `truth` [N, P], labels of `parts` parts.

    The IoU of a shape is the mean over all parts of its category of intersection over union; a part that is neither
    there nor predicted counts 1, as published. InputError for a label that is none of the parts.
    """
    for labels in (predicted, truth):
        if labels.shape != truth.shape or not labels.size or labels.min() < 0 or labels.max() >= parts:
            raise InputError(f"segmentation scores: expected labels {list(truth.shape)} from 0 to {parts - 1}")
    return Scores(*_score(np.ascontiguousarray(predicted), np.ascontiguousarray(truth), parts))


def summarise(by_category: dict[str, Scores]) -> dict[str, float]:
    """Means in percent: over all shapes (instance) and over the categories' own means (class)."""
    summary = {}
    for field, name in (("accuracy", "accuracy"), ("iou", "miou")):
        values = [getattr(scores, field) for scores in by_category.values()]
        summary[f"instance_{name}"] = percent(np.concatenate(values).mean())
        summary[f"class_{name}"] = percent(np.mean([one.mean() for one in values]))
    return summary


def percent(share: float) -> float:
    """`share` in percent, to two places."""
    return round(100 * float(share), 2)


@njit(cache=True, nogil=True)
def _score(predicted, truth, parts):
    shapes, points = truth.shape
    accuracy, iou = np.zeros(shapes), np.zeros(shapes)
    for n in range(shapes):
        both, either = np.zeros(parts, np.int64), np.zeros(parts, np.int64)
        for p in range(points):
            guess, label = predicted[n, p], truth[n, p]
            either[guess] += 1
            if guess == label:
                both[label] += 1
            else:
                either[label] += 1
        accuracy[n] = both.sum() / points
        for k in range(parts):
            iou[n] += both[k] / either[k] if either[k] else 1.0
        iou[n] /= parts
    return accuracy, iou
