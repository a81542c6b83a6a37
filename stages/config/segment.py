"""Section `segment` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.config.section import section


@section
class Segment:
    """How patch features become parts of points, and which sentences and view weights decide.

    `smooth_window` is the side in patches of the mean (null: the published 6 of 14, scaled); `refine` averages the
    logits over `refine_neighbours` points. `neutral` is the sentence that the searches start from; `protocols` maps a
    name to the prompt set that it averages; `candidates` are the prompt sets that are searched.
    """

    mode: Literal["correct", "as_released"]
    smooth_window: Annotated[int, Field(ge=1)] | None
    refine: bool
    refine_neighbours: Annotated[int, Field(ge=2)]
    neutral: str
    protocols: dict[str, str]
    candidates: tuple[str, ...]
    objective: Literal["iou", "accuracy"]
    sweeps: Annotated[int, Field(ge=1)]
    view_search: Literal["none", "coordinate"]
    keep_fraction: Annotated[float, Field(gt=0, le=1)]
    batch_size: Annotated[int, Field(ge=1)]
    device: Literal["auto", "cpu", "cuda", "mps"]
