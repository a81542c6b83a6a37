"""Section `download` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.config.section import section


@section
class Download:
    """Raw files to `data/points`: `num_points` a cloud, taken by `sampling`; `max_samples` a split, evenly spread.

    `validation_fraction` of every class of train becomes `val` where a dataset has none of its own. A null keeps all.
    """

    num_points: Annotated[int, Field(ge=1)] | None
    sampling: Literal["first", "farthest", "random"]
    validation_fraction: Annotated[float, Field(ge=0, lt=1)]
    seed: Annotated[int, Field(ge=0)]
    max_samples: Annotated[int, Field(ge=1)] | None
