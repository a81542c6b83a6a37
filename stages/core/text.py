"""Sentences about classes: averaged into one text feature each, and what is said of words that are not known."""

import sys
from collections.abc import Iterable, Sequence

import numpy as np

from stages.core.errors import InputError


def ensemble(features: np.ndarray, groups: Iterable[Sequence[int]]) -> np.ndarray:
    """Text features f4 [C, D] of unit norm: the mean of each group's rows of `features` [T, D], normalised again.

    `features` have unit norm and a group holds the row numbers of one class (CLIP, section 3.1.4). InputError when the
    rows of a group cancel out or are not finite, so that their mean has no direction.
    """
    means = np.stack([features[np.asarray(rows)].mean(axis=0) for rows in groups])
    norms = np.linalg.norm(means, axis=1, keepdims=True)
    bad = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
    if len(bad):
        raise InputError(f"text features: average {bad[0]} has norm {norms[bad[0], 0]}, expected finite and above 0")
    return means / norms


def warn_of_unknown_words(words: Sequence[str], *, backbone: str) -> None:
    """Say on stderr which `words` of class names `backbone` has never seen, if any."""
    if words:
        print(
            f"warning: backbone {backbone} does not know {', '.join(words)}: to it these words of the class names mean "
            "nothing, and classes that differ by them alone are the same",
            file=sys.stderr,
        )
