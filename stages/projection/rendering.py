"""Point clouds -> depth maps: `resolve` the constants once, `orient` the clouds, then `render` or `project` them.

    projection = resolve(params.render)
    depth = render(orient(points, dataset.up_axis), projection)  # f4 [N, V, R, R] in 0..1

N clouds, P points, V views, R rows and columns. `stages.projection.differentiable` has functions of the same names for
torch tensors, on the tensor's device and differentiable in the smoothing weights. It is imported only where a device is
given, so that the CPU path starts without torch.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stages.projection import maps
from stages.projection.clouds import concatenate_clouds
from stages.projection.methods import method_named, method_with_points
from stages.projection.presets import Projection

if TYPE_CHECKING:
    import torch

Clouds = np.ndarray | Sequence[np.ndarray]


class Projected(NamedTuple):
    """Depth maps and every point in every view; per point a list of N arrays [V, P_n, ...] where clouds differ in P.

    A point outside the crop has its pixel moved to the border and is not visible.
    """

    depth: np.ndarray  # f4 [N, V, R, R], as `render` gives them
    cells: np.ndarray | list[np.ndarray]  # i2 [N, V, P, 3] voxel (x, y, z); x is the row axis, z in 0..depth-1
    depth_values: np.ndarray | list[np.ndarray]  # f4 [N, V, P] written to the voxel, in 1..depth-2, larger is nearer
    surface: np.ndarray | list[np.ndarray]  # f4 [N, V, P] depth 0..1 at the point's voxel after smoothing, 0 is nearest
    pixels: np.ndarray | list[np.ndarray]  # i8 [N, V, P, 2] (row, column) in `depth`
    visible: np.ndarray | list[np.ndarray]  # bool [N, V, P]: the map shows the point's own depth at its pixel


def render(
    points: Clouds,
    projection: Projection,
    *,
    device: "torch.device | None" = None,
    threads: int | None = None,
    in_bytes: bool = False,
    source: str = "points",
    first_sample: int = 0,
) -> np.ndarray:
    """Depth maps f4 [N, V, R, R] in 0..1 of clouds [N, P, 3 or more] or a sequence of [P, 3 or more].

    R is `methods.map_size(projection)`. Without a `device` the compiled loops run on `threads` threads, every core when
    None; with one it is torch. With white background the nearest surface is 0 and the background exactly 1; black is
    the opposite. With `in_bytes` the loops write u1 in steps of 1/255; a device, and a method that cannot, still give
    f4. Raises InputError for an unknown method, and naming `source` and the sample for a bad cloud, counted
    from `first_sample` where the clouds are part of a larger set.
    """
    if device is not None:
        return render_on(device, points, projection, source=source, first_sample=first_sample).cpu().numpy()
    method = method_named(projection.method)
    flat, offsets = concatenate_clouds(points, source=source, first_sample=first_sample)
    rounded = {"in_bytes": True} if in_bytes and method.in_bytes else {}
    return method.run(flat, offsets, projection, threads=threads, per_point=False, **rounded)[0]


def render_on(
    device: "torch.device", points: Clouds, projection: Projection, *, source: str = "points", first_sample: int = 0
) -> "torch.Tensor":
    """The same maps as a tensor that stays on `device`."""
    from stages.projection import differentiable  # here: the CPU path starts without torch

    clouds = differentiable.on_device(points, device, source=source, first_sample=first_sample)
    return differentiable.render(clouds, projection, checked=True)


def project(
    points: Clouds, projection: Projection, *, threads: int | None = None, source: str = "points", first_sample: int = 0
) -> Projected:
    """Depth maps as `render` gives them and, per point and view, voxel, depth value, pixel and visibility.

    A point is visible where its depth, read from the smoothed grid, differs by less than `projection.visible_within`
    from the map's (PointCLIP V2's part segmentation). `projection.lookup` says which pixel is a point's:
    "as_released" has row and column exchanged, as in the published code; "corrected" has them right. Raises InputError
    as `render` does, and for a method that gives depth maps only.
    """
    method = method_with_points(projection.method)
    flat, offsets = concatenate_clouds(points, source=source, first_sample=first_sample)
    depth, quantities = method.run(flat, offsets, projection, threads=threads, per_point=True)
    pixels, inside = pixels_in_map(quantities.pixels, projection)
    visible = quantities.visible & inside
    per_point = (quantities.cells, quantities.depth_values, quantities.surface, pixels, visible)
    return Projected(depth, *(_by_cloud(values, offsets, projection.views) for values in per_point))


def pixels_in_map(pixels: np.ndarray, projection: Projection) -> tuple[np.ndarray, np.ndarray | bool]:
    """Pixels [..., 2] of the uncropped map moved into the cropped one, clipped to it, and whether they lie inside."""
    if not projection.crop:
        return pixels, True
    size = projection.resolution
    pixels = maps.crop_pixels(pixels, crop=projection.crop, size=size)
    return pixels.clip(0, size - 1), maps.inside(pixels, size)


def _by_cloud(values: np.ndarray, offsets: np.ndarray, views: int) -> np.ndarray | list[np.ndarray]:
    """Cut values [sum of V * P, ...] into [N, V, P, ...], or a list of [V, P_n, ...] where P differs."""
    counts = np.diff(offsets)
    if (counts == counts[:1]).all():
        return values.reshape(len(counts), views, *counts[:1], *values.shape[1:])
    pieces = np.split(values, offsets[1:-1] * views)
    return [piece.reshape(views, -1, *piece.shape[1:]) for piece in pieces]
