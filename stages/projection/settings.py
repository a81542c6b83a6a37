"""Section `render` of params.yaml -> the projection it describes, checked."""

import dataclasses

from stages.config.render import Render
from stages.core.errors import InputError
from stages.projection.kernels import KERNELS
from stages.projection.methods import method_named
from stages.projection.presets import Projection, preset_named
from stages.projection.views import VIEW_SETS


def resolve(settings: Render) -> Projection:
    """The preset that `settings` names with every non-null override applied.

    A changed `densify.window` without a padding takes half the window, and a changed `depth` reads visibility up to the
    grid's last cell. Raises InputError naming the key of params.yaml and what it accepts.
    """
    preset = preset_named(settings.preset, key="render.preset")
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
        "light": settings.light,
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


def check(projection: Projection) -> None:
    """Stop with an InputError that names the params.yaml key of the first value that does not fit the others.

    The bounds of each number by itself are those of section `render` (stages/config/render.py).
    """
    for key, name, known in (
        ("view_set", projection.view_set, VIEW_SETS),
        ("smooth.kernel", projection.kernel, KERNELS),
    ):
        if name not in known:
            raise InputError(f"params.yaml: render.{key} {name!r}: expected one of {', '.join(known)}")
    size = method_named(projection.method).uncropped_size(projection)
    smallest = max(3, projection.densify_window[1])
    for key, value, fits, expected in (
        ("resolution", projection.resolution, smallest <= projection.resolution <= 1024, f"{smallest} to 1024"),
        ("densify.window", projection.densify_window, _odd(projection.densify_window), "three odd numbers"),
        ("densify.padding", projection.densify_padding, _fits(projection), "0 to half the window; depth exactly half"),
        ("smooth.window", projection.smooth_window, _odd(projection.smooth_window), "three odd numbers"),
        ("crop", projection.crop, _crop_fits(projection.crop, size), "[first, last + 1] inside the map"),
    ):
        if not fits:
            raise InputError(f"params.yaml: render.{key} {value!r}: expected {expected}")


def _odd(window: tuple[int, int, int]) -> bool:
    return all(width > 0 and width % 2 == 1 for width in window)


def _fits(projection: Projection) -> bool:
    """Rows and columns may be padded less than half the window and alike; the depth axis keeps its length."""
    (depth_pad, row_pad, column_pad), (depth, row, column) = projection.densify_padding, projection.densify_window
    return depth_pad == depth // 2 and row_pad - row // 2 == column_pad - column // 2 and 0 <= row_pad <= row // 2


def _crop_fits(crop: tuple[int, int] | None, size: int) -> bool:
    return crop is None or 0 <= crop[0] < crop[1] - 1 < size
