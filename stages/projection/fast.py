"""The compiled projection on the CPU: every cloud in every view, divided among threads.

Three methods of projection share these loops: VOXEL_GRID (PointCLIP V2), SPARSE (PointCLIP) and CONTOUR (after
OpenDlign). `stages.projection.methods` gives them their names.
"""

import functools
import hashlib
import inspect
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from stages.core.compiling import announced
from stages.core.threads import available_cores, map_in_threads
from stages.projection import contour, maps, sparse, voxels
from stages.projection.kernels import kernel_weights, separate
from stages.projection.presets import Projection
from stages.projection.views import VIEW_SETS

VOXEL_GRID, SPARSE, CONTOUR = range(3)
IDENTITY = np.ones((1, 1, 1), np.float32)  # the kernel that changes nothing


class CompiledProjection(NamedTuple):
    """A projection as the compiled loops take it: arrays and numbers of fixed type."""

    kind: int  # VOXEL_GRID, SPARSE or CONTOUR
    rotations: np.ndarray  # f4 [V, T, 3, 3]
    translation: np.ndarray  # f4 [3]
    resolution: int
    depth: int
    xy_scale: np.float32
    depth_bias: np.float32
    keep_last: bool
    kernels: tuple[np.ndarray, np.ndarray, np.ndarray]  # f4 [K_depth, K_row, K_column], applied one after the other
    contour_kernel: np.ndarray  # f4 [K_row, K_column]
    range_sigma: np.float32
    white_background: bool
    layout: voxels.Layout
    crop: tuple[int, int]  # rows and columns [start, stop); (0, 0) where the map is not cropped
    transposed: bool  # a point's map is read at (row, column) = (y, x), as released
    shift: int  # from a voxel's x or y to its row or column in the uncropped map
    lookup_depth: int
    visible_within: np.float32


class PointQuantities(NamedTuple):
    """Per point and view, concatenated over the clouds: length L = sum over clouds of V * P, views before points.

    The meaning is that of `stages.projection.rendering.Projected`, but pixels are those of the uncropped map.
    """

    cells: np.ndarray  # i2 [L, 3]
    depth_values: np.ndarray  # f4 [L]
    surface: np.ndarray  # f4 [L]
    pixels: np.ndarray  # i8 [L, 2]
    visible: np.ndarray  # bool [L]
    visible_transposed: np.ndarray  # bool [L], with the row and the column of `pixels` exchanged


@functools.cache
def compile_projection(projection: Projection, kind: int) -> CompiledProjection:
    """Arrays and numbers of a projection; a kernel that is an outer product is given as one kernel per axis."""
    view_set = VIEW_SETS[projection.view_set]
    weights = kernel_weights(projection.kernel, window=projection.smooth_window, sigma=projection.sigma)
    smoothed = kind == VOXEL_GRID
    return CompiledProjection(
        kind=kind,
        rotations=view_set.rotations(),
        translation=np.array(view_set.translation, np.float32),
        resolution=projection.resolution,
        depth=projection.depth,
        xy_scale=np.float32(projection.xy_scale),
        depth_bias=np.float32(projection.depth_bias),
        keep_last=projection.collision == "last",
        kernels=_factors(weights) if smoothed else (IDENTITY, IDENTITY, IDENTITY),
        contour_kernel=weights.sum(0),
        range_sigma=np.float32(projection.range_sigma),
        white_background=projection.polarity == "white_background",
        layout=voxels.layout(
            resolution=projection.resolution,
            depth=projection.depth,
            window=tuple(projection.densify_window),
            padding=tuple(projection.densify_padding),
            kernel=weights.shape if smoothed else IDENTITY.shape,
            xy_scale=projection.xy_scale,
        ),
        crop=tuple(projection.crop or (0, 0)),
        transposed=projection.lookup == "as_released",
        shift=0 if kind == SPARSE else projection.pixel_shift,
        lookup_depth=min(projection.lookup_depth, projection.depth - 1),
        visible_within=np.float32(projection.visible_within),
    )


def _factors(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    factors = separate(weights)
    if factors is None:
        return weights, IDENTITY, IDENTITY
    along_depth, along_row, along_column = factors
    return along_column.reshape(1, 1, -1), along_row.reshape(1, -1, 1), along_depth.reshape(-1, 1, 1)


def map_size(projection: Projection, *, kind: int) -> int:
    """Rows (and columns) of the uncropped depth map."""
    return projection.resolution if kind == SPARSE else projection.grid_size


@njit(nogil=True)
def rasterise(cells, depth_values, compiled, grid, scratch, depth_map):
    """Write the depth map f4 [R, R] of points with cells i4 [3, P] and depth values f4 [P]; returns its divisor."""
    if compiled.kind == SPARSE:
        sparse.splat(cells, depth_values, compiled.white_background, depth_map)
        return np.float32(1)
    voxels.densify(cells, depth_values, compiled.keep_last, compiled.layout, grid, scratch)
    if compiled.kind == CONTOUR:
        largest = voxels.squeeze(grid, compiled.layout, False, depth_map)
        window, kernel = compiled.layout.window, compiled.contour_kernel
        contour.contour_smooth(depth_map, window, kernel, compiled.range_sigma, compiled.white_background)
        return largest
    voxels.smooth(grid, compiled.kernels, compiled.layout, scratch)
    return voxels.squeeze(grid, compiled.layout, compiled.white_background, depth_map)


@njit(nogil=True)
def quantise(cloud, compiled, v, cells, depth_values):
    """Write cells i4 [3, P] and depth values f4 [P] of a cloud f4 [P, 3] in view v."""
    if compiled.kind == SPARSE:
        rotations = compiled.rotations[v]
        sparse.perspective(cloud, rotations, compiled.resolution, compiled.xy_scale, cells, depth_values)
    else:
        voxels.quantise(
            cloud,
            compiled.rotations[v],
            compiled.translation,
            compiled.resolution,
            compiled.depth,
            compiled.xy_scale,
            compiled.depth_bias,
            cells,
            depth_values,
        )


@njit(nogil=True)
def project_views(points, offsets, compiled, size, first, step, depth_maps, quantities):
    """Write depth maps f4 or u1 [N, V, R, R] of every `step`-th pair (cloud, view) from `first` on.

    Cloud n is points[offsets[n]:offsets[n + 1]]; `size` is R before the map is cropped and resized. `quantities` is
    filled in too, unless it is empty. One map at a time is made in memory that stays in the cache.
    """
    grid, scratch = voxels.empty_grid(compiled.layout, compiled.layout.slices), voxels.empty_grid(compiled.layout, 1)
    views, whole = compiled.rotations.shape[0], np.empty((size, size), np.float32)
    resized = np.empty(depth_maps.shape[2:], np.float32)
    for task in range(first, (offsets.size - 1) * views, step):
        n, v = task // views, task % views
        cloud = points[offsets[n] : offsets[n + 1]]
        cells, depth_values = np.empty((3, len(cloud)), np.int32), np.empty(len(cloud), np.float32)
        quantise(cloud, compiled, v, cells, depth_values)
        largest = rasterise(cells, depth_values, compiled, grid, scratch, whole)
        if quantities.depth_values.size > 0:
            start = offsets[n] * views + v * len(cloud)
            look_up(cells, depth_values, compiled, grid, largest, whole, quantities, start)
        if compiled.crop[1] > 0:
            low, high = compiled.crop
            maps.resize(whole[low:high, low:high], resized)
            maps.store(resized, depth_maps[n, v])
        else:
            maps.store(whole, depth_maps[n, v])


@njit(nogil=True)
def look_up(cells, depth_values, compiled, grid, largest, depth_map, quantities, start):
    """Write cell, depth value, surface, pixel and visibility of every point into `quantities` from index `start` on."""
    last = depth_map.shape[0] - 1
    for p in range(depth_values.size):
        q, depth_value = start + p, depth_values[p]
        x, y, z = cells[0, p], cells[1, p], min(max(cells[2, p], 1), compiled.lookup_depth)
        row, column = (y, x) if compiled.transposed else (x, y)
        row, column = min(max(row + compiled.shift, 0), last), min(max(column + compiled.shift, 0), last)
        surface, visible = surface_at(depth_value, z, row, column, compiled, grid, largest, depth_map)
        _, transposed = surface_at(depth_value, z, column, row, compiled, grid, largest, depth_map)
        quantities.cells[q, 0], quantities.cells[q, 1], quantities.cells[q, 2] = cells[:, p]
        quantities.depth_values[q] = depth_value
        quantities.surface[q] = surface
        quantities.pixels[q, 0], quantities.pixels[q, 1] = row, column
        quantities.visible[q], quantities.visible_transposed[q] = visible, transposed


@njit(nogil=True)
def surface_at(depth_value, z, row, column, compiled, grid, largest, depth_map):
    """Depth f4 0..1 at the voxel (z, row, column) of a point, and whether the map shows that depth there."""
    if compiled.kind != SPARSE:
        depth_value = voxels.value_at(grid, compiled.layout, z, row, column) / largest
    surface = np.float32(1) - depth_value
    shown = depth_map[row, column] if compiled.white_background else np.float32(1) - depth_map[row, column]
    return surface, abs(shown - surface) < compiled.visible_within


@functools.cache
def _cached_project_views() -> Callable[..., None]:
    """`project_views` as numba keeps it on disk, under a key that changes with the source of any compiled module.

    Numba by itself looks at this file only, and would go on with the old machine code after an edit of another module:
    the hash is a variable of the compiled function, and numba's key holds the values of such variables.
    """
    sources = "".join(map(inspect.getsource, (contour, maps, sparse, voxels)))
    digest = hashlib.sha256(sources.encode()).hexdigest()

    @njit(cache=True, nogil=True)
    def enter(points, offsets, compiled, size, first, step, depth_maps, quantities):
        if digest != "":
            project_views(points, offsets, compiled, size, first, step, depth_maps, quantities)

    return enter


def allocate(count: int) -> PointQuantities:
    """Uninitialised arrays for `count` pairs of a point and a view."""
    return PointQuantities(
        cells=np.empty((count, 3), np.int16),
        depth_values=np.empty(count, np.float32),
        surface=np.empty(count, np.float32),
        pixels=np.empty((count, 2), np.int64),
        visible=np.empty(count, np.bool_),
        visible_transposed=np.empty(count, np.bool_),
    )


def run(
    points: np.ndarray,
    offsets: np.ndarray,
    projection: Projection,
    *,
    threads: int | None,
    per_point: bool,
    kind: int,
    in_bytes: bool = False,
) -> tuple[np.ndarray, PointQuantities | None]:
    """Depth maps [N, V, R, R] of concatenated clouds, and every point in every view if `per_point`, else None.

    The maps are f4 in 0..1, or u1 in steps of 1/255 if `in_bytes`. points f4 [sum of P, 3]; offsets i8 [N + 1];
    `threads` is every core when None.
    """
    views, size = projection.views, map_size(projection, kind=kind)
    cropped = projection.resolution if projection.crop else size
    depth_maps = np.empty((len(offsets) - 1, views, cropped, cropped), np.uint8 if in_bytes else np.float32)
    quantities = allocate(len(points) * views if per_point else 0)
    compiled, work = compile_projection(projection, kind), _cached_project_views()
    step = max(1, min(threads or available_cores(), len(depth_maps) * views))
    with announced():
        map_in_threads(
            lambda first: work(points, offsets, compiled, size, first, step, depth_maps, quantities), count=step
        )
    return depth_maps, quantities if per_point else None
