"""Normals of the surface that points lie on, from each point's nearest others.

P points, k nearest others of each.
"""

import numpy as np
from scipy.spatial import cKDTree

ROUNDS = 8  # of turning normals to their neighbours'; they settle in about five


def nearest_others(points: np.ndarray, count: int) -> np.ndarray:
    """Indices i8 [P, k] of the `count` points nearest to each of `points` [P, 3] besides itself, fewer where P is."""
    count = min(count, len(points) - 1)
    return cKDTree(points).query(points, k=count + 1)[1].reshape(len(points), count + 1)[:, 1:]


def normals(points: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Unit normals f8 [P, 3]: the direction in which a point and its `nearest` [P, k] spread least (Hoppe et al. 1992).

    The analysis of the neighbours leaves the sign open; `turned_alike` sets it.
    """
    around = np.concatenate([points[:, None], points[nearest]], axis=1).astype(np.float64)
    around -= around.mean(axis=1, keepdims=True)
    spread = around.swapaxes(1, 2) @ around
    return turned_alike(points, np.linalg.eigh(spread)[1][:, :, 0], nearest)


def turned_alike(points: np.ndarray, unsigned: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """`unsigned` normals [P, 3] away from the middle of the points, then round by round as most of the nearest point.

    SimpleGeoZe's way to raise the sum of sign * sign * (normal . normal) over neighbours.
    """
    signs = np.where(((points - points.mean(axis=0)) * unsigned).sum(axis=1) < 0, -1.0, 1.0)
    alike = np.einsum("pi,pki->pk", unsigned, unsigned[nearest])
    for _ in range(ROUNDS):
        votes = (alike * signs[nearest]).sum(axis=1)
        turned = np.where(votes == 0, signs, np.sign(votes))
        if (turned == signs).all():
            break
        signs = turned
    return unsigned * signs[:, None]
