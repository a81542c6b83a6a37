"""Cuts of a split, for choosing anything without the test split."""

import numpy as np

from stages.artifacts.types import Clouds


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


def with_validation(splits: dict[str, Clouds], *, fraction: float, seed: int) -> dict[str, Clouds]:
    """The splits with `val`, cut from train by `stratified_cut`; unchanged where there is one, or a fraction of 0."""
    if "val" in splits or not fraction:
        return splits
    kept, cut = stratified_cut(splits["train"].labels, fraction=fraction, seed=seed)
    return splits | {"train": splits["train"].rows(kept), "val": splits["train"].rows(cut)}
