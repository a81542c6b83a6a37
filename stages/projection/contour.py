"""Contour-aware projection: depth maps whose outlines and depth edges stay sharp.

Follows the idea of OpenDlign (Mao et al., 2024, contour-aware projection): quantise and densify are those of PointCLIP
V2, but the smoothing preserves edges. The constants are ours, as no released ones were available:

1. squeeze comes first, so that only the front surface is smoothed and surfaces behind it do not mix into it;
2. the foreground is the morphological closing of the pixels that contain points (the max pool followed by an erosion
   with the same window): gaps between points are closed, but the outline does not grow by half a window as in V2;
3. a bilateral filter inside the foreground only: the chosen kernel times exp(-(difference / range_sigma)^2 / 2) of the
   depth values. Background pixels have no weight, so they do not change the pixels along the outline.

OpenDlign filters the voxel grid before it squeezes; we filter the map, which takes an eighth of the operations.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def outline(depth_map, rows, columns, foreground):
    """Erode the pixels with depth_map > 0 by a window of rows x columns into foreground bool [R, R].

    What lies outside the map counts as foreground.
    """
    size = depth_map.shape[0]
    for x in range(size):
        for y in range(size):
            inside = depth_map[x, y] > 0
            for i in range(max(x - rows // 2, 0), min(x + rows // 2 + 1, size)):
                if not inside:
                    break
                for j in range(max(y - columns // 2, 0), min(y + columns // 2 + 1, size)):
                    inside = inside and depth_map[i, j] > 0
            foreground[x, y] = inside


@njit(cache=True, nogil=True)
def filter_inside(depth_map, foreground, kernel, range_sigma, target):
    """Bilateral filter of depth_map f4 [R, R] inside the foreground with kernel f4 [K_row, K_column]; 0 elsewhere."""
    size, rows, columns = depth_map.shape[0], kernel.shape[0] // 2, kernel.shape[1] // 2
    for x in range(size):
        for y in range(size):
            total, weights = np.float32(0), np.float32(0)
            if foreground[x, y]:
                for i in range(max(x - rows, 0), min(x + rows + 1, size)):
                    for j in range(max(y - columns, 0), min(y + columns + 1, size)):
                        if foreground[i, j]:
                            difference = (depth_map[i, j] - depth_map[x, y]) / range_sigma
                            closeness = np.exp(-difference * difference / np.float32(2))
                            weight = kernel[i - x + rows, j - y + columns] * closeness
                            total += weight * depth_map[i, j]
                            weights += weight
            target[x, y] = total / weights if weights > 0 else np.float32(0)


@njit(cache=True, nogil=True)
def contour_smooth(depth_map, window, kernel, range_sigma, white_background):
    """Smooth a squeezed depth_map f4 [R, R] (nearest 1, background 0) in place and keep its contours."""
    foreground, filtered = np.empty(depth_map.shape, np.bool_), np.empty_like(depth_map)
    outline(depth_map, window[1], window[2], foreground)
    filter_inside(depth_map, foreground, kernel, range_sigma, filtered)
    largest = filtered.max()
    for x in range(depth_map.shape[0]):
        for y in range(depth_map.shape[1]):
            value = filtered[x, y] / largest
            depth_map[x, y] = np.float32(1) - value if white_background else value
