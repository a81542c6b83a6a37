"""Section `search` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.config.section import PositiveShare, Seed, SetName, Some, Unique, section

Objective = Literal["accuracy", "mean_class_accuracy", "negative_log_likelihood"]
ViewSearch = Literal["none", "grid", "coordinate"]
PublishedViewSearch = Literal["none", "grid"]


@section
class Search:
    """Which sentences may stand for a class, how they and the view weights are chosen, and whether it is timed.

    `train_objective` is for the searches by train labels, `objective` for those by the labels of the evaluated split.
    `published_view_search` is for the protocols that repeat PointCLIP V2's released code step by step.
    """

    candidates: Annotated[tuple[SetName, ...], Some, Unique]
    start: SetName
    objective: Objective
    train_objective: Objective
    sweeps: Annotated[int, Field(ge=1, le=1000)]
    view_search: ViewSearch
    rounds: Annotated[int, Field(ge=1, le=1000)]
    published_view_search: PublishedViewSearch
    folds: Annotated[int, Field(ge=2, le=1000)]
    seed: Seed
    keep_fraction: PositiveShare
    timed: bool
