"""What a prompt search works on and how it goes about it, both checked when they are made."""

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import get_args

import numpy as np

from stages.config.search import Objective
from stages.core.errors import InputError
from stages.prompt_search.candidates import (
    Candidates,
    check_labels,
    check_view_weights,
    unit_text,
    weighted_features,
)

MEMORY = 512 * 2**20  # bytes of scores kept for the next sweep: all of ModelNet40's 2468 x 48000


@dataclass(frozen=True)
class SearchSettings:
    """How the sentences are searched.

    The search goes `sweeps` times through all classes and their candidates and follows `objective`. At most `memory`
    bytes of scores are kept between sweeps; beyond it they are computed again. InputError on an unknown objective.
    """

    objective: Objective = "accuracy"
    sweeps: int = 2
    memory: int = MEMORY

    def __post_init__(self) -> None:
        if self.objective not in get_args(Objective):
            raise InputError(f"objective: '{self.objective}', expected one of {', '.join(get_args(Objective))}")


@dataclass(frozen=True)
class SearchTask:
    """Labelled features, and the sentences that may stand for each class.

    features f4 [N, V, D]; labels i8 [N]; candidates of C classes; initial f4 [C, D]: text features that the search
    starts from, of any norm as given and of unit norm afterwards; view weights f4 [V]; `logit_scale` matters for the
    negative log likelihood alone. InputError on an empty split, a class without candidates, class lists that differ,
    features that are not finite.
    """

    features: np.ndarray
    labels: np.ndarray
    _: KW_ONLY
    candidates: Candidates
    initial: np.ndarray
    view_weights: np.ndarray
    logit_scale: float = 100.0

    def __post_init__(self) -> None:
        self.candidates.require_all()
        width = self.weighted.shape[1]
        text = unit_text(self.initial, source="initial text features")
        if len(text) != self.candidates.classes:
            raise InputError(
                f"initial text features: {len(text)} classes, expected the {self.candidates.classes} of the candidates"
            )
        if len(text) < 2:
            raise InputError(f"initial text features: {len(text)} class, expected at least 2")
        widths = {width, text.shape[1], self.candidates.features.shape[1]}
        if len(widths) > 1:
            raise InputError(f"features, initial text and candidates: widths {sorted(widths)}, expected one")
        checked = {
            "labels": check_labels(self.labels, samples=len(self.features), classes=len(text)),
            "initial": text,
            "view_weights": check_view_weights(self.view_weights, views=self.features.shape[1]),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # the way to set a field of a frozen dataclass

    @cached_property
    def weighted(self) -> np.ndarray:
        """One feature f4 [N, D] a sample: the view-weighted sum."""
        return weighted_features(self.features, view_weights=self.view_weights)

    @property
    def all_samples(self) -> np.ndarray:
        """All samples as members of a search, bool [N]."""
        return np.ones(len(self.labels), bool)
