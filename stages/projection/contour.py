"""Contour-aware projection: depth maps whose outlines and depth edges stay crisp.

Follows the idea of OpenDlign (Mao et al., 2024, contour-aware projection): keep quantise and densify of PointCLIP V2,
but replace the smoothing by one that respects edges. Ours, as no released constants were at hand:

1. squeeze first, so that only the front surface is smoothed and what lies behind it cannot bleed through;
2. foreground is the morphological closing of the pixels that points reach (the max pool followed by an erosion of the
   same window): gaps between points are closed, but the outline does not grow by half a pool window as in V2;
3. a bilateral filter inside the foreground only: the chosen kernel times exp(-(difference / range_sigma)^2 / 2) of the
   depth values. Background takes no part, so it neither bleeds over the outline nor darkens by it.

OpenDlign filters the voxel grid before it squeezes; we filter the map, which is the same surface at an eighth of the
work.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def outline(near, rows, columns, foreground):
    """Erode the pixels with near > 0 by a window of rows x columns into foreground bool [R, R]; outside is lit."""
    size = near.shape[0]
    for x in range(size):
        for y in range(size):
            lit = near[x, y] > 0
            for i in range(max(x - rows // 2, 0), min(x + rows // 2 + 1, size)):
                if not lit:
                    break
                for j in range(max(y - columns // 2, 0), min(y + columns // 2 + 1, size)):
                    lit = lit and near[i, j] > 0
            foreground[x, y] = lit


@njit(cache=True, nogil=True)
def filter_inside(near, foreground, kernel, range_sigma, target):
    """Bilateral filter of near f4 [R, R] inside the foreground, with kernel f4 [K_row, K_column]; 0 outside of it."""
    size, rows, columns = near.shape[0], kernel.shape[0] // 2, kernel.shape[1] // 2
    for x in range(size):
        for y in range(size):
            total, weights = np.float32(0), np.float32(0)
            if foreground[x, y]:
                for i in range(max(x - rows, 0), min(x + rows + 1, size)):
                    for j in range(max(y - columns, 0), min(y + columns + 1, size)):
                        if foreground[i, j]:
                            difference = (near[i, j] - near[x, y]) / range_sigma
                            closeness = np.exp(-difference * difference / np.float32(2))
                            weight = kernel[i - x + rows, j - y + columns] * closeness
                            total += weight * near[i, j]
                            weights += weight
            target[x, y] = total / weights if weights > 0 else np.float32(0)


@njit(cache=True, nogil=True)
def crisp(near, window, kernel, range_sigma, white_background):
    """Turn a squeezed map near f4 [R, R] (nearest 1, background 0) into its contour-aware form, in place."""
    foreground, filtered = np.empty(near.shape, np.bool_), np.empty_like(near)
    outline(near, window[1], window[2], foreground)
    filter_inside(near, foreground, kernel, range_sigma, filtered)
    largest = filtered.max()
    for x in range(near.shape[0]):
        for y in range(near.shape[1]):
            value = filtered[x, y] / largest
            near[x, y] = np.float32(1) - value if white_background else value
