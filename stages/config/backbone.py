"""Section `backbone` of params.yaml."""

from typing import Literal

from stages.config.section import Name, section


@section
class Backbone:
    """An open_clip model: `architecture` is its name there (or a config file), `pretrained` a tag or a local file."""

    architecture: Name
    pretrained: Name
    normalise: Literal["none", "clip"]
    precision: Literal["fp32", "bf16"] = "fp32"
