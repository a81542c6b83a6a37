"""Lambert shading: maps in which a surface is bright where it faces the light, instead of where it is near or far.

Sun et al. (2024, Exploiting GPT-4 Vision for Zero-shot Point Cloud Understanding, arXiv 2401.07572) compare pictures of
point clouds and find grey renderings better than depth maps, with GPT-4V; for CLIP nothing is reported. The surface,
its normals and the light are ours:

1. quantise and densify as PointCLIP V2 does, squeeze, and close the outline as `contour` does;
2. `contour`'s bilateral filter, `PASSES` times: slopes show steps of the max pool that a depth map hides;
3. the height h of the surface above the map, in pixels; its normal is (-dh/drow, -dh/dcolumn, 1), scaled to length 1,
   by differences of neighbours inside the outline;
4. brightness ALBEDO * (AMBIENT + (1 - AMBIENT) * max(0, normal . light)) (Lambert's cosine law).

`depth_shaded` is the mean of that brightness and the depth map of the same surface.
"""

import numpy as np
from numba import njit

from stages.projection.contour import filter_inside, outline

PASSES = 3
AMBIENT, ALBEDO = np.float32(0.25), np.float32(0.9)  # light from everywhere; below 1, so that white is background alone
_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)


@njit(cache=True, nogil=True)
def shade(depth_map, window, kernel, range_sigma, height, light, with_depth, white_background):
    """Replace a squeezed depth_map f4 [R, R] (nearest 1, background 0) by its shaded surface, in 0..1.

    `height` is that of 1 in depth_map, in pixels; light f4 [3] is the unit vector towards the light along rows, columns
    and towards the viewer. The background is exactly 1 or 0.
    """
    foreground, surface, target = np.empty(depth_map.shape, np.bool_), depth_map.copy(), np.empty_like(depth_map)
    outline(depth_map, window[1], window[2], foreground)
    for _ in range(PASSES):
        filter_inside(surface, foreground, kernel, range_sigma, target)
        surface, target = target, surface
    for x in range(depth_map.shape[0]):
        for y in range(depth_map.shape[1]):
            if foreground[x, y]:
                down, across = slope(surface, foreground, x, y, 1, 0), slope(surface, foreground, x, y, 0, 1)
                value = brightness(down * height, across * height, light)
                if with_depth:
                    value = (value + (_ONE - surface[x, y] if white_background else surface[x, y])) / _TWO
                depth_map[x, y] = value
            else:
                depth_map[x, y] = _ONE if white_background else _ZERO


@njit(cache=True, nogil=True)
def slope(surface, foreground, x, y, down, across):
    """Mean difference f4 of pixel (x, y) and its neighbours (down, across) away, of those in the foreground."""
    total, count, size = _ZERO, _ZERO, surface.shape[0]
    for side in (-1, 1):
        i, j = x + side * down, y + side * across
        if 0 <= i < size and 0 <= j < size and foreground[i, j]:
            total += np.float32(side) * (surface[i, j] - surface[x, y])
            count += _ONE
    return total / max(count, _ONE)


@njit(cache=True, nogil=True)
def brightness(down, across, light):
    """Brightness f4 of a surface that rises by `down` a row and `across` a column, in the light f4 [3]."""
    cosine = (light[2] - down * light[0] - across * light[1]) / np.sqrt(down * down + across * across + _ONE)
    return ALBEDO * (AMBIENT + (_ONE - AMBIENT) * max(cosine, _ZERO))
