"""k-shot draws: the support set that is learnt from and the validation set that decides when to stop.

N samples of the train split. Both sets come from it and share no sample; the test split is never looked at.
"""

from typing import Literal, NamedTuple

import numpy as np

from stages.core.errors import InputError
from stages.datasets.splits import stratified_cut

ShortClasses = Literal["error", "use_all"]


class Draw(NamedTuple):
    """Rows i8 of the train split, sorted: what is learnt from and what decides, at most `shots` of a class in each."""

    support: np.ndarray
    validation: np.ndarray


def draw(
    labels: np.ndarray,
    *,
    class_names: tuple[str, ...],
    shots: int,
    seed: int,
    validation_fraction: float,
    short_classes: ShortClasses,
) -> Draw:
    """`shots` samples of every class of labels [N], and as many to validate from the share that is cut off first.

    Draws of one seed are nested: those of 2 shots are among those of 4. A class with fewer samples than shots beside
    its validation share is an InputError that names it, or with `short_classes` use_all gives all that it has.
    """
    kept, cut = stratified_cut(labels, fraction=validation_fraction, seed=seed)
    counts = np.bincount(labels[kept], minlength=len(class_names))
    short = np.flatnonzero(counts < shots)
    if len(short) and short_classes == "error":
        name, there = class_names[short[0]], counts[short[0]]
        hint = "lower train.shots or set train.short_classes: use_all"
        raise InputError(
            f"params.yaml: train.shots {shots}: class '{name}' has {there} samples in the train split without its "
            f"validation share; {hint}"
        )
    if not len(cut):
        raise InputError(
            f"params.yaml: train.validation_fraction {validation_fraction}: no class has a sample to spare"
        )
    rng = np.random.default_rng(seed)
    return Draw(*(_first_of_each(rng.permutation(rows), labels, shots) for rows in (kept, cut)))


def _first_of_each(rows: np.ndarray, labels: np.ndarray, shots: int) -> np.ndarray:
    """The first `shots` of `rows` of every class, sorted."""
    classes = [rows[labels[rows] == label][:shots] for label in np.unique(labels)]
    return np.sort(np.concatenate(classes))
