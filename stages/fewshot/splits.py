"""k-shot splits: the support set that a method learns from and the validation set that decides when it stops.

N samples of the train split. Both sets come from it and share no sample; the test split is never read.
"""

from typing import Literal, NamedTuple

import numpy as np

from stages.core.errors import InputError
from stages.core.splits import stratified_cut


class FewShotSplit(NamedTuple):
    """Rows i8 of the train split, sorted, with at most `shots` samples of a class in each set."""

    support: np.ndarray
    validation: np.ndarray


def few_shot_split(
    labels: np.ndarray,
    *,
    class_names: tuple[str, ...],
    shots: int,
    seed: int,
    validation_fraction: float,
    short_classes: Literal["error", "use_all"],
) -> FewShotSplit:
    """Cut the validation share from labels [N], then draw `shots` samples of every class from each of the two parts.

    Splits of one seed are nested: the 4-shot support set contains the 2-shot one. A class with fewer samples than shots
    beside its validation share is an InputError that names it, or with `short_classes` use_all gives all its samples.
    """
    train_rows, validation_rows = stratified_cut(labels, fraction=validation_fraction, seed=seed)
    if short_classes == "error":
        place = "the train split without its validation share"
        _check_counts(labels[train_rows], class_names=class_names, shots=shots, place=place)
    if not len(validation_rows):
        raise InputError(
            f"params.yaml: train.validation_fraction {validation_fraction}: it leaves the validation set empty, "
            "expected at least one sample of some class"
        )
    rng = np.random.default_rng(seed)
    return FewShotSplit(
        *(_first_of_each_class(rng.permutation(rows), labels, shots) for rows in (train_rows, validation_rows))
    )


def published_support(
    labels: np.ndarray,
    *,
    class_names: tuple[str, ...],
    shots: int,
    seed: int,
    short_classes: Literal["error", "use_all"],
) -> np.ndarray:
    """Rows i8, sorted, of `shots` samples of every class of labels [N]: as published, none is kept for validation."""
    if short_classes == "error":
        _check_counts(labels, class_names=class_names, shots=shots, place="the train split")
    return _first_of_each_class(np.random.default_rng(seed).permutation(len(labels)), labels, shots)


def _check_counts(labels: np.ndarray, *, class_names: tuple[str, ...], shots: int, place: str) -> None:
    """InputError that names the first class with fewer than `shots` samples."""
    counts = np.bincount(labels, minlength=len(class_names))
    short = np.flatnonzero(counts < shots)
    if len(short):
        name, count = class_names[short[0]], counts[short[0]]
        raise InputError(
            f"params.yaml: train.shots {shots}: class '{name}' has {count} samples in {place}; "
            "lower train.shots or set train.short_classes: use_all"
        )


def _first_of_each_class(rows: np.ndarray, labels: np.ndarray, shots: int) -> np.ndarray:
    """The first `shots` of `rows` of every class, sorted."""
    classes = [rows[labels[rows] == label][:shots] for label in np.unique(labels)]
    return np.sort(np.concatenate(classes))
