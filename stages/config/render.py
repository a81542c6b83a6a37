"""Section `render` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.config.section import PER_AXIS, Device, Name, NotNegative, PositiveShare, Voxels, section

Sigma = Annotated[float, Field(ge=0.001, le=1000)]  # narrower than any voxel to wider than any map


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

    kernel: Name | None
    window: PER_AXIS | None
    sigma: Sigma | tuple[Sigma, Sigma, Sigma] | None
    range_sigma: Sigma | None


@section
class Render:
    """How point clouds become depth maps; every null takes the value of `preset`.

    Names are those of the registries in stages/projection: `method` in methods.py, `preset` in presets.py, `view_set`
    in views.py, `smooth.kernel` in kernels.py. `device` is where stage render works.
    """

    method: Name | None
    preset: Name
    view_set: Name | None
    resolution: Annotated[int, Field(ge=3, le=1024)] | None
    depth: Annotated[int, Field(ge=3, le=1024)] | None
    xy_scale: PositiveShare | None
    depth_bias: NotNegative | None
    crop: tuple[Voxels, Voxels] | None
    lookup: Literal["as_released", "corrected"] | None
    densify: Densify
    smooth: Smooth
    polarity: Literal["white_background", "black_background"]
    dtype: Literal["u1", "f2"]
    device: Device
