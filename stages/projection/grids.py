"""Voxel grids in torch, of B views at once: points written and max pooled, smoothed, squeezed to maps.

Of a fixed kernel's grid only the box that the points of a view reach is in memory, and a point is pooled along depth as
it is written: the results are those of whole grids.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stages.projection.kernels import kernel_weights, separate
from stages.projection.presets import Projection


class Box(NamedTuple):
    """The part of each view's pooled grid that is in memory: `shape` voxels (D, R, C) from voxel `start` i8 [B, 3] on.

    Outside of it everything is 0.
    """

    start: Tensor
    shape: tuple[int, int, int]


def densify(cells: Tensor, depth_values: Tensor, projection: Projection, *, box: Box | None = None) -> Tensor:
    """Max-pooled grid f4 [B, D, R, R] of points quantised as cells i8 [B, P, 3] and depth_values f4 [B, P].

    With a `box` only that part of it, which must hold all that points reach.
    """
    box = box or whole_grid(len(cells), projection, cells.device)
    (slices, lines, columns), window, padding = box.shape, projection.densify_window, projection.densify_padding
    if projection.collision == "last":
        depth_values = torch.where(_is_last(cells, projection), depth_values, 0)
    lines, columns = lines + window[1] - 1, columns + window[2] - 1  # the pool takes the rest away
    row = cells[..., 0] - box.start[:, 1:2] + padding[1]
    column = cells[..., 1] - box.start[:, 2:3] + padding[2]
    # A point reaches a window of slices around its own: what would lie outside the grid is written inside once more.
    reach = torch.arange(padding[0] - window[0] + 1, padding[0] + 1, device=cells.device)
    slice_ = ((cells[..., 2] - box.start[:, :1])[..., None] + reach).clip(0, slices - 1)
    voxel = (slice_ * lines + row[..., None]) * columns + column[..., None]
    grid = depth_values.new_zeros(len(cells), slices * lines * columns)
    written = depth_values[..., None].expand(voxel.shape).flatten(1)
    grid = grid.scatter_reduce(1, voxel.flatten(1), written, "amax").view(-1, slices, lines, columns)
    return _largest(_largest(grid, 3, window[2]), 2, window[1])


def _is_last(cells: Tensor, projection: Projection) -> Tensor:
    """Of the points in one voxel the last in order: bool [B, P] of cells i8 [B, P, 3]."""
    voxel = (cells[..., 2] * projection.resolution + cells[..., 0]) * projection.resolution + cells[..., 1]
    ordered, order = voxel.sort(dim=1, stable=True)
    last = torch.ones_like(ordered, dtype=torch.bool)
    last[:, :-1] = ordered[:, 1:] != ordered[:, :-1]
    return torch.empty_like(last).scatter_(1, order, last)


def whole_grid(views: int, projection: Projection, device: torch.device) -> Box:
    """The box that is the whole grid of `views` views."""
    return Box(torch.zeros(views, 3, dtype=torch.long, device=device), _grid_shape(projection))


def box_of(cells: Tensor, projection: Projection) -> Box:
    """The smallest box that holds what the points of cells i8 [B, P, 3] reach in pooling and smoothing."""
    shape = _grid_shape(projection)
    limits = [], []
    for axis, cell in enumerate((2, 0, 1)):
        window, padding = projection.densify_window[axis], projection.densify_padding[axis]
        spread = projection.smooth_window[axis] // 2
        limits[0].append((cells[..., cell].amin(1) + padding - window + 1 - spread).clip(0))
        limits[1].append((cells[..., cell].amax(1) + padding + spread + 1).clip(max=shape[axis]))
    first, stop = (torch.stack(limit, 1) for limit in limits)
    size = (stop - first).amax(0).tolist()
    room = torch.tensor([whole - part for whole, part in zip(shape, size, strict=True)], device=cells.device)
    return Box(torch.minimum(first, room), tuple(size))


def smooth(grid: Tensor, weights: Tensor) -> Tensor:
    """Grid [B, D, R, R] convolved with weights [K_depth, K_row, K_column], odd, padded with 0; both have gradients."""
    kernel = weights.to(grid.dtype)
    if kernel.numel() > max(kernel.shape):
        return F.conv3d(grid[:, None], kernel[None, None], padding=tuple(width // 2 for width in kernel.shape))[:, 0]
    axis, taps = _only_axis(kernel.shape), kernel.flatten()
    padded, length = _padded(grid, axis, len(taps) // 2), grid.shape[axis]
    # sums of shifted grids: on a CPU ten times as fast as `conv3d`
    return sum(tap * padded.narrow(axis, start, length) for start, tap in enumerate(taps))


def _only_axis(shape: Sequence[int]) -> int:
    """The axis of a grid along which a kernel of that shape is longer than 1; columns where there is none."""
    return 1 + max(range(3), key=lambda axis: (shape[axis], axis))


def convolve(grid: Tensor, axis: int, taps: tuple[float, ...]) -> Tensor:
    """A grid convolved with fixed taps along one axis, padded with 0: the same as `smooth`, in less time and memory.

    On a device it is one product with a matrix that is 0 but for a band; on a CPU sums of shifted grids are faster.
    """
    if grid.device.type != "cpu":
        return banded_product(grid, axis, taps)
    length, half = grid.shape[axis], len(taps) // 2
    total, product = torch.zeros_like(grid), torch.empty_like(grid)
    for start, tap in enumerate(taps):
        shift = start - half
        count = max(length - abs(shift), 0)
        part = torch.mul(grid.narrow(axis, min(max(shift, 0), length), count), tap, out=product.narrow(axis, 0, count))
        total.narrow(axis, min(max(-shift, 0), length), count).add_(part)
    return total


def banded_product(grid: Tensor, axis: int, taps: tuple[float, ...]) -> Tensor:
    """`convolve` as one matrix product: the grid is read once, whatever the number of taps."""
    band = _band(taps, grid.shape[axis], grid.device)
    if axis == 1:
        return (band @ grid.flatten(2)).view_as(grid)
    return band @ grid if axis == 2 else grid @ band.T


@lru_cache(maxsize=64)
def _band(taps: tuple[float, ...], length: int, device: torch.device) -> Tensor:
    """f4 [length, length]: row i has the taps around its column i."""
    tap = np.arange(length) - np.arange(length)[:, None] + len(taps) // 2
    band = np.where((tap >= 0) & (tap < len(taps)), np.array(taps, np.float32)[tap.clip(0, len(taps) - 1)], 0)
    return torch.from_numpy(band.astype(np.float32)).to(device)


def _largest(grid: Tensor, axis: int, window: int) -> Tensor:
    """The maximum of every `window` neighbours along an axis, by maxima of 2, 4, 8, ... of them."""
    reach = 1
    while reach < window:
        step = min(reach, window - reach)
        length = grid.shape[axis] - step
        grid = torch.maximum(grid.narrow(axis, 0, length), grid.narrow(axis, step, length))
        reach += step
    return grid


def _padded(grid: Tensor, axis: int, padding: int) -> Tensor:
    """A grid [B, D, R, R] with `padding` empty (zero) voxels at both ends of an axis."""
    return F.pad(grid, (0, 0) * (3 - axis) + (padding, padding)) if padding else grid


def squeeze(grid: Tensor) -> tuple[Tensor, Tensor]:
    """White-background maps [B, R, R] of a grid [B, D, R, R], and what each was divided by, [B]."""
    surface = grid.amax(1)
    largest = surface.amax((1, 2))
    return 1 - surface / largest[:, None, None], largest


def crop(depth_maps: Tensor, projection: Projection) -> Tensor:
    """Maps [B, R, R] cropped and resized as the projection asks, corners aligned."""
    if projection.crop is None:
        return depth_maps
    kept = slice(*projection.crop)
    size = (projection.resolution, projection.resolution)
    return F.interpolate(depth_maps[:, None, kept, kept], size, mode="bilinear", align_corners=True)[:, 0]


def smooth_fixed(grid: Tensor, projection: Projection) -> Tensor:
    """A grid smoothed with the projection's kernel, by its factors where it has any."""
    factors, kernel = _kernel(projection.kernel, tuple(projection.smooth_window), tuple(projection.sigma))
    if factors is None:
        return smooth(grid, kernel.to(grid.device))
    for axis, taps in enumerate(factors, start=1):
        if len(taps) > 1:
            grid = convolve(grid, axis, taps)
    return grid


@cache
def _kernel(name: str, window: tuple, sigma: tuple) -> tuple[tuple[tuple[float, ...], ...] | None, Tensor]:
    """The kernel's factors along (depth, row, column), None where it has none, and the kernel itself."""
    kernel = kernel_weights(name, window=window, sigma=sigma)
    factors = separate(kernel)
    return factors and tuple(tuple(line.tolist()) for line in factors), torch.from_numpy(kernel)


def _grid_shape(projection: Projection) -> tuple[int, int, int]:
    return projection.depth, projection.grid_size, projection.grid_size
