"""Fast Point Feature Histograms (Rusu, Blodow, Beetz: ICRA 2009): how the normals around a point lie to each other.

P points, k nearest others of each.
"""

import numpy as np

BINS = 11  # of each of the three angles
TINY = 1e-12  # instead of a division by zero


def fpfh(points: np.ndarray, normals: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Histograms f8 [P, 3 * BINS] of points [P, 3] with unit normals [P, 3], each of the three summing to 2.

    A point's own histogram plus the mean of its `nearest` [P, k] ones', weighed by 1 / distance. As in PCL and Open3D
    the weights are divided by their sum, so that the unit of length does not matter; a coinciding point weighs nothing.
    """
    away = points[nearest].astype(np.float64) - points[:, None]
    distances = np.linalg.norm(away, axis=2)
    apart = distances > 0
    own = _histograms(pair_angles(away, normals, nearest), apart)
    weights = np.divide(1.0, distances, out=np.zeros_like(distances), where=apart)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), TINY)
    return own + np.einsum("pk,pkb->pb", weights, own[nearest])


def pair_angles(away: np.ndarray, normals: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """The angles f8 [P, k, 3] of every pair of points `away` [P, k, 3] from each other, each scaled to 0..1.

    In the frame u = normal of the source, v = line x u / |line x u|, w = u x v they are alpha = v . target's normal,
    phi = u . line and theta = atan2(w . target's normal, u . target's normal). Source is the point whose normal is
    nearer to the line. Written out with sines and cosines, w = (line - phi u) / |line x u|.
    """
    line = away / np.maximum(np.linalg.norm(away, axis=2, keepdims=True), TINY)
    (x, y, z), here, there = np.moveaxis(line, 2, 0), normals.T[:, :, None], normals.T[:, nearest]
    along_here = here[0] * x + here[1] * y + here[2] * z
    along_there = there[0] * x + there[1] * y + there[2] * z
    between = (here * there).sum(axis=0)
    volume = (
        (y * here[2] - z * here[1]) * there[0]
        + (z * here[0] - x * here[2]) * there[1]
        + (x * here[1] - y * here[0]) * there[2]
    )  # line x here . there, the same for the line the other way from the other end
    swap = np.abs(along_there) > np.abs(along_here)
    phi, target = np.where(swap, -along_there, along_here), np.where(swap, -along_here, along_there)
    sine = np.sqrt(np.maximum(1 - phi**2, TINY))
    theta = np.arctan2((target - phi * between) / sine, between)
    return np.stack([(volume / sine + 1) / 2, (phi + 1) / 2, (theta + np.pi) / (2 * np.pi)], axis=2)


def _histograms(angles: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """Histograms f8 [P, 3 * BINS] over the pairs `apart` bool [P, k], each of the three summing to 1."""
    bins = np.clip((angles * BINS).astype(np.int64), 0, BINS - 1) + BINS * np.arange(3)
    rows = np.arange(len(angles))[:, None, None] * 3 * BINS + bins
    weights = np.broadcast_to((apart / np.maximum(apart.sum(axis=1, keepdims=True), 1))[:, :, None], rows.shape)
    counts = np.bincount(rows.ravel(), weights.ravel(), minlength=len(angles) * 3 * BINS)
    return counts.reshape(len(angles), 3 * BINS)
