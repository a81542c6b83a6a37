"""Section `patches` of params.yaml."""

from typing import Annotated

from pydantic import Field

from stages.config.section import Count, Device, Name, section


@section
class Patches:
    """Labelled shapes through projection `preset` and the image tower, as maps of `resolution` pixels (null: its own).

    Of every category all evaluated shapes are taken, and `search_shapes` of each other split, evenly spread.
    """

    preset: Name
    resolution: Annotated[int, Field(ge=16, le=4096)] | None
    search_shapes: Count
    batch_size: Count
    device: Device
