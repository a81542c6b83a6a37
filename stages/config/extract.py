"""Section `extract` of params.yaml."""

from typing import Literal

from stages.config.section import Count, Device, section


@section
class Extract:
    """Depth maps through the image tower: `batch_size` maps at a time on `device`.

    `maps` says where they come from: those that stage render stored, or points, rendered on the way and not stored.
    """

    maps: Literal["depth", "points"]
    batch_size: Count
    device: Device
