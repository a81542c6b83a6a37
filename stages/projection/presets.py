"""Every constant of a projection, and presets: the published constants of each projection by name."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from stages.core.errors import InputError
from stages.projection.views import VIEW_SETS


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Every constant of a projection. Triples are per axis (depth, row, column), in voxels.

    In each view a cloud is centred and scaled to [-1, 1]. x and y are multiplied by `xy_scale` and divided into
    `resolution` cells; z becomes ((z + 1) / 2 + depth_bias) / (1 + depth_bias) * (depth - 2), clipped to 1..depth - 2.
    """

    method: str  # a name in `stages.projection.methods`
    view_set: str
    resolution: int
    depth: int
    xy_scale: float
    depth_bias: float
    collision: Literal["max", "last"]  # the point that a voxel keeps: of the largest depth value, or the last in order
    densify_window: tuple[int, int, int]
    densify_padding: tuple[int, int, int]
    kernel: str
    smooth_window: tuple[int, int, int]
    sigma: tuple[float, float, float]
    range_sigma: float  # contour and shading: standard deviation of the bilateral filter over depth values (0..1)
    light: tuple[float, float, float]  # shading: towards the light along rows, columns and towards the viewer
    polarity: Literal["white_background", "black_background"]
    lookup: Literal["as_released", "corrected"]  # as_released reads the map of a point at (row, column) = (y, x)
    lookup_depth: int  # largest depth cell at which a point's visibility is read
    visible_within: float  # a point is visible where its depth differs from the map's by less than this
    crop: tuple[int, int] | None  # rows and columns [start, stop) kept, then resized to `resolution`

    @property
    def views(self) -> int:
        """Number of views V."""
        return len(VIEW_SETS[self.view_set].names)

    @property
    def view_names(self) -> tuple[str, ...]:
        """Name of every view, in order."""
        return VIEW_SETS[self.view_set].names

    @property
    def grid_size(self) -> int:
        """Rows (and columns) of the pooled voxel grid: below `resolution` where the padding is under half a window."""
        return self.resolution - (self.densify_window[1] - 1 - 2 * self.densify_padding[1])

    @property
    def pixel_shift(self) -> int:
        """What to add to a voxel's x or y to get its row or column in the pooled grid."""
        return self.densify_padding[1] - self.densify_window[1] // 2


# Where hill shading on maps has its light: from the upper left, 45 degrees above the ground.
ABOVE_LEFT = (-0.5, -0.5, 0.5**0.5)

V2_CLASSIFICATION = Projection(
    method="v2",
    view_set="v2_classification",
    resolution=112,
    depth=8,
    xy_scale=0.8,
    depth_bias=0.2,
    collision="max",
    densify_window=(1, 7, 7),
    densify_padding=(0, 2, 2),
    kernel="gaussian",
    smooth_window=(1, 3, 3),
    sigma=(3.0, 3.0, 3.0),
    range_sigma=0.1,
    light=ABOVE_LEFT,
    polarity="white_background",
    lookup="corrected",
    lookup_depth=7,
    visible_within=0.1,
    crop=None,
)

# A preset is added by one more entry, most easily by `dataclasses.replace` of a published one.
PRESETS: dict[str, Projection] = {
    "v2_classification": V2_CLASSIFICATION,
    "v2_segmentation": Projection(
        method="v2",
        view_set="v2_segmentation",
        resolution=224,
        depth=112,
        xy_scale=0.7,
        depth_bias=0.3,
        collision="last",
        densify_window=(5, 11, 11),
        densify_padding=(2, 5, 5),
        kernel="gaussian",
        smooth_window=(5, 5, 5),
        sigma=(2.0, 1.0, 1.0),
        range_sigma=0.1,
        light=ABOVE_LEFT,
        polarity="white_background",
        lookup="as_released",
        lookup_depth=109,
        visible_within=0.1,
        crop=(20, 204),
    ),
    "v1": dataclasses.replace(V2_CLASSIFICATION, method="v1", view_set="v1", resolution=224),
}


def preset_named(name: str, *, key: str) -> Projection:
    """The preset `name`; InputError naming the `key` of params.yaml that says so where there is none."""
    if name not in PRESETS:
        raise InputError(f"params.yaml: {key} {name!r}: expected one of {', '.join(PRESETS)}")
    return PRESETS[name]
