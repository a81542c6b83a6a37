"""Depth maps and, for every point, its pixel and the views that see it: correctly, and as the released code does.

The released segmentation reads the map of a point with row and column exchanged. One projection gives both.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from stages.core.errors import InputError
from stages.projection import fast
from stages.projection.clouds import lay_out
from stages.projection.presets import Projection
from stages.projection.rendering import pixels_in_map


class VisibleViews(NamedTuple):
    """N clouds of P points in V views, with maps of R x R pixels."""

    depth: np.ndarray  # f4 [N, V, R, R] in 0..1
    pixels: np.ndarray  # i8 [N, V, P, 2] (row, column) of every point in `depth`
    visible: np.ndarray  # bool [N, V, P] whether the view shows the point at its pixel
    visible_released: np.ndarray  # bool [N, V, P] the same at (column, row), as the released code looks it up


def render_with_visibility(
    points: np.ndarray, projection: Projection, *, source: str = "points", first_sample: int = 0
) -> VisibleViews:
    """Depth maps of clouds [N, P, 3], y up, and the visibility of every point by both look-ups.

    `projection.lookup` is not read. InputError naming `source` where the clouds differ in their number of points, or
    one cannot be projected; samples are counted from `first_sample`.
    """
    counts = sorted({len(cloud) for cloud in points})
    if len(counts) > 1:
        raise InputError(f"{source}: clouds of {', '.join(map(str, counts))} points, expected as many in every cloud")
    flat, offsets = lay_out(points, source=source, first_sample=first_sample)
    corrected = dataclasses.replace(projection, lookup="corrected")
    depth, quantised = fast.run(flat, offsets, corrected, threads=None, per_point=True)
    pixels, inside = pixels_in_map(quantised.pixels, projection)
    by_view = (len(depth), projection.views, -1)
    return VisibleViews(
        depth=depth,
        pixels=pixels.reshape(*by_view, 2),
        visible=(quantised.visible & inside).reshape(by_view),
        visible_released=(quantised.visible_transposed & inside).reshape(by_view),
    )
