"""Section `embed` of params.yaml."""

from typing import Literal

from stages.config.section import section


@section
class Embed:
    """Prompts through the text tower: which files of prompts/templates are filled in for every class.

    The set `waffle` needs no file: `waffle_count` sentences of random words a class, drawn by `waffle_seed`.
    """

    sets: tuple[str, ...]
    waffle_count: int
    waffle_seed: int
    batch_size: int
    device: Literal["auto", "cpu", "cuda", "mps"]
    autocast: bool
    compile: bool
