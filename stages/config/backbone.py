"""Section `backbone` of params.yaml."""

from typing import Literal

from stages.config.section import Name, section


@section
class Backbone:
    """An open_clip model: `architecture` is its name there (or a config file), `pretrained` a tag or a local file.

    `precision` is that of its towers: auto is bf16 on CUDA and fp32 elsewhere.
    """

    architecture: Name
    pretrained: Name
    normalise: Literal["none", "clip"]
    precision: Literal["auto", "fp32", "tf32", "bf16"] = "auto"
