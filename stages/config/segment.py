"""Section `segment` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.config.regions import RegionCues
from stages.config.section import Count, Device, Name, PositiveShare, Seed, SetName, Some, Unique, section

RegionCount = Annotated[int, Field(ge=1, le=100_000)]


@section
class Regions:
    """Regions of a shape whose points take the mean of their scores; `counts` are other numbers that are compared."""

    refine: bool
    count: RegionCount
    counts: Annotated[tuple[RegionCount, ...], Unique]
    cues: RegionCues


@section
class Segment:
    """How patch features become parts of points, and which sentences and view weights decide.

    `smooth_window` is the side in patches of the mean (null: the published 6 of 14, scaled); `refine` averages the
    logits over `refine_neighbours` points, `regions.refine` over regions. `neutral` is the sentence that the searches
    start from; `protocols` maps a name to the prompt set that it averages; `candidates` are the prompt sets that are
    searched. `published_search` adds the released code's search to its evaluation.
    """

    mode: Literal["correct", "as_released"]
    smooth_window: Annotated[int, Field(ge=1, le=1024)] | None
    refine: bool
    refine_neighbours: Annotated[int, Field(ge=2, le=10_000)]
    regions: Regions
    neutral: Name
    protocols: Annotated[dict[Name, SetName], Some]
    candidates: Annotated[tuple[SetName, ...], Some, Unique]
    objective: Literal["iou", "accuracy"]
    sweeps: Annotated[int, Field(ge=1, le=1000)]
    view_search: Literal["none", "coordinate"]
    published_search: bool
    keep_fraction: PositiveShare
    bootstrap_samples: Count
    bootstrap_seed: Seed
    batch_size: Count
    device: Device
