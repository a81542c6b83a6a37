"""Which axis of an object points up, guessed from how well its views agree when it is set upright.

N objects, V views, D width of a feature. The network knows upright things: seen rightly, the views of one object give
features that resemble each other, and seen lying they resemble nothing in particular.
"""

from typing import get_args

import numpy as np

from stages.own.results import Axis

AXES: tuple[Axis, ...] = get_args(Axis)


def agreement(features: np.ndarray) -> np.ndarray:
    """Mean cosine f4 [N] between the views of every object, of `features` f4 [N, V, D] of unit norm.

    With s the sum over the V views, the mean over pairs of different ones is (s . s - V) / (V (V - 1)).
    """
    views = features.shape[1]
    total = features.sum(axis=1)
    return (np.einsum("nd,nd->n", total, total) - views) / (views * (views - 1))


def best_axes(scores: np.ndarray) -> list[tuple[Axis, dict[Axis, float]]]:
    """The axis of the highest of `scores` [3, N] for every object, with all three; a tie goes to the first of AXES."""
    return [(AXES[of_object.argmax()], dict(zip(AXES, map(float, of_object), strict=True))) for of_object in scores.T]
