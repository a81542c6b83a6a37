"""Paired bootstrap over scans: how sure it is that one way of detecting has the larger mean average precision.

B draws, N scans, C classes, E predictions of a class.
"""

import numpy as np

from stages.artifacts.figures import Change
from stages.detection.average_precision import Matches


def paired_change(
    found: Matches, plain: Matches, *, threshold: float, samples: int, seed: int, level: float = 0.95
) -> Change:
    """Points of mAP at the overlap `threshold` that `found` has over `plain`, both of the same scans, with an interval.

    Percentiles over `samples` draws of N scans with replacement (Efron 1979), the same draws for both.
    """
    scans = len(plain.truths)
    drawn = np.random.default_rng(seed).multinomial(scans, np.full(scans, 1 / scans), size=samples)
    once = np.ones((1, scans), np.int64)
    difference, *gained = (
        100 * (drawn_map(found, counts, threshold=threshold) - drawn_map(plain, counts, threshold=threshold))
        for counts in (once, drawn)
    )
    low, high = np.quantile(gained[0], [(1 - level) / 2, (1 + level) / 2])
    return Change(difference=round(float(difference[0]), 2), low=round(float(low), 2), high=round(float(high), 2))


def drawn_map(matches: Matches, counts: np.ndarray, *, threshold: float) -> np.ndarray:
    """mAP f8 [B] where each scan counts as often as `counts` i8 [B, N] says, over the classes with a true box then.

    A scan that is there twice gives each of its predictions and true boxes twice.
    """
    by_class = []
    for label in np.flatnonzero(matches.truths.any(axis=0)):
        rows, right = matches.ranked(label, threshold=threshold)
        times = counts[:, matches.scans[rows]]
        found, truths = (times * right).cumsum(axis=1), counts @ matches.truths[:, label]
        precision = found / np.maximum(times.cumsum(axis=1), 1)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        area = (times * right * envelope).sum(axis=1) / np.maximum(truths, 1)
        by_class.append(np.where(truths > 0, area, np.nan))
    return np.nanmean(by_class, axis=0)
