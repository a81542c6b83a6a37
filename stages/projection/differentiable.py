"""The projection of method v2 in torch: on the device of the given tensor, differentiable in the smoothing weights.

`render` and `project` mirror those of `stages.projection.rendering`; each of the four steps works on N clouds in V
views at once. Cells equal those of the compiled path except where float rounding puts a point in the next cell.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.core.errors import InputError
from stages.core.precision import FAR, LARGEST, SMALLEST
from stages.projection import maps
from stages.projection.kernels import kernel_weights, separate
from stages.projection.presets import Projection
from stages.projection.views import VIEW_SETS

METHOD = "v2"  # the only one that is written in torch
VOXELS_AT_ONCE = 2**27  # voxels of all grids in memory together: half a gigabyte for each copy of them


class Projected(NamedTuple):
    """Tensors of the same names, meaning and shape as in `rendering.Projected`, for clouds of one length."""

    depth: Tensor
    cells: Tensor
    depth_values: Tensor
    surface: Tensor
    pixels: Tensor
    visible: Tensor


def render(
    points: Tensor | Sequence[Tensor],
    projection: Projection,
    *,
    weights: Tensor | None = None,
    refine: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Depth maps f4 [N, V, R, R] of clouds [N, P, 3 or more] or a sequence of [P, 3 or more], on their device.

    `weights` [K_depth, K_row, K_column] replaces the projection's kernel, and `refine` makes another grid of the
    smoothed one [B, D, R, R]; gradients flow to both (and to them alone, since cells are whole numbers). The values may
    have any scale: the map is divided by its maximum. Raises InputError for a method other than v2, or a cloud that has
    no extent.
    """
    if not isinstance(points, Tensor):
        return torch.cat([render(cloud[None], projection, weights=weights, refine=refine) for cloud in points])
    _check(points, projection)
    return torch.cat([_render(chunk, projection, weights, refine) for chunk in _chunks(points, projection)])


def project(points: Tensor, projection: Projection, *, weights: Tensor | None = None) -> Projected:
    """Depth maps and, per point and view, voxel, depth value, pixel and visibility, of clouds [N, P, 3 or more]."""
    _check(points, projection)
    pieces = [_project(chunk, projection, weights) for chunk in _chunks(points, projection)]
    return Projected(*(torch.cat(parts) for parts in zip(*pieces, strict=True)))


def quantise(points: Tensor, projection: Projection) -> tuple[Tensor, Tensor]:
    """Voxel i8 [N, V, P, 3] as (x, y, z) and depth value f4 [N, V, P] of clouds [N, P, 3], as `voxels.quantise`.

    Each product and sum is written out, because a matrix product may round differently on every device.
    """
    view_set = VIEW_SETS[projection.view_set]
    rotations = torch.from_numpy(view_set.rotations()).to(points.device)
    x, y, z = _in_single(points[..., :3])[:, None].unbind(-1)
    for turn in range(rotations.shape[1]):
        step = rotations[:, turn, :, :, None]
        x, y, z = (x * step[:, 0, axis] + y * step[:, 1, axis] + z * step[:, 2, axis] for axis in range(3))
    turned = torch.stack((x, y, z), -1) - torch.tensor(view_set.translation, device=points.device)
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


def densify(cells: Tensor, depth_values: Tensor, projection: Projection) -> Tensor:
    """Max-pooled grid f4 [B, D, R, R] of points quantised as cells i8 [B, P, 3] and depth_values f4 [B, P]."""
    size, depth = projection.resolution, projection.depth
    voxel = (cells[..., 2] * size + cells[..., 0]) * size + cells[..., 1]
    grid = depth_values.new_zeros(len(cells), depth * size * size)
    if projection.collision == "last":
        order = torch.arange(depth_values.shape[1], device=depth_values.device).expand_as(voxel)
        last = torch.zeros_like(grid, dtype=torch.long).scatter_reduce_(1, voxel, order, "amax", include_self=True)
        depth_values = depth_values.gather(1, last.gather(1, voxel))
    grid = grid.scatter_reduce(1, voxel, depth_values, "amax").view(-1, depth, size, size)
    for axis, (window, padding) in enumerate(
        zip(projection.densify_window, projection.densify_padding, strict=True), start=1
    ):
        grid = _largest(_padded(grid, axis, padding), axis, window)
    return grid


def smooth(grid: Tensor, weights: Tensor) -> Tensor:
    """Grid [B, D, R, R] convolved with weights [K_depth, K_row, K_column], odd, padded with 0."""
    kernel = weights.to(grid.dtype)
    if kernel.numel() > max(kernel.shape):
        return F.conv3d(grid[:, None], kernel[None, None], padding=tuple(width // 2 for width in kernel.shape))[:, 0]
    axis = 1 + kernel.shape.index(kernel.numel()) if kernel.numel() > 1 else 1
    return _convolved(grid, axis, kernel.flatten())


def _convolved(grid: Tensor, axis: int, taps: Tensor) -> Tensor:
    """A grid convolved along one axis, by sums of shifted grids: on a CPU ten times as fast as `conv3d`."""
    padded, length = _padded(grid, axis, len(taps) // 2), grid.shape[axis]
    return sum(tap * padded.narrow(axis, start, length) for start, tap in enumerate(taps))


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


def _smoother(projection: Projection, weights: Tensor | None, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The smoothing step: with the given weights, or the projection's kernel, by its factors where it has any."""
    if weights is not None:
        return lambda grid: smooth(grid, weights)
    kernel = kernel_weights(projection.kernel, window=projection.smooth_window, sigma=projection.sigma)
    factors = separate(kernel)
    shapes = ((-1, 1, 1), (1, -1, 1), (1, 1, -1))
    kernels = [kernel] if factors is None else [line.reshape(s) for line, s in zip(factors, shapes, strict=True)]
    steps = [torch.from_numpy(step).to(device) for step in kernels if step.size > 1]

    def apply(grid: Tensor) -> Tensor:
        for step in steps:
            grid = smooth(grid, step)
        return grid

    return apply


def _render(
    points: Tensor, projection: Projection, weights: Tensor | None, refine: Callable[[Tensor], Tensor] | None
) -> Tensor:
    cells, depth_values = quantise(points, projection)
    pooled = densify(cells.flatten(0, 1), depth_values.flatten(0, 1), projection)
    grid = _smoother(projection, weights, points.device)(pooled)
    white, _ = squeeze(refine(grid) if refine else grid)
    return _polarity(crop(white, projection), projection).unflatten(0, depth_values.shape[:2])


def _project(points: Tensor, projection: Projection, weights: Tensor | None) -> Projected:
    cells, depth_values = quantise(points, projection)
    pooled = densify(cells.flatten(0, 1), depth_values.flatten(0, 1), projection)
    grid = _smoother(projection, weights, points.device)(pooled)
    white, largest = squeeze(grid)
    pixels, surface, visible = _look_up(cells.flatten(0, 1), grid, white, largest, projection)
    if projection.crop:
        pixels = maps.crop_pixels(pixels, crop=projection.crop, size=projection.resolution)
        visible = visible & maps.inside(pixels, projection.resolution)
        pixels = pixels.clip(0, projection.resolution - 1)
    depth = _polarity(crop(white, projection), projection)
    per_view = (depth, cells.flatten(0, 1), depth_values.flatten(0, 1), surface, pixels, visible)
    return Projected(*(values.unflatten(0, depth_values.shape[:2]) for values in per_view))


def _look_up(
    cells: Tensor, grid: Tensor, white: Tensor, largest: Tensor, projection: Projection
) -> tuple[Tensor, Tensor, Tensor]:
    """Pixel i8 [B, P, 2], surface f4 [B, P] and visibility bool [B, P] of cells i8 [B, P, 3] in uncropped maps."""
    pixels = cells[..., :2].flip(-1) if projection.lookup == "as_released" else cells[..., :2]
    pixels = (pixels + projection.pixel_shift).clip(0, projection.grid_size - 1)
    row, column = pixels.unbind(-1)
    batch = torch.arange(len(cells), device=cells.device)[:, None]
    surface = 1 - grid[batch, cells[..., 2].clip(1, projection.lookup_depth), row, column] / largest[:, None]
    return pixels, surface, (white[batch, row, column] - surface).abs() < projection.visible_within


def _polarity(white: Tensor, projection: Projection) -> Tensor:
    return white if projection.polarity == "white_background" else 1 - white


def _chunks(points: Tensor, projection: Projection) -> Sequence[Tensor]:
    voxels = projection.views * projection.depth * projection.resolution**2
    return points.split(max(1, VOXELS_AT_ONCE // voxels))


def _check(points: Tensor, projection: Projection) -> None:
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
