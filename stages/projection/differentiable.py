"""The projection of method v2 in torch: on the device of the given tensor, differentiable in the smoothing weights.

`render` and `project` mirror those of `stages.projection.rendering`; each step works on N clouds in V views at once.
Cells equal those of the compiled path except where float rounding puts a point in the next cell.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stages.core.errors import InputError
from stages.core.precision import FAR, LARGEST, SMALLEST
from stages.projection import maps
from stages.projection.clouds import concatenate_clouds
from stages.projection.grids import Box, box_of, crop, densify, smooth, smooth_fixed, squeeze, whole_grid
from stages.projection.presets import Projection
from stages.projection.views import VIEW_SETS

METHOD = "v2"  # the only one that is written in torch
# Voxels of all grids in memory together: where there is a device, half a gigabyte for each copy of them; on the CPU so
# few that they stay in its cache.
VOXELS_AT_ONCE, VOXELS_IN_CACHE = 2**27, 2**21
WORTH_A_BOX = 2**20  # voxels of a view's whole grid: for a smaller one it is not worth the wait for the device
CLOUDS_AT_ONCE = 128  # so that their points in all views are small beside the grids


class Projected(NamedTuple):
    """Tensors of the same names, meaning and shape as in `rendering.Projected`, for clouds of one length.

    `visible_transposed` is the visibility with the row and the column of `pixels` exchanged.
    """

    depth: Tensor
    cells: Tensor
    depth_values: Tensor
    surface: Tensor
    pixels: Tensor
    visible: Tensor
    visible_transposed: Tensor


def render(
    points: Tensor | Sequence[Tensor],
    projection: Projection,
    *,
    weights: Tensor | None = None,
    refine: Callable[[Tensor], Tensor] | None = None,
    checked: bool = False,
) -> Tensor:
    """Depth maps f4 [N, V, R, R] of clouds [N, P, 3 or more] or a sequence of [P, 3 or more], on their device.

    `weights` [K_depth, K_row, K_column] replaces the projection's kernel, and `refine` makes another grid of the
    smoothed one [B, D, R, R]; gradients flow to both (and to them alone, since cells are whole numbers). The values may
    have any scale: the map is divided by its maximum. Raises InputError for a method other than v2, or a cloud that has
    no extent; clouds that are `checked` before are not looked at, which spares a wait for the device.
    """
    options = {"weights": weights, "refine": refine, "checked": checked}
    if not isinstance(points, Tensor):
        return torch.cat([render(cloud[None], projection, **options) for cloud in points])
    if not checked:
        check(points, projection)
    if weights is None and refine is None:
        return _in_pieces(lambda *view: _map_of(*view, projection), points, projection)
    return torch.cat([_render_whole(chunk, projection, weights, refine) for chunk in _chunks(points, projection)])


def project(points: Tensor, projection: Projection, *, checked: bool = False) -> Projected:
    """Depth maps and, per point and view, voxel, depth value, pixel and visibility, of clouds [N, P, 3 or more]."""
    if not checked:
        check(points, projection)
    return _in_pieces(lambda *view: _look_up_all(*view, projection), points, projection)


def on_device(
    points: np.ndarray | Sequence[np.ndarray],
    device: torch.device,
    *,
    source: str = "points",
    first_sample: int = 0,
) -> Tensor | list[Tensor]:
    """Clouds [N, P, 3 or more] on `device` as f4 [N, P, 3], a list where P differs; checked as for the compiled path.

    InputError names `source` and the sample, counted from `first_sample`, of a cloud that cannot be projected.
    """
    flat, offsets = concatenate_clouds(points, source=source, first_sample=first_sample)
    counts = np.diff(offsets)
    here = torch.from_numpy(flat)
    if device.type == "cuda":  # from other memory the copy would wait until the device has done what it has to do
        here = here.pin_memory()
    there = here.to(device, non_blocking=True)
    return there.view(len(counts), -1, 3) if (counts == counts[:1]).all() else list(there.split(counts.tolist()))


def quantise(points: Tensor, projection: Projection) -> tuple[Tensor, Tensor]:
    """Voxel i8 [N, V, P, 3] as (x, y, z) and depth value f4 [N, V, P] of clouds [N, P, 3], as `voxels.quantise`.

    Each product and sum is written out, because a matrix product may round differently on every device.
    """
    rotations, translation = _view_set(projection.view_set, points.device)
    x, y, z = _in_single(points[..., :3])[:, None].unbind(-1)
    for turn in range(rotations.shape[1]):
        step = rotations[:, turn, :, :, None]
        x, y, z = (x * step[:, 0, axis] + y * step[:, 1, axis] + z * step[:, 2, axis] for axis in range(3))
    turned = torch.stack((x, y, z), -1) - translation
    low, high = turned.amin(-2, keepdim=True), turned.amax(-2, keepdim=True)
    scaled = (turned - (high + low) / 2) / (high - low).amax(-1, keepdim=True) * 2
    size, depth, bias = projection.resolution, projection.depth, projection.depth_bias
    rows = ((scaled[..., :2] * projection.xy_scale + 1) / 2 * size).ceil().clip(1, size - 2)
    value = ((scaled[..., 2] + 1) / 2 + bias) / (1 + bias) * (depth - 2)
    slices = value.ceil().clip(0, depth - 1)
    return torch.cat((rows, slices[..., None]), -1).long(), value.clip(1, depth - 2)


def _in_single(points: Tensor) -> Tensor:
    """Clouds [N, P, 3] as f4, by the rule of `stages.core.precision.in_single`, in the tensor's own precision."""
    low, high = points.amin(-2, keepdim=True), points.amax(-2, keepdim=True)
    extent, reach = (values.amax(-1, keepdim=True) for values in (high - low, torch.maximum(high, -low)))
    origin = torch.where(reach > FAR * extent, low + (high - low) / 2, 0)
    unit = torch.where((extent < SMALLEST) | (extent > LARGEST), extent, 1)
    return ((points - origin) / unit).float()


@lru_cache(maxsize=16)
def _view_set(name: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rotations f4 [V, T, 3, 3] and translation f4 [3], kept on the device: to send them makes it wait."""
    views = VIEW_SETS[name]
    return torch.from_numpy(views.rotations()).to(device), torch.tensor(views.translation, device=device)


def _render_whole(
    points: Tensor, projection: Projection, weights: Tensor | None, refine: Callable[[Tensor], Tensor] | None
) -> Tensor:
    """Maps of clouds whose whole grids are needed: `refine` takes statistics over them, weights have gradients."""
    cells, depth_values = quantise(points, projection)
    pooled = densify(cells.flatten(0, 1), depth_values.flatten(0, 1), projection)
    grid = smooth_fixed(pooled, projection) if weights is None else smooth(pooled, weights)
    white, _ = squeeze(refine(grid) if refine else grid)
    return _polarity(crop(white, projection), projection).unflatten(0, depth_values.shape[:2])


def _in_pieces(work: Callable, points: Tensor, projection: Projection):
    """`work` on cells [b, P, 3], depth values [b, P] and box of a few views at a time; its results for all [N, V, ...].

    A box waits for the device, since the host must know its shape.
    """
    boxed = projection.depth * projection.grid_size**2 > WORTH_A_BOX
    pieces = []
    for clouds in points.split(CLOUDS_AT_ONCE):
        cells, depth_values = (values.flatten(0, 1) for values in quantise(clouds, projection))
        box = box_of(cells, projection) if boxed else whole_grid(len(cells), projection, cells.device)
        room = VOXELS_IN_CACHE if points.device.type == "cpu" else VOXELS_AT_ONCE
        at_once = max(1, room // (box.shape[0] * box.shape[1] * box.shape[2]))
        views = zip(*(values.split(at_once) for values in (cells, depth_values, box.start)), strict=True)
        pieces += [work(cells, values, Box(start, box.shape)) for cells, values, start in views]
    if isinstance(pieces[0], Tensor):
        return torch.cat(pieces).unflatten(0, (len(points), -1))
    columns = (torch.cat(parts).unflatten(0, (len(points), -1)) for parts in zip(*pieces, strict=True))
    return type(pieces[0])(*columns)


def _grid_of(cells: Tensor, depth_values: Tensor, box: Box, projection: Projection) -> tuple[Tensor, Tensor, Tensor]:
    """Smoothed grid [B, D, R, R] in the box, uncropped white map [B, R, R] and what it was divided by, [B]."""
    grid = smooth_fixed(densify(cells, depth_values, projection, box=box), projection)
    white, largest = squeeze(grid)
    size = projection.grid_size
    if box.shape[1:] == (size, size):
        return grid, white, largest
    row, column = (box.start[:, axis, None] + torch.arange(box.shape[axis], device=cells.device) for axis in (1, 2))
    whole = white.new_ones(len(cells), size, size)
    whole[torch.arange(len(cells), device=cells.device)[:, None, None], row[:, :, None], column[:, None]] = white
    return grid, whole, largest


def _map_of(cells: Tensor, depth_values: Tensor, box: Box, projection: Projection) -> Tensor:
    _, white, _ = _grid_of(cells, depth_values, box, projection)
    return _polarity(crop(white, projection), projection)


def _look_up_all(cells: Tensor, depth_values: Tensor, box: Box, projection: Projection) -> Projected:
    grid, white, largest = _grid_of(cells, depth_values, box, projection)
    pixels = cells[..., :2].flip(-1) if projection.lookup == "as_released" else cells[..., :2]
    pixels = (pixels + projection.pixel_shift).clip(0, projection.grid_size - 1)
    slices = cells[..., 2].clip(1, min(projection.lookup_depth, projection.depth - 1))
    surface, transposed = (
        1 - _value_at(grid, box, slices, where) / largest[:, None] for where in (pixels, pixels.flip(-1))
    )
    visible, visible_transposed = (
        (_pixel(white, where) - own).abs() < projection.visible_within
        for where, own in ((pixels, surface), (pixels.flip(-1), transposed))
    )
    if projection.crop:
        pixels = maps.crop_pixels(pixels, crop=projection.crop, size=projection.resolution)
        shown = maps.inside(pixels, projection.resolution)
        visible, visible_transposed = visible & shown, visible_transposed & shown
        pixels = pixels.clip(0, projection.resolution - 1)
    depth = _polarity(crop(white, projection), projection)
    return Projected(depth, cells, depth_values, surface, pixels, visible, visible_transposed)


def _value_at(grid: Tensor, box: Box, slices: Tensor, pixels: Tensor) -> Tensor:
    """The smoothed grid's value [B, P] at slices [B, P] and pixels [B, P, 2], which is 0 outside the box."""
    place = torch.cat((slices[..., None], pixels), -1) - box.start[:, None]
    last = torch.stack([torch.full_like(slices, size - 1) for size in box.shape], -1)
    inside = ((place >= 0) & (place <= last)).all(-1)
    z, row, column = torch.minimum(place.clip(0), last).unbind(-1)
    return torch.where(inside, grid[torch.arange(len(grid), device=grid.device)[:, None], z, row, column], 0)


def _pixel(depth_maps: Tensor, pixels: Tensor) -> Tensor:
    """Values [B, P] of maps [B, R, R] at pixels [B, P, 2]."""
    row, column = pixels.unbind(-1)
    return depth_maps[torch.arange(len(depth_maps), device=depth_maps.device)[:, None], row, column]


def _polarity(white: Tensor, projection: Projection) -> Tensor:
    return white if projection.polarity == "white_background" else 1 - white


def _chunks(points: Tensor, projection: Projection) -> Sequence[Tensor]:
    voxels = projection.views * projection.depth * projection.resolution**2
    return points.split(max(1, VOXELS_AT_ONCE // voxels))


def check(points: Tensor, projection: Projection) -> None:
    """InputError for a method other than v2, and for clouds [N, P, 3 or more] of which one has no extent."""
    if projection.method != METHOD:
        raise InputError(
            f"params.yaml: render.method {projection.method!r}: expected {METHOD}, the only one with a torch projection"
        )
    if points.ndim != 3 or points.shape[1] < 2 or points.shape[2] < 3:
        raise InputError(f"points: expected [N, P, 3 or more] with at least 2 points, found {list(points.shape)}")
    extent = (points[..., :3].amax(1) - points[..., :3].amin(1)).amax(1)
    bad = (~((extent > 1e-30) & (extent < 1e30))).nonzero().flatten().tolist()
    if bad:
        raise InputError(f"points: sample {bad[0]}: expected finite points 1e-30 to 1e30 apart from each other")
