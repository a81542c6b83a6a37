"""Section `extract` of params.yaml."""

from typing import Literal

from stages.config.section import section


@section
class Extract:
    """Depth maps through the image tower: `batch_size` maps at a time on `device`."""

    batch_size: int
    device: Literal["auto", "cpu", "cuda", "mps"]
    autocast: bool
    compile: bool
