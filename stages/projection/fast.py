"""The compiled path on the CPU: every cloud in every view, shared out over threads."""

import functools
import hashlib
import inspect
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numba import njit

from stages.core.errors import InputError
from stages.projection import contour, maps, sparse, voxels
from stages.projection.kernels import kernel_weights, separate
from stages.projection.presets import Projection
from stages.projection.views import VIEW_SETS

NOTHING = np.ones((1, 1, 1), np.float32)


class Plan(NamedTuple):
    """A projection as the compiled loops take it: arrays and numbers of fixed type."""

    sparse: bool
    contour: bool
    rotations: np.ndarray  # f4 [V, T, 3, 3]
    translation: np.ndarray  # f4 [3]
    resolution: int
    depth: int
    xy_scale: np.float32
    depth_bias: np.float32
    keep_last: bool
    kernels: tuple[np.ndarray, np.ndarray, np.ndarray]  # f4 [K_depth, K_row, K_column], one after the other
    contour_kernel: np.ndarray  # f4 [K_row, K_column]
    range_sigma: np.float32
    white_background: bool
    layout: voxels.Layout
    crop: tuple[int, int]  # (0, 0): none
    transposed: bool  # a point's map is read at (row, column) = (y, x), as released
    shift: int  # from a voxel's x or y to its row or column in the map
    lookup_depth: int
    visible_within: np.float32


class Quantised(NamedTuple):
    """Per point and view, laid end to end as [sum over clouds of V * P]; see `Projected` for the meaning."""

    cells: np.ndarray  # i2 [L, 3]
    stored: np.ndarray  # f4 [L]
    surface: np.ndarray  # f4 [L]
    pixels: np.ndarray  # i8 [L, 2]
    visible: np.ndarray  # bool [L]
    visible_transposed: np.ndarray  # bool [L], with the row and the column of `pixels` exchanged


@functools.cache
def plan(projection: Projection) -> Plan:
    """Arrays and numbers of a projection; a kernel that is a product is given as one kernel per axis."""
    view_set, weights = VIEW_SETS[projection.view_set], _weights(projection)
    smoothed = projection.method == "v2"
    kernels = _factors(weights) if smoothed else (NOTHING, NOTHING, NOTHING)
    return Plan(
        sparse=projection.method == "v1",
        contour=projection.method == "contour",
        rotations=view_set.rotations(),
        translation=np.array(view_set.translation, np.float32),
        resolution=projection.resolution,
        depth=projection.depth,
        xy_scale=np.float32(projection.xy_scale),
        depth_bias=np.float32(projection.depth_bias),
        keep_last=projection.collision == "last",
        kernels=kernels,
        contour_kernel=weights.sum(0),
        range_sigma=np.float32(projection.range_sigma),
        white_background=projection.polarity == "white_background",
        layout=voxels.layout(
            resolution=projection.resolution,
            depth=projection.depth,
            window=tuple(projection.densify_window),
            padding=tuple(projection.densify_padding),
            kernel=weights.shape if smoothed else NOTHING.shape,
            xy_scale=projection.xy_scale,
        ),
        crop=tuple(projection.crop or (0, 0)),
        transposed=projection.lookup == "as_released",
        shift=projection.pixel_shift,
        lookup_depth=min(projection.lookup_depth, projection.depth - 1),
        visible_within=np.float32(projection.visible_within),
    )


def _weights(projection: Projection) -> np.ndarray:
    return kernel_weights(projection.kernel, window=projection.smooth_window, sigma=projection.sigma)


def _factors(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    factors = separate(weights)
    if factors is None:
        return weights, NOTHING, NOTHING
    along_depth, along_row, along_column = factors
    return along_column.reshape(1, 1, -1), along_row.reshape(1, -1, 1), along_depth.reshape(-1, 1, 1)


@njit(nogil=True)
def draw(cells, stored, plan, grid, scratch, depth_map):
    """Map f4 [R, R] of points quantised as cells i4 [3, P] and stored f4 [P]; returns what it was divided by."""
    if plan.sparse:
        sparse.dot(cells, stored, plan.white_background, depth_map)
        return np.float32(1)
    voxels.densify(cells, stored, plan.keep_last, plan.layout, grid, scratch)
    if plan.contour:
        largest = voxels.squeeze(grid, plan.layout, False, depth_map)
        contour.crisp(depth_map, plan.layout.window, plan.contour_kernel, plan.range_sigma, plan.white_background)
        return largest
    voxels.smooth(grid, plan.kernels, plan.layout, scratch)
    return voxels.squeeze(grid, plan.layout, plan.white_background, depth_map)


@njit(nogil=True)
def quantise(cloud, plan, v, cells, stored):
    """Cells i4 [3, P] and depth values f4 [P] of a cloud f4 [P, 3] in view v, by the projection's method."""
    if plan.sparse:
        sparse.perspective(cloud, plan.rotations[v], plan.resolution, plan.xy_scale, cells, stored)
    else:
        voxels.quantise(
            cloud,
            plan.rotations[v],
            plan.translation,
            plan.resolution,
            plan.depth,
            plan.xy_scale,
            plan.depth_bias,
            cells,
            stored,
        )


@njit(nogil=True)
def project_views(points, offsets, plan, size, first, step, depth_maps, quantised):
    """Depth maps f4 [N, V, R, R] of every `step`-th (cloud, view) from `first` on, and what `quantised` has room for.

    Cloud n is points[offsets[n]:offsets[n + 1]]; `size` is R before crop and resize. An empty `quantised` stays empty.
    """
    grid, scratch = voxels.empty_grid(plan.layout, plan.layout.slices), voxels.empty_grid(plan.layout, 1)
    views, whole = plan.rotations.shape[0], np.empty((size, size), np.float32)
    for task in range(first, (offsets.size - 1) * views, step):
        n, v = task // views, task % views
        cloud = points[offsets[n] : offsets[n + 1]]
        cells, stored = np.empty((3, len(cloud)), np.int32), np.empty(len(cloud), np.float32)
        quantise(cloud, plan, v, cells, stored)
        target = depth_maps[n, v] if plan.crop[1] == 0 else whole
        largest = draw(cells, stored, plan, grid, scratch, target)
        if quantised.stored.size > 0:
            place = offsets[n] * views + v * len(cloud)
            look_up(cells, stored, plan, grid, largest, target, quantised, place)
        if plan.crop[1] > 0:
            start, stop = plan.crop
            maps.resize(whole[start:stop, start:stop], depth_maps[n, v])


@njit(nogil=True)
def look_up(cells, stored, plan, grid, largest, depth_map, quantised, place):
    """Write cell, depth value, surface, pixel and visibility of every point into `quantised` from `place` on."""
    last = depth_map.shape[0] - 1
    for p in range(stored.size):
        x, y, z = cells[0, p], cells[1, p], min(max(cells[2, p], 1), plan.lookup_depth)
        row, column = (y, x) if plan.transposed else (x, y)
        row, column = min(max(row + plan.shift, 0), last), min(max(column + plan.shift, 0), last)
        surface, visible = surface_at(stored[p], z, row, column, plan, grid, largest, depth_map)
        quantised.cells[place + p, 0], quantised.cells[place + p, 1], quantised.cells[place + p, 2] = cells[:, p]
        quantised.stored[place + p] = stored[p]
        quantised.surface[place + p] = surface
        quantised.pixels[place + p, 0], quantised.pixels[place + p, 1] = row, column
        quantised.visible[place + p] = visible
        quantised.visible_transposed[place + p] = surface_at(stored[p], z, column, row, plan, grid, largest, depth_map)[
            1
        ]


@njit(nogil=True)
def surface_at(stored, z, row, column, plan, grid, largest, depth_map):
    """Depth f4 0..1 at a point's voxel when it lies at (row, column), and whether the map shows that depth there."""
    near = stored if plan.sparse else voxels.value_at(grid, plan.layout, z, row, column) / largest
    surface = np.float32(1) - near
    shown = depth_map[row, column] if plan.white_background else np.float32(1) - depth_map[row, column]
    return surface, abs(shown - surface) < plan.visible_within


def _entry(sources: str):
    """`project_views` as it is kept on disk, under a key that changes with any of the compiled modules.

    Numba alone would look at this file only and go on with the old machine code after an edit of another one.
    """

    @njit(cache=True, nogil=True)
    def enter(points, offsets, plan, size, first, step, depth_maps, quantised):
        if sources != "":
            project_views(points, offsets, plan, size, first, step, depth_maps, quantised)

    return enter


_project_views = _entry(
    hashlib.sha256("".join(map(inspect.getsource, (contour, maps, sparse, voxels))).encode()).hexdigest()
)


def share(work: Callable[[int, int], None], *, tasks: int, threads: int | None) -> None:
    """Call work(first, step) once per thread; `work` releases the lock and does every step-th task."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = max(1, min(threads or cores or 1, tasks))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda first: work(first, threads), range(threads)))


def room(count: int) -> Quantised:
    """Room for `count` points in views, not filled."""
    return Quantised(
        cells=np.empty((count, 3), np.int16),
        stored=np.empty(count, np.float32),
        surface=np.empty(count, np.float32),
        pixels=np.empty((count, 2), np.int64),
        visible=np.empty(count, np.bool_),
        visible_transposed=np.empty(count, np.bool_),
    )


def run(
    points: np.ndarray, offsets: np.ndarray, projection: Projection, *, threads: int | None, per_point: bool
) -> tuple[np.ndarray, Quantised]:
    """Depth maps f4 [N, V, R, R] of clouds laid end to end, and, if `per_point`, every point in every view.

    points f4 [sum of P, 3]; offsets i8 [N + 1].
    """
    views = projection.views
    depth_maps = np.empty((len(offsets) - 1, views, projection.map_size, projection.map_size), np.float32)
    quantised, fixed = room(len(points) * views if per_point else 0), plan(projection)
    size = projection.resolution if fixed.sparse else projection.grid_size
    share(
        lambda first, step: _project_views(points, offsets, fixed, size, first, step, depth_maps, quantised),
        tasks=len(depth_maps) * views,
        threads=threads,
    )
    return depth_maps, quantised


def project_quantised(cells: np.ndarray, stored: np.ndarray, projection: Projection) -> tuple[np.ndarray, Quantised]:
    """The steps after quantising, of given cells [..., P, 3] and depth values [..., P]: no crop, one thread.

    Returns depth maps f4 [..., R, R] and the points as a `Quantised` of arrays [..., P] or [..., P, columns].
    """
    fixed, lead, count = plan(projection), stored.shape[:-1], stored.shape[-1]
    _check_cells(cells, projection)
    grid, scratch = voxels.empty_grid(fixed.layout, fixed.layout.slices), voxels.empty_grid(fixed.layout, 1)
    depth_maps = np.empty((*lead, projection.grid_size, projection.grid_size), np.float32)
    quantised = room(stored.size)
    for index, where in enumerate(np.ndindex(lead)):
        here, value = np.ascontiguousarray(cells[where].T, np.int32), np.array(stored[where], np.float32)
        largest = draw.py_func(here, value, fixed, grid, scratch, depth_maps[where])
        look_up(here, value, fixed, grid, largest, depth_maps[where], quantised, index * count)
    return depth_maps, Quantised(*(values.reshape(*stored.shape, *values.shape[1:]) for values in quantised))


def _check_cells(cells: np.ndarray, projection: Projection) -> None:
    """Cells come from outside here, and the compiled loops write where they say."""
    half = projection.xy_scale * projection.resolution / 2 + 1
    across = np.abs(cells[..., :2].astype(np.float64) - projection.resolution / 2)
    along = cells[..., 2]
    if across.max(initial=0) > half or along.min(initial=0) < 0 or along.max(initial=0) >= projection.depth:
        raise InputError(f"cells: expected those of {projection.resolution} x {projection.depth} voxels in xy_scale")
