"""Projection methods by name: how points become depth maps.

A method is added by one more entry of METHODS. Its function gets the points and every constant of the projection:

    def run(points, offsets, projection, *, threads, per_point): ...

points f4 [sum of P, 3] are the N clouds one after the other, y up, and cloud n is points[offsets[n]:offsets[n + 1]]; at
most `threads` threads may be used, or every core when None. It returns the depth maps f4 [N, V, R, R] in 0..1 with
the polarity and the crop of `projection`, and a `PointQuantities` where `per_point` is True, else None. A method that
gives depth maps only says `per_point=False` in its entry; `run` is then never called with `per_point` True. `in_torch`
says that `stages.projection.differentiable` has the method too, for a device, and `in_bytes` that `run` takes
`in_bytes=True` and then gives maps u1 in steps of 1/255, as they are stored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from stages.core.errors import InputError
from stages.projection import fast
from stages.projection.fast import PointQuantities
from stages.projection.presets import Projection


def _resolution(projection: Projection) -> int:
    return projection.resolution


@dataclass(frozen=True, kw_only=True)
class ProjectionMethod:
    """How clouds become depth maps; see the module for the arguments and the result of `run`.

    `uncropped_size` gives rows (and columns) of the map before it is cropped. `per_point` says whether `run` also gives
    the pixel and the visibility of every point, `in_torch` whether `stages.projection.differentiable` has the method,
    `in_bytes` whether `run` also gives maps u1.
    """

    run: Callable[..., tuple[np.ndarray, PointQuantities | None]]
    uncropped_size: Callable[[Projection], int] = _resolution
    per_point: bool = True
    in_torch: bool = False
    in_bytes: bool = False


def _compiled(kind: int, *, in_torch: bool = False) -> ProjectionMethod:
    size = partial(fast.map_size, kind=kind)
    return ProjectionMethod(run=partial(fast.run, kind=kind), uncropped_size=size, in_torch=in_torch, in_bytes=True)


METHODS: dict[str, ProjectionMethod] = {
    "v2": _compiled(fast.VOXEL_GRID, in_torch=True),
    "v1": _compiled(fast.SPARSE),
    "contour": _compiled(fast.CONTOUR),
}


def method_named(name: str) -> ProjectionMethod:
    """The method of that name; InputError lists the known names."""
    if name not in METHODS:
        raise InputError(f"params.yaml: render.method {name!r}: expected one of {', '.join(METHODS)}")
    return METHODS[name]


def method_with_points(name: str) -> ProjectionMethod:
    """The method of that name, which also gives pixels and visibility; InputError where it gives depth maps only."""
    method = method_named(name)
    if not method.per_point:
        able = ", ".join(known for known in METHODS if METHODS[known].per_point)
        raise InputError(f"params.yaml: render.method {name!r} gives no pixels of points: expected one of {able}")
    return method


def map_size(projection: Projection) -> int:
    """Rows (and columns) R of the depth maps of a projection."""
    return projection.resolution if projection.crop else method_named(projection.method).uncropped_size(projection)
