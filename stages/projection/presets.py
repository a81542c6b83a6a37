"""Presets: the published constants of each projection under one word, and their overrides from params.yaml."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from stages.config.render import Render
from stages.core.errors import InputError
from stages.projection.kernels import KERNELS
from stages.projection.views import VIEW_SETS

METHODS = ("v2", "v1", "contour")


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Every constant of a projection. Triples are per axis (depth, row, column), in voxels.

    A cloud is centred and scaled per view to [-1, 1]; x and y are multiplied by `xy_scale` and fall into one of
    `resolution` cells; z becomes ((z + 1) / 2 + depth_bias) / (1 + depth_bias) * (depth - 2), clipped to 1..depth - 2.
    """

    method: Literal["v2", "v1", "contour"]
    view_set: str
    resolution: int
    depth: int
    xy_scale: float
    depth_bias: float
    collision: Literal["max", "last"]  # which point of a voxel is kept: the largest depth value, or the last in order
    densify_window: tuple[int, int, int]
    densify_padding: tuple[int, int, int]
    kernel: str
    smooth_window: tuple[int, int, int]
    sigma: tuple[float, float, float]
    range_sigma: float  # contour only: how different a depth value (0..1) may be and still be averaged in
    polarity: Literal["white_background", "black_background"]
    lookup: Literal["as_released", "corrected"]  # as_released reads the map of a point at (row, column) = (y, x)
    lookup_depth: int  # largest depth cell at which a point's visibility is read
    visible_within: float  # a point is seen when its depth differs by less than this from the map's
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
    def pixel_shift(self) -> int:
        """What to add to a voxel's x or y to get its row or column in the uncropped map."""
        return 0 if self.method == "v1" else self.densify_padding[1] - self.densify_window[1] // 2

    @property
    def grid_size(self) -> int:
        """Rows (and columns) of the uncropped map: below `resolution` where the pool's padding is short."""
        shorter = 0 if self.method == "v1" else self.densify_window[1] - 1 - 2 * self.densify_padding[1]
        return self.resolution - shorter

    @property
    def map_size(self) -> int:
        """Rows (and columns) R of the depth maps that `render` returns."""
        return self.resolution if self.crop else self.grid_size


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
    polarity="white_background",
    lookup="corrected",
    lookup_depth=7,
    visible_within=0.1,
    crop=None,
)

# A preset is added by one more entry, most easily as the difference from a published one.
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
        polarity="white_background",
        lookup="as_released",
        lookup_depth=109,
        visible_within=0.1,
        crop=(20, 204),
    ),
    "v1": dataclasses.replace(V2_CLASSIFICATION, method="v1", view_set="v1", resolution=224),
}


def resolve(settings: Render) -> Projection:
    """The preset that `settings` names with every non-null override applied.

    A changed `densify.window` without a padding takes half the window, and a changed `depth` reads visibility up to the
    grid's last cell. Raises InputError naming the key of params.yaml and what it accepts.
    """
    preset = _choice("render.preset", settings.preset, PRESETS)
    densify, smooth = settings.densify, settings.smooth
    overrides = {
        "method": settings.method,
        "view_set": settings.view_set,
        "resolution": settings.resolution,
        "depth": settings.depth,
        "xy_scale": settings.xy_scale,
        "depth_bias": settings.depth_bias,
        "densify_window": densify.window,
        "densify_padding": densify.padding or (densify.window and tuple(width // 2 for width in densify.window)),
        "kernel": smooth.kernel,
        "smooth_window": smooth.window,
        "sigma": (smooth.sigma,) * 3 if isinstance(smooth.sigma, float | int) else smooth.sigma,
        "range_sigma": smooth.range_sigma,
        "lookup": settings.lookup,
        "lookup_depth": settings.depth and settings.depth - 1,
        "crop": settings.crop,
    }
    projection = dataclasses.replace(
        preset,
        polarity=settings.polarity,
        **{name: value for name, value in overrides.items() if value is not None},
    )
    check(projection)
    return projection


def preset_named(name: str, *, key: str) -> Projection:
    """The preset `name`; InputError naming the `key` of params.yaml that says so where there is none."""
    return _choice(key, name, PRESETS)


def check(projection: Projection) -> None:
    """Stop with an InputError that names the params.yaml key of the first value out of its range."""
    _choice("render.view_set", projection.view_set, VIEW_SETS)
    _choice("render.smooth.kernel", projection.kernel, KERNELS)
    _choice("render.method", projection.method, METHODS)
    smallest = max(3, projection.densify_window[1])
    for key, value, fits, expected in (
        ("resolution", projection.resolution, smallest <= projection.resolution <= 1024, f"{smallest} to 1024"),
        ("depth", projection.depth, 3 <= projection.depth <= 1024, "3 to 1024"),
        ("xy_scale", projection.xy_scale, 0 < projection.xy_scale <= 1, "above 0, at most 1"),
        ("depth_bias", projection.depth_bias, projection.depth_bias >= 0, "0 or more"),
        ("densify.window", projection.densify_window, _odd(projection.densify_window), "three odd numbers"),
        ("densify.padding", projection.densify_padding, _fits(projection), "0 to half the window; depth exactly half"),
        ("smooth.window", projection.smooth_window, _odd(projection.smooth_window), "three odd numbers"),
        ("smooth.sigma", projection.sigma, min(projection.sigma) > 0, "above 0"),
        ("smooth.range_sigma", projection.range_sigma, projection.range_sigma > 0, "above 0"),
        ("crop", projection.crop, _crop_fits(projection), "[first, last + 1] inside the map"),
    ):
        if not fits:
            raise InputError(f"params.yaml: render.{key} {value!r}: expected {expected}")


def _choice(key: str, name: str, known):
    if name not in known:
        raise InputError(f"params.yaml: {key} {name!r}: expected one of {', '.join(known)}")
    return known[name] if isinstance(known, dict) else name


def _odd(window: tuple[int, int, int]) -> bool:
    return all(width > 0 and width % 2 == 1 for width in window)


def _fits(projection: Projection) -> bool:
    """Rows and columns may be padded less than half the window and alike; the depth axis keeps its length."""
    (depth_pad, row_pad, column_pad), (depth, row, column) = projection.densify_padding, projection.densify_window
    return depth_pad == depth // 2 and row_pad - row // 2 == column_pad - column // 2 and 0 <= row_pad <= row // 2


def _crop_fits(projection: Projection) -> bool:
    return projection.crop is None or 0 <= projection.crop[0] < projection.crop[1] - 1 < projection.grid_size
