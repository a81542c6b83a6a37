"""Section `patches` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.config.section import section


@section
class Patches:
    """Labelled shapes through projection `preset` and the image tower, as maps of `resolution` pixels (null: its own).

    Of every category all evaluated shapes are taken, and `search_shapes` of each other split, evenly spread.
    """

    preset: str
    resolution: int | None
    search_shapes: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    device: Literal["auto", "cpu", "cuda", "mps"]
