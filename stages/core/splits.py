"""Cuts of labelled samples."""

import numpy as np


def stratified_cut(labels: np.ndarray, *, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows kept and rows cut, both sorted: of every class of `labels` [N], `fraction` is cut at random.

    The cut of a class is rounded to the nearest whole number of samples, and never takes all of them.
    """
    rng = np.random.default_rng(seed)
    cut = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(round(fraction * len(rows)), len(rows) - 1)
        cut[rng.permutation(rows)[:count]] = True
    return np.flatnonzero(~cut), np.flatnonzero(cut)
