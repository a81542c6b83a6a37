"""Section `embed` of params.yaml."""

from typing import Annotated

from stages.config.section import Count, Device, Seed, SetName, Some, Unique, section


@section
class Embed:
    """Prompts through the text tower: which files of prompts/templates are filled in for every class.

    The set `waffle` needs no file: `waffle_count` sentences of random words a class, drawn by `waffle_seed`.
    """

    sets: Annotated[tuple[SetName, ...], Some, Unique]
    waffle_count: Count
    waffle_seed: Seed
    batch_size: Count
    device: Device
