"""Points of a mesh's surface; fewer points of a cloud: the first, random or farthest ones."""

import numpy as np

from stages.artifacts.types import Clouds
from stages.core.sampling import farthest_points


def resample(points: np.ndarray, count: int) -> np.ndarray:
    """Indices i8 [count] of a cloud [P, >=3]: farthest points from the first one, or all in turn, again if too few.

    A repeated point changes no depth map, since a voxel takes the maximum of its points.
    """
    return farthest_points(points, count, 0) if count < len(points) else np.arange(count) % len(points)


def on_surface(vertices: np.ndarray, faces: np.ndarray, *, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points f8 [count, 3] drawn uniformly on triangles `faces` [F, 3] of `vertices` [V, 3].

    The same draws and arithmetic as trimesh's `sample_surface`, whose import takes longer than to classify an object.
    """
    corners = vertices[faces].astype(np.float64)
    until = np.cumsum(triangle_areas(corners))
    chosen = np.searchsorted(until, rng.random(count) * until[-1])
    origin, first, second = (corners[chosen, corner].T for corner in range(3))  # along x, y, z: long loops
    along, across = rng.random((count, 2)).T
    folded = along + across > 1  # the other half of the parallelogram is folded back
    moved = (first - origin) * np.abs(along - folded) + (second - origin) * np.abs(across - folded)
    return np.ascontiguousarray((moved + origin).T)


def triangle_areas(corners: np.ndarray) -> np.ndarray:
    """Areas f8 [F] of triangles f8 [F, 3, 3]: half the length of the cross product of two sides.

    The arithmetic of `np.cross`, which takes longer than all else for a mesh of a few triangles.
    """
    a, b, c = corners.transpose(1, 2, 0)
    (x, y, z), (u, v, w) = b - a, c - b
    return np.sqrt((y * w - z * v) ** 2 + (z * u - x * w) ** 2 + (x * v - y * u) ** 2) / 2


def thin(clouds: Clouds, *, count: int, method: str, rng: np.random.Generator) -> Clouds:
    """Clouds of `count` points: the `first`, the `farthest` from a drawn one on, or `random` ones; parts go with them.

    Random ones are without repetition and in the cloud's order. Needs count <= P. Pieces of a split,
    thinned one after the other with one `rng`, come out as the whole would.
    """
    samples, points = clouds.points.shape[:2]
    if method == "first":
        chosen = np.tile(np.arange(count), (samples, 1))
    elif method == "farthest":
        starts = rng.integers(points, size=samples)
        chosen = np.stack(
            [farthest_points(cloud, count, start) for cloud, start in zip(clouds.points, starts, strict=True)]
        )
    else:
        chosen = np.stack([np.sort(rng.permutation(points)[:count]) for _ in range(samples)])
    parts = None if clouds.parts is None else np.take_along_axis(clouds.parts, chosen, axis=1)
    return Clouds(np.take_along_axis(clouds.points, chosen[..., None], axis=1), clouds.labels, parts)
