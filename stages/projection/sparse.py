"""PointCLIP's projection: every point becomes one pixel of a perspective view, nothing is filled or smoothed.

Zhang et al., PointCLIP (CVPR 2022): a point (x, y, z) has the pixel (ceil(x / z), ceil(y / z)). Here the cloud is
centred and scaled into the unit sphere, and the camera is `CAMERA` from its centre; the sphere's outline spans
`xy_scale` of the map. A pixel has the inverse depth of its nearest point, scaled to 1 at the nearest point of the view.
The released V1 code spreads points over neighbouring pixels by default; this baseline does not.
"""

import numpy as np
from numba import njit

CAMERA = 1.4  # distance from the centre, in radii of the cloud
_ONE, _TWO = np.float32(1), np.float32(2)


@njit(cache=True, nogil=True)
def perspective(points, rotations, resolution, xy_scale, cells, depth_values):
    """Write pixel and inverse depth of every point in one view: cells i4 [3, P] (row, column, 0), depth_values f4 [P].

    points f4 [P, 3]; rotations f4 [T, 3, 3], applied one after the other. The inverse depth is in 0..1.
    """
    count = points.shape[0]
    turned = np.empty((count, 3), np.float32)
    centre, radius = np.empty(3, np.float32), np.float32(0)
    for axis in range(3):
        centre[axis] = (points[:, axis].max() + points[:, axis].min()) / _TWO
    for p in range(count):
        square = np.float32(0)
        for axis in range(3):
            turned[p, axis] = points[p, axis] - centre[axis]
            square += turned[p, axis] * turned[p, axis]
        radius = max(radius, np.sqrt(square))
    radius = radius if radius > 0 else _ONE
    for turn in range(rotations.shape[0]):
        for p in range(count):
            x, y, z = turned[p, 0], turned[p, 1], turned[p, 2]
            for axis in range(3):
                turned[p, axis] = (
                    x * rotations[turn, 0, axis] + y * rotations[turn, 1, axis] + z * rotations[turn, 2, axis]
                )
    spread = np.float32(np.sqrt(CAMERA * CAMERA - 1)) * xy_scale
    nearest = np.float32(np.inf)
    for p in range(count):
        distance = np.float32(CAMERA) - turned[p, 2] / radius
        nearest = min(nearest, distance)
        for axis in range(2):
            cell = np.ceil((turned[p, axis] / radius / distance * spread + _ONE) / _TWO * np.float32(resolution))
            cells[axis, p] = np.int32(min(max(cell, _ONE), np.float32(resolution - 2))) if cell == cell else 1
        cells[2, p] = 0
        depth_values[p] = distance
    for p in range(count):
        depth_values[p] = nearest / depth_values[p]


@njit(cache=True, nogil=True)
def splat(cells, depth_values, white_background, depth_map):
    """Write the nearest point of every pixel into depth_map f4 [R, R]; pixels without a point are background."""
    depth_map[:] = 0
    for p in range(depth_values.size):
        depth_map[cells[0, p], cells[1, p]] = max(depth_map[cells[0, p], cells[1, p]], depth_values[p])
    if white_background:
        for x in range(depth_map.shape[0]):
            for y in range(depth_map.shape[1]):
                depth_map[x, y] = _ONE - depth_map[x, y]
