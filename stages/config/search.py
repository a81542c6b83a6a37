"""Section `search` of params.yaml."""

from typing import Literal

from stages.config.section import section


@section
class Search:
    """Which sentences may stand for a class, how they and the view weights are chosen, and whether it is timed."""

    candidates: tuple[str, ...]
    start: str
    objective: Literal["accuracy", "mean_class_accuracy", "negative_log_likelihood"]
    sweeps: int
    view_search: Literal["none", "grid", "coordinate"]
    rounds: int
    folds: int
    seed: int
    keep_fraction: float
    timed: bool
