"""Section `extract` of params.yaml."""

from stages.config.section import Count, Device, section


@section
class Extract:
    """Depth maps through the image tower: `batch_size` maps at a time on `device`."""

    batch_size: Count
    device: Device
    autocast: bool
    compile: bool
