"""Section `render` of params.yaml."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from stages.config.section import PER_AXIS, Device, Name, NotNegative, PositiveShare, Seed, Voxels, section

Sigma = Annotated[float, Field(ge=0.001, le=1000)]  # narrower than any voxel to wider than any map
Component = Annotated[float, Field(ge=-1e6, le=1e6)]


def _some_direction(vector: tuple[float, float, float]) -> tuple[float, float, float]:
    if not any(vector):
        raise PydanticCustomError("no_direction", "expected a direction, not all 0")
    return vector


Direction = Annotated[tuple[Component, Component, Component], AfterValidator(_some_direction)]


@section
class Densify:
    """Max pool of the voxel grid: odd `window` and `padding` per axis (depth, row, column); null takes the preset's."""

    window: PER_AXIS | None
    padding: PER_AXIS | None


@section
class Smooth:
    """Smoothing of the pooled grid: kernel, odd `window` and `sigma` in voxels per axis (depth, row, column).

    `range_sigma` is for the contour and the shaded methods: the standard deviation of their bilateral filter over depth
    values in 0..1. Every null takes the preset's value.
    """

    kernel: Name | None
    window: PER_AXIS | None
    sigma: Sigma | tuple[Sigma, Sigma, Sigma] | None
    range_sigma: Sigma | None


@section
class Render:
    """How point clouds become depth maps; every null takes the value of `preset`.

    Names are those of the registries in stages/projection: `method` in methods.py, `preset` in presets.py, `view_set`
    in views.py, `smooth.kernel` in kernels.py. `light` is for the shaded methods: its direction along rows, columns and
    towards the viewer. `rotate_test` turns every object of the test split at random, by the seed: about the up axis or
    by any rotation. `device` is where stage render works.
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
    light: Direction | None
    rotate_test: Literal["none", "up", "any"]
    rotate_seed: Seed
    polarity: Literal["white_background", "black_background"]
    dtype: Literal["u1", "f2"]
    device: Device
