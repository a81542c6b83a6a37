"""The four steps from points to a depth map, compiled: quantise, densify, smooth, squeeze (PointCLIP V2).

The voxel grid is sparse by rows: only rows start to stop - 1 of slice z, `Grid.rows[z] = (start, stop)`, may be other
than 0. These rows are contiguous in memory, so each step is a few long loops over shifted copies of them. Grid axes are
(depth z, row x, column y); a voxel has its depth value, or 0 where it is empty.

The paper takes the minimum depth; the released code takes the maximum of a value that grows towards the viewer, and the
background is white (1). These steps do what the code does; the polarity of `squeeze` is a parameter.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)
LANES = 8


class Layout(NamedTuple):
    """Memory layout of a grid: a voxel is `values[guard + (z * lines + x) * width + y]`; zeros surround every slice.

    Row x and column y count from `first`, so that the margin which `xy_scale` leaves empty takes no memory.

    Pooling and smoothing along depth read only slices z, z + 1, ... and write slice z, so both work in place. To make
    up for this shift, points are written further back by half the pool's window and half the kernel's.
    """

    depth: int  # slices D of the result
    size: int  # rows and columns R of the result
    first: int  # first row and column of the result that points can reach; those before it are not stored
    reached: int  # number of rows and columns from `first` on that points can reach
    window: tuple[int, int, int]  # of the max pool, per axis (depth, row, column), odd
    padding: tuple[int, int, int]
    ahead: int  # half the kernel's window along depth: the slice where the densified grid starts
    slices: int  # slices in memory
    lines: int  # rows of a slice in memory
    width: int  # columns of a row in memory
    guard: int  # zeros before the first slice and after the last


class Grid(NamedTuple):
    """Voxels f4 in the order of a Layout, and per slice the rows i8 [slices, 2] outside which all is 0."""

    values: np.ndarray
    rows: np.ndarray


def layout(
    *, resolution: int, depth: int, window: tuple, padding: tuple, kernel: tuple, xy_scale: float = 1.0
) -> Layout:
    """Layout of a grid that is pooled with `window` and `padding` and then smoothed with a kernel of shape `kernel`.

    A padding of less than half the window makes the result smaller than `resolution`; along depth it must be half.
    """
    low = max(math.floor((1 - xy_scale) / 2 * resolution) - 1, 0)
    high = min(math.ceil((1 + xy_scale) / 2 * resolution) + 1, resolution - 1)
    size = resolution + 2 * padding[1] - window[1] + 1
    spread = max(kernel[1], kernel[2]) // 2
    first = max(low + min(padding[axis] - window[axis] + 1 for axis in (1, 2)) - spread, 0)
    reached = min(high + max(padding[1], padding[2]) + spread + 1, size) - first
    lines = max(high + padding[1] + 1 - first, reached + kernel[1] // 2 + 1)
    width = -(-max(high + padding[2] + 1 - first, reached + kernel[2] // 2) // LANES) * LANES
    ahead = kernel[0] // 2
    guard = (kernel[1] + window[1]) * width + kernel[2] + window[2]
    slices = depth + padding[0] + ahead
    return Layout(depth, size, first, reached, window, padding, ahead, slices, lines, width, guard)


@njit(cache=True, nogil=True)
def empty_grid(layout, slices):
    """A grid of zeros, of which the system provides memory only as it is written. A scratch grid needs one slice."""
    values = np.zeros(slices * layout.lines * layout.width + 2 * layout.guard, np.float32)
    return Grid(values, np.zeros((slices, 2), np.int64))


@njit(cache=True, nogil=True)
def value_at(grid, layout, z, row, column):
    """The value of a smoothed grid at a voxel of the result."""
    x, y = row - layout.first, column - layout.first
    if min(x, y) < 0 or max(x, y) >= layout.reached:
        return np.float32(0)
    return grid.values[layout.guard + (z * layout.lines + x) * layout.width + y]


@njit(cache=True, nogil=True)
def quantise(points, rotations, translation, resolution, depth, xy_scale, depth_bias, cells, depth_values):
    """Write the voxel and the depth value of every point of a cloud in one view.

    points f4 [P, 3], P > 0; rotations f4 [T, 3, 3], applied one after the other; translation f4 [3]. Into cells i4
    [3, P] go x, y, z: x and y clipped to 1..resolution-2, z to 0..depth-1, which matters only where float32 overflows.
    Into depth_values f4 [P] go the depth values, clipped to 1..depth-2 and not rounded. Order and precision of every
    operation follow the released code (float32 throughout).
    """
    count = points.shape[0]
    turned = np.empty((3, count), np.float32)
    for axis in range(3):
        for p in range(count):
            turned[axis, p] = points[p, axis]
    for turn in range(rotations.shape[0]):
        _rotate(turned, rotations[turn])
    lows, highs, largest = np.empty(3, np.float32), np.empty(3, np.float32), np.float32(0)
    for axis in range(3):
        line = turned[axis]
        for p in range(count):
            line[p] -= translation[axis]
        lows[axis], highs[axis] = -_largest(-line), _largest(line.copy())
        largest = max(largest, highs[axis] - lows[axis])
    largest = largest if largest > 0 else ONE
    size, last = np.float32(resolution), np.float32(resolution - 2)
    for axis in range(2):
        line, out, centre = turned[axis], cells[axis], (highs[axis] + lows[axis]) / TWO
        for p in range(count):
            scaled = (line[p] - centre) / largest * TWO * xy_scale
            out[p] = np.int32(_clip(np.ceil((scaled + ONE) / TWO * size), ONE, last))
    line, out, centre = turned[2], cells[2], (highs[2] + lows[2]) / TWO
    span, top = ONE + depth_bias, np.float32(depth - 2)
    for p in range(count):
        scaled = (line[p] - centre) / largest * TWO
        value = ((scaled + ONE) / TWO + depth_bias) / span * top
        out[p] = np.int32(_clip(np.ceil(value), ZERO, top + ONE))
        depth_values[p] = _clip(value, ONE, top)


@njit(cache=True, nogil=True)
def _clip(value, low, high):
    """The value f4 in low..high; NaN becomes low, so that the result is always a valid index."""
    value = value if value >= low else low
    return value if value <= high else high


@njit(cache=True, nogil=True)
def _rotate(turned, rotation):
    """Rotate turned f4 [3, P] in place: every column, as a row vector, times rotation f4 [3, 3]."""
    xs, ys, zs = turned[0], turned[1], turned[2]
    a, b, c = rotation[0, 0], rotation[0, 1], rotation[0, 2]
    d, e, f = rotation[1, 0], rotation[1, 1], rotation[1, 2]
    g, h, i = rotation[2, 0], rotation[2, 1], rotation[2, 2]
    for p in range(xs.size):
        x, y, z = xs[p], ys[p], zs[p]
        xs[p] = x * a + y * d + z * g
        ys[p] = x * b + y * e + z * h
        zs[p] = x * c + y * f + z * i


@njit(cache=True, nogil=True)
def _largest(line):
    """Largest of line f4 [L], which is overwritten: the maximum of its two halves until one value is left."""
    count = line.size
    while count > 1:
        half = count // 2
        _keep_larger(line[:half], line[count - half : count])
        count -= half
    return line[0]


@njit(cache=True, nogil=True)
def _keep_larger(cells, others):
    """Replace cells f4 [L] by the maximum of cells and others f4 [L]; their memory must not overlap."""
    for c in range(cells.size):
        other, held = others[c], cells[c]
        cells[c] = other if other > held else held


@njit(cache=True, nogil=True)
def densify(cells, depth_values, keep_last, layout, grid, scratch):
    """Write the points into the grid and max pool it with stride 1; the previous content of the grid is erased.

    cells i4 [3, P] and depth_values f4 [P] are as `quantise` wrote them. Of several points in a voxel the largest depth
    value is kept, or with `keep_last` the last in index order (as the segmentation release does on a CPU). The pool is
    padded with 0, which is below every depth value. Result voxel (z, x, y) is the maximum of z - padding to
    z - padding + window - 1 along depth, and the same along the other axes. The result's first slice is `layout.ahead`.
    """
    for z in range(layout.slices):
        _keep_rows(grid, layout, z, 0, 0)
    _scatter(cells, depth_values, keep_last, layout, grid)
    for z in range(layout.slices):
        if grid.rows[z, 1] > 0:
            _pool_slice(grid, layout, z, scratch)
            _trim(grid, layout, z)
    _pool_depth(grid, layout)
    for z in range(layout.slices):
        if z < layout.ahead or z >= layout.ahead + layout.depth:
            _keep_rows(grid, layout, z, 0, 0)


@njit(cache=True, nogil=True)
def _place(layout, z, row):
    """Index in memory of the first voxel of a row."""
    return layout.guard + (z * layout.lines + row) * layout.width


@njit(cache=True, nogil=True)
def _keep_rows(grid, layout, z, start, stop):
    """Restrict slice z to the rows start to stop - 1: all others become 0."""
    held_start, held_stop = grid.rows[z, 0], grid.rows[z, 1]
    if held_start < start:
        grid.values[_place(layout, z, held_start) : _place(layout, z, min(start, held_stop))] = 0
    if held_stop > stop:
        grid.values[_place(layout, z, max(stop, held_start)) : _place(layout, z, held_stop)] = 0
    grid.rows[z, 0], grid.rows[z, 1] = start, stop


@njit(cache=True, nogil=True)
def _include_rows(rows, others):
    """Extend the range rows i8 [2] to include the range others i8 [2]; (0, 0) is the empty range."""
    if others[1] > 0:
        rows[0] = min(rows[0], others[0]) if rows[1] > 0 else others[0]
        rows[1] = max(rows[1], others[1])


@njit(cache=True, nogil=True)
def _scatter(cells, depth_values, keep_last, layout, grid):
    """Write points shifted by the padding, which makes up for the shift of a pool that reads only what follows.

    A cell outside the layout, which no finite cloud has, is moved to its border: nothing is written outside the grid.
    """
    values, rows = grid
    for p in range(depth_values.size):
        z = min(max(cells[2, p] + layout.padding[0] + layout.ahead, 0), layout.slices - 1)
        x = min(max(cells[0, p] + layout.padding[1] - layout.first, 0), layout.lines - 1)
        y = min(max(cells[1, p] + layout.padding[2] - layout.first, 0), layout.width - 1)
        place = _place(layout, z, x) + y
        if keep_last or depth_values[p] > values[place]:
            values[place] = depth_values[p]
        if rows[z, 1] == 0:
            rows[z, 0], rows[z, 1] = x, x + 1
        else:
            rows[z, 0], rows[z, 1] = min(rows[z, 0], x), max(rows[z, 1], x + 1)


@njit(cache=True, nogil=True)
def _pool_slice(grid, layout, z, scratch):
    """Max pool of one slice along columns, then rows; the window doubles (1, 2, 4, ...) up to its size."""
    first, last = max(grid.rows[z, 0] - layout.window[1] + 1, 0), grid.rows[z, 1]
    grid.rows[z, 0] = first
    _keep_rows(scratch, layout, 0, first, last)
    here, there = _place(layout, z, first), _place(layout, 0, first)
    source, target = grid.values[here:], scratch.values[there:]
    count, swapped = (last - first) * layout.width, False
    for axis in (2, 1):
        covered, stride = 1, 1 if axis == 2 else layout.width
        while covered < layout.window[axis]:
            step = min(covered, layout.window[axis] - covered)
            _larger_of(target[:count], source[:count], source[step * stride : step * stride + count])
            source, target, swapped = target, source, not swapped
            covered += step
    if swapped:
        _copy(target[:count], source[:count])


@njit(cache=True, nogil=True)
def _larger_of(target, cells, others):
    """Write the maximum of cells f4 [L] and others f4 [L] into target f4 [L], which overlaps neither in memory."""
    for c in range(target.size):
        other, cell = others[c], cells[c]
        target[c] = other if other > cell else cell


@njit(cache=True, nogil=True)
def _copy(target, source):
    """Copy source f4 [L] to target f4 [L]; numba compiles a plain loop better than an assignment of slices."""
    for c in range(target.size):
        target[c] = source[c]


@njit(cache=True, nogil=True)
def _trim(grid, layout, z):
    """Set to 0 what lies beyond the result's rows and columns: the next steps read it as padding."""
    last = min(grid.rows[z, 1], layout.reached)
    _keep_rows(grid, layout, z, min(grid.rows[z, 0], last), last)
    for x in range(grid.rows[z, 0], grid.rows[z, 1]):
        row = _place(layout, z, x)
        grid.values[row + layout.reached : row + layout.width] = 0


@njit(cache=True, nogil=True)
def _pool_depth(grid, layout):
    """Max pool along depth, in place: the slices that are read come after the one that is written."""
    covered = 1
    while covered < layout.window[0]:
        step = min(covered, layout.window[0] - covered)
        for z in range(layout.slices - step):
            _include_rows(grid.rows[z], grid.rows[z + step])
            first, last = grid.rows[z + step]
            here, there = _place(layout, z, first), _place(layout, z + step, first)
            count = (last - first) * layout.width
            _keep_larger(grid.values[here : here + count], grid.values[there : there + count])
        covered += step


@njit(cache=True, nogil=True)
def smooth(grid, kernels, layout, scratch):
    """Convolve the densified grid with kernels f4 [K_depth, K_row, K_column], odd and padded with 0, one after another.

    The result's first slice is 0. A kernel that is an outer product is best given as its factors. The one along columns
    must come first, because the columns beyond the result are undefined after it; at most one factor may be longer than
    1 along depth.
    """
    for kernel in kernels:
        if kernel.size > 1:
            _convolve(grid, kernel, layout, scratch)


@njit(cache=True, nogil=True)
def _convolve(grid, kernel, layout, scratch):
    """One convolution, slice by slice through the scratch grid; along depth slice z becomes the sum of z, z + 1, ..."""
    shifts, taps = _taps(kernel, layout)
    rows = np.zeros(2, np.int64)
    for z in range(layout.depth if kernel.shape[0] > 1 else layout.slices):
        rows[:] = 0
        for other in range(z, min(z + kernel.shape[0], layout.slices)):
            _include_rows(rows, grid.rows[other])
        if rows[1] > 0:
            rows[0] = max(rows[0] - kernel.shape[1] // 2, 0)
            rows[1] = min(rows[1] + kernel.shape[1] // 2, layout.reached)
            _keep_rows(scratch, layout, 0, rows[0], rows[1])
            _convolve_slice(grid, z, shifts, taps, layout, scratch, rows)
        _keep_rows(grid, layout, z, rows[0], rows[1])
        here, there = _place(layout, z, rows[0]), _place(layout, 0, rows[0])
        count = (rows[1] - rows[0]) * layout.width
        _copy(grid.values[here : here + count], scratch.values[there : there + count])


@njit(cache=True, nogil=True)
def _taps(kernel, layout):
    """Offset in memory of every tap in a slice of the kernel, and weights [K_depth, T]; T is a multiple of 3."""
    lines, columns = kernel.shape[1:]
    count = -(-lines * columns // 3) * 3
    shifts, taps = np.zeros(count, np.int64), np.zeros((kernel.shape[0], count), np.float32)
    for i in range(lines):
        for j in range(columns):
            shifts[i * columns + j] = (i - lines // 2) * layout.width + j - columns // 2
            taps[:, i * columns + j] = kernel[:, i, j]
    return shifts, taps


@njit(cache=True, nogil=True)
def _convolve_slice(grid, z, shifts, taps, layout, scratch, rows):
    """Weighted sum of slices z, z + 1, ... into the given rows of the scratch grid, three taps in one pass."""
    there = _place(layout, 0, rows[0])
    target = scratch.values[there : there + (rows[1] - rows[0]) * layout.width]
    fresh = True
    for k in range(min(taps.shape[0], layout.slices - z)):
        if grid.rows[z + k, 1] > 0:
            here = _place(layout, z + k, rows[0])
            for tap in range(0, shifts.size, 3):
                _weigh(grid.values, here, shifts[tap : tap + 3], taps[k, tap : tap + 3], fresh, target)
                fresh = False


@njit(cache=True, nogil=True)
def _weigh(values, here, shifts, taps, fresh, target):
    """Weighted sum of three shifted ranges of values, written to target f4 [L] if fresh, else added to it."""
    count, a, b, c = target.size, taps[0], taps[1], taps[2]
    first = values[here + shifts[0] : here + shifts[0] + count]
    second = values[here + shifts[1] : here + shifts[1] + count]
    third = values[here + shifts[2] : here + shifts[2] + count]
    if fresh:
        for k in range(count):
            target[k] = a * first[k] + b * second[k] + c * third[k]
    else:
        for k in range(count):
            target[k] += a * first[k] + b * second[k] + c * third[k]


@njit(cache=True, nogil=True)
def squeeze(grid, layout, white_background, depth_map):
    """Maximum along depth, divided by the map's maximum, into depth_map f4 [R, R]; returns that maximum.

    White background: 1 minus the quotient, so the background is exactly 1 and the nearest surface 0 (as released).
    Black background: the quotient itself, so the background is exactly 0.
    """
    depth_map[:] = 0
    for z in range(layout.depth):
        for x in range(grid.rows[z, 0], grid.rows[z, 1]):
            row = _place(layout, z, x)
            target = depth_map[layout.first + x, layout.first : layout.first + layout.reached]
            _keep_larger(target, grid.values[row : row + layout.reached])
    largest = _largest(depth_map.copy().reshape(-1))
    for x in range(layout.size):
        line = depth_map[x]
        for y in range(layout.size):
            value = line[y] / largest
            line[y] = ONE - value if white_background else value
    return largest
