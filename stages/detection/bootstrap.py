"""Paired bootstrap over scans: how sure it is that one way of detecting has the larger mean average precision.

B draws, N scans, C classes, E predictions of a class.
"""

import numpy as np

from stages.artifacts.figures import Change
from stages.detection.average_precision import Matches


def draws(scans: int, *, samples: int, seed: int) -> np.ndarray:
    """How often each of N `scans` is met, i4 [B, N], in `samples` draws of N with replacement (Efron 1979)."""
    return np.random.default_rng(seed).multinomial(scans, np.full(scans, 1 / scans), size=samples).astype(np.int32)


def drawn_map(matches: Matches, counts: np.ndarray, *, threshold: float) -> np.ndarray:
    """mAP f8 [B] where each scan counts as often as `counts` i4 [B, N] says, over the classes with a true box then.

    A scan that is there twice gives each of its predictions and true boxes twice.
    """
    by_class = []
    for label in np.flatnonzero(matches.truths.any(axis=0)):
        rows, right = matches.ranked(label, threshold=threshold)
        scans, truths = matches.scans[rows], counts @ matches.truths[:, label]
        tried = counts[:, scans].cumsum(axis=1, dtype=np.int32)[:, right]
        times = counts[:, scans[right]]
        precision = times.cumsum(axis=1) / np.maximum(tried, 1)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]  # precision is best where one is right
        area = (times * envelope).sum(axis=1) / np.maximum(truths, 1)
        by_class.append(np.where(truths > 0, area, np.nan))
    return np.nanmean(by_class, axis=0)


def paired_change(difference: float, drawn: np.ndarray, drawn_plain: np.ndarray, *, level: float = 0.95) -> Change:
    """The `difference` of two mAPs in 0..1 with percentiles of that of the same draws [B], in points."""
    low, high = np.quantile(drawn - drawn_plain, [(1 - level) / 2, (1 + level) / 2])
    difference, low, high = (round(100 * float(share), 2) for share in (difference, low, high))
    return Change(difference=difference, low=low, high=high)
