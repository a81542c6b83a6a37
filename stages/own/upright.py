"""Which axis of an object points up, guessed from how well its views agree when it is set upright.

N objects, V views, D width of a feature. The network knows upright things: seen rightly, the views around one object
give features that resemble each other, and seen lying they resemble nothing in particular. Views from the poles are
left out: they show another outline however the object stands.
"""

from typing import get_args

import numpy as np

from stages.own.results import Axis

AXES: tuple[Axis, ...] = get_args(Axis)
POLES = ("pole", "top", "bottom")  # how the names of such views begin


def around(view_names: tuple[str, ...]) -> list[int]:
    """Which of the views go around the object."""
    return [view for view, name in enumerate(view_names) if not name.startswith(POLES)]


def agreement(features: np.ndarray) -> np.ndarray:
    """Mean cosine f4 [N] between the views of every object, of `features` f4 [N, V, D] of unit norm.

    With s the sum over the V views, the mean over pairs of different ones is (s . s - V) / (V (V - 1)).
    """
    views = features.shape[1]
    total = features.sum(axis=1)
    return (np.einsum("nd,nd->n", total, total) - views) / (views * (views - 1))
