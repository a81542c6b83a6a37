"""Section `render` of params.yaml."""

from typing import Literal

from stages.config.section import PER_AXIS, section


@section
class Densify:
    """Max pool of the voxel grid: odd `window` and `padding` per axis (depth, row, column); null takes the preset's."""

    window: PER_AXIS | None
    padding: PER_AXIS | None


@section
class Smooth:
    """Kernel over the densified grid: name, odd `window` and `sigma` per axis (depth, row, column); null as above.

    `range_sigma` is for the contour method: how different a depth value (0..1) may be and still be averaged in.
    """

    kernel: str | None
    window: PER_AXIS | None
    sigma: float | tuple[float, float, float] | None
    range_sigma: float | None


@section
class Render:
    """How point clouds become depth maps; every null takes the value of `preset`."""

    method: Literal["v2", "v1", "contour"] | None
    preset: str
    view_set: str | None
    resolution: int | None
    depth: int | None
    xy_scale: float | None
    depth_bias: float | None
    crop: tuple[int, int] | None
    lookup: Literal["as_released", "corrected"] | None
    densify: Densify
    smooth: Smooth
    polarity: Literal["white_background", "black_background"]
    dtype: Literal["u1", "f2"]
