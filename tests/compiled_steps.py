"""The steps of the compiled projection one by one, for tests: dense grids, and maps of given cells."""

import numpy as np

from stages.projection import fast, voxels
from stages.projection.presets import Projection


def dense(grid: voxels.Grid, layout: voxels.Layout, *, start: int = 0) -> np.ndarray:
    """The result of a step as a plain array f4 [D, R, R]; after `densify` it starts at slice `layout.ahead`."""
    values = grid.values[layout.guard : grid.values.size - layout.guard]
    values = values.reshape(layout.slices, layout.lines, layout.width)
    result = np.zeros((layout.depth, layout.size, layout.size), np.float32)
    covered = slice(layout.first, layout.first + layout.reached)
    result[:, covered, covered] = values[start : start + layout.depth, : layout.reached, : layout.reached]
    return result


def project_quantised(
    cells: np.ndarray, depth_values: np.ndarray, projection: Projection
) -> tuple[np.ndarray, fast.PointQuantities]:
    """Method v2 without its quantising, for cells [..., P, 3] and depth values [..., P], without crop.

    Returns depth maps f4 [..., R, R] and the quantities of the points as arrays [..., P] or [..., P, columns].
    """
    assert_cells_fit(cells, projection)
    compiled, size = fast.compile_projection(projection, fast.VOXEL_GRID), projection.grid_size
    grid, scratch = voxels.empty_grid(compiled.layout, compiled.layout.slices), voxels.empty_grid(compiled.layout, 1)
    lead, count = depth_values.shape[:-1], depth_values.shape[-1]
    depth_maps, quantities = np.empty((*lead, size, size), np.float32), fast.allocate(depth_values.size)
    for index, where in enumerate(np.ndindex(lead)):
        here, values = np.ascontiguousarray(cells[where].T, np.int32), np.array(depth_values[where], np.float32)
        largest = fast.rasterise.py_func(here, values, compiled, grid, scratch, depth_maps[where])
        fast.look_up(here, values, compiled, grid, largest, depth_maps[where], quantities, index * count)
    shape = depth_values.shape
    return depth_maps, fast.PointQuantities(*(values.reshape(*shape, *values.shape[1:]) for values in quantities))


def assert_cells_fit(cells: np.ndarray, projection: Projection) -> None:
    """The compiled loops write where the cells say, so cells of another projection must not get there."""
    half = projection.xy_scale * projection.resolution / 2 + 1
    across = np.abs(cells[..., :2].astype(np.float64) - projection.resolution / 2)
    along = cells[..., 2]
    assert across.max(initial=0) <= half and along.min(initial=0) >= 0 and along.max(initial=0) < projection.depth
