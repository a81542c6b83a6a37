"""Back-projection: the values of a shape's patches in all views, given to the points that the views see.

V views, G x G patches of a view, P points, C channels (logits of parts, or the width of a feature), R pixels a side of
the map that points are looked up in. Everything here is linear in the patches' values, so it applies to features and
to logits alike (PointCLIP V2, section 3.3).
"""

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from stages.core.errors import InputError


def released_layout(features: np.ndarray) -> np.ndarray:
    """Features [..., G * G, D] as the published code reads them: stored channel by channel, read patch by patch.

    It reshapes [D, G, G] to [G * G, D] without moving the channel axis, which mixes patches with channels.
    """
    return np.ascontiguousarray(np.swapaxes(features, -1, -2)).reshape(features.shape)


def smooth_patches(values: np.ndarray, *, window: int) -> np.ndarray:
    """Mean f4 [V, G, G, C] over `window` x `window` patches of `values` f4 [V, G * G, C]; edges are repeated.

    An even window reaches one patch further down and right than up and left, as published (6 of 14 x 14).
    """
    grid = grid_side(values.shape[1])
    squares = values.reshape(len(values), grid, grid, -1).astype(np.float32, copy=False)
    steps = np.arange(window) - (window - 1) // 2
    around = (np.arange(grid)[:, None] + steps).clip(0, grid - 1)  # [G, window]
    mean = np.zeros((grid, grid), np.float32)
    np.add.at(mean, (np.arange(grid)[:, None], around), np.float32(1 / window))
    rows = np.einsum("gi,viwc->vgwc", mean, squares, optimize=True)
    return np.ascontiguousarray(np.einsum("hj,vgjc->vghc", mean, rows, optimize=True))


def back_project(
    smoothed: np.ndarray, *, pixels: np.ndarray, visible: np.ndarray, view_weights: np.ndarray, map_size: int
) -> np.ndarray:
    """Values f4 [P, C] of the points: the sum over the views that see a point of view weight times the map's value.

    The map is `smoothed` [V, G, G, C] at `map_size` pixels by bilinear interpolation (corners not aligned), read at
    `pixels` [V, P, 2] (row, column); only what is read is interpolated. `visible` bool [V, P], `view_weights` [V].
    InputError where these do not fit together, or a pixel lies outside the map.
    """
    weights = np.asarray(view_weights, np.float32)
    shapes = [array.shape for array in (pixels, visible, weights)]
    if shapes != [(len(smoothed), *visible.shape[1:], 2), (len(smoothed), *visible.shape[1:]), (len(smoothed),)]:
        raise InputError(f"patches: {len(smoothed)} views, pixels, visibility and view weights of shapes {shapes}")
    if pixels.size and not 0 <= pixels.min() <= pixels.max() < map_size:
        raise InputError(f"patches: pixels {pixels.min()} to {pixels.max()}, expected 0 to {map_size - 1}")
    return _gather(np.ascontiguousarray(smoothed), pixels, visible, weights, *_bilinear(smoothed.shape[1], map_size))


def back_project_views(smoothed: np.ndarray, *, pixels: np.ndarray, visible: np.ndarray, map_size: int) -> np.ndarray:
    """As `back_project`, each view by itself: f4 [V, P, C], 0 where a view does not see the point."""
    by_view = []
    for v in range(len(smoothed)):
        view = slice(v, v + 1)
        where = {"pixels": pixels[view], "visible": visible[view], "map_size": map_size}
        by_view.append(back_project(smoothed[view], view_weights=np.ones(1), **where))
    return np.stack(by_view)


def nearest_seen(points: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Per point i8 [P] the nearest of `points` [P, 3] that a view sees by `visible` [V, P]: itself where one sees it.

    Where no point is seen at all, every point is its own nearest.
    """
    seen, source = visible.any(axis=0), np.arange(len(points))
    if seen.any() and not seen.all():
        source[~seen] = np.flatnonzero(seen)[cKDTree(points[seen]).query(points[~seen])[1]]
    return source


def neighbours(points: np.ndarray, *, count: int) -> np.ndarray:
    """The `count` nearest of `points` [P, 3] to each, itself first where no two coincide: i8 [P, count]."""
    if not 1 <= count <= len(points):
        raise InputError(f"params.yaml: segment.refine_neighbours {count}: expected 1 to {len(points)} points")
    return cKDTree(points).query(points, k=count)[1].reshape(len(points), count)


def grid_side(patches: int) -> int:
    """G of G * G patches; InputError when they fill no square grid."""
    side = round(patches**0.5)
    if side * side != patches:
        raise InputError(f"patch features: {patches} patches a view, expected a square number (a grid of G x G)")
    return side


def _bilinear(grid: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per pixel of a row of `size`: the patches on its two sides i8 [R] and the share f4 [R] of the second."""
    at = np.maximum((np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(grid / size) - 0.5, 0)
    first = at.astype(np.int64)
    return first, np.minimum(first + 1, grid - 1), (at - first).astype(np.float32)


@njit(cache=True, nogil=True)
def _gather(maps, pixels, visible, weights, first, second, share):
    views, points = visible.shape
    values = np.zeros((points, maps.shape[3]), np.float32)
    one = np.float32(1)
    for v in range(views):
        for p in range(points):
            if not visible[v, p]:
                continue
            r, c = pixels[v, p, 0], pixels[v, p, 1]
            down, right = share[r], share[c]
            top, bottom = weights[v] * (one - down), weights[v] * down
            upper_left, upper_right = maps[v, first[r], first[c]], maps[v, first[r], second[c]]
            lower_left, lower_right = maps[v, second[r], first[c]], maps[v, second[r], second[c]]
            a, b, d, e = top * (one - right), top * right, bottom * (one - right), bottom * right
            row = values[p]
            for k in range(row.size):
                row[k] += a * upper_left[k] + b * upper_right[k] + d * lower_left[k] + e * lower_right[k]
    return values
