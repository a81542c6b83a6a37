"""Section `search` of params.yaml."""

from typing import Literal

from stages.config.section import section


@section
class Search:
    """Which sentences may stand for a class, and how they and the view weights are chosen."""

    candidates: tuple[str, ...]
    start: str
    objective: Literal["accuracy", "mean_class_accuracy", "negative_log_likelihood"]
    sweeps: int
    view_search: Literal["none", "grid", "coordinate"]
    rounds: int
    folds: int
    seed: int
    keep: float
