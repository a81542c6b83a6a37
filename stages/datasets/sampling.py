"""Fewer points of a cloud: farthest-point sampling, compiled."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def farthest_points(points, count, start):
    """Indices i8 [count] of `points` f4 [P, >=3] by farthest-point sampling from index `start` (Eldar et al. 1997).

    Each next point is the one farthest from all chosen before it; ties go to the lower index. Needs count <= P.
    """
    chosen = np.empty(count, np.int64)
    distance = np.full(len(points), np.inf, np.float32)
    chosen[0] = start
    for k in range(1, count):
        last = points[chosen[k - 1]]
        best, best_distance = 0, np.float32(-1)
        for i in range(len(points)):
            dx, dy, dz = points[i, 0] - last[0], points[i, 1] - last[1], points[i, 2] - last[2]
            distance[i] = min(distance[i], dx * dx + dy * dy + dz * dz)
            if distance[i] > best_distance:
                best, best_distance = i, distance[i]
        chosen[k] = best
    return chosen
