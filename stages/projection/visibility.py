"""Depth maps and, for every point, its pixel and the views in which it is visible, by two ways of look-up.

The released segmentation code reads the map of a point with row and column exchanged. One projection gives the correct
visibility and that of the released code.
"""

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stages.core.errors import InputError
from stages.projection.clouds import concatenate_clouds
from stages.projection.methods import method_with_points
from stages.projection.presets import Projection
from stages.projection.rendering import pixels_in_map

if TYPE_CHECKING:
    import torch


class VisibleViews(NamedTuple):
    """N clouds of P points in V views, with maps of R x R pixels."""

    depth: "np.ndarray | torch.Tensor"  # f4 [N, V, R, R] in 0..1; a tensor on the device where one rendered
    pixels: np.ndarray  # i8 [N, V, P, 2] (row, column) of every point in `depth`
    visible: np.ndarray  # bool [N, V, P] whether the map shows the point's own depth at its pixel
    visible_released: np.ndarray  # bool [N, V, P] the same read at (column, row), as the released code does


def render_with_visibility(
    points: np.ndarray,
    projection: Projection,
    *,
    device: "torch.device | None" = None,
    source: str = "points",
    first_sample: int = 0,
) -> VisibleViews:
    """Depth maps of clouds [N, P, 3], y up, and the visibility of every point by both ways of look-up.

    `projection.lookup` is not read. With a `device` torch renders there, else the compiled loops do. InputError naming
    `source` where the clouds differ in their number of points or one cannot be projected, with samples counted from
    `first_sample`, and for a method that gives depth maps only.
    """
    counts = sorted({len(cloud) for cloud in points})
    if len(counts) > 1:
        raise InputError(f"{source}: clouds of {', '.join(map(str, counts))} points, expected as many in every cloud")
    method = method_with_points(projection.method)
    corrected = dataclasses.replace(projection, lookup="corrected")
    if device is not None:
        return _on_device(points, corrected, device, source, first_sample)
    flat, offsets = concatenate_clouds(points, source=source, first_sample=first_sample)
    depth, quantities = method.run(flat, offsets, corrected, threads=None, per_point=True)
    pixels, inside = pixels_in_map(quantities.pixels, projection)
    by_view = (len(depth), projection.views, -1)
    return VisibleViews(
        depth=depth,
        pixels=pixels.reshape(*by_view, 2),
        visible=(quantities.visible & inside).reshape(by_view),
        visible_released=(quantities.visible_transposed & inside).reshape(by_view),
    )


def _on_device(
    points: np.ndarray, projection: Projection, device: "torch.device", source: str, first_sample: int
) -> VisibleViews:
    from stages.projection import differentiable  # here: the CPU path starts without torch

    clouds = differentiable.on_device(points, device, source=source, first_sample=first_sample)
    found = differentiable.project(clouds, projection, checked=True)
    per_point = (found.pixels, found.visible, found.visible_transposed)
    return VisibleViews(found.depth, *(values.cpu().numpy() for values in per_point))
