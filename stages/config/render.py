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
    """Smoothing of the pooled grid: kernel, odd `window` and `sigma` in voxels per axis (depth, row, column).

    `range_sigma` is for the contour method alone: the standard deviation of its bilateral filter over depth values in
    0..1. Every null takes the preset's value.
    """

    kernel: str | None
    window: PER_AXIS | None
    sigma: float | tuple[float, float, float] | None
    range_sigma: float | None


@section
class Render:
    """How point clouds become depth maps; every null takes the value of `preset`.

    Names are those of the registries in stages/projection: `method` in methods.py, `preset` in presets.py, `view_set`
    in views.py, `smooth.kernel` in kernels.py.
    """

    method: str | None
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
