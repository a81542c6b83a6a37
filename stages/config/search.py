"""Section `search` of params.yaml."""

from typing import Literal

from stages.config.section import section

Objective = Literal["accuracy", "mean_class_accuracy", "negative_log_likelihood"]
ViewSearch = Literal["none", "grid", "coordinate"]


@section
class Search:
    """Which sentences may stand for a class, how they and the view weights are chosen, and whether it is timed."""

    candidates: tuple[str, ...]
    start: str
    objective: Objective
    sweeps: int
    view_search: ViewSearch
    rounds: int
    folds: int
    seed: int
    keep_fraction: float
    timed: bool
