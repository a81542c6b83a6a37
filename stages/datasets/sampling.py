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
    areas = np.sqrt((np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1]) ** 2).sum(axis=1)) / 2
    until = np.cumsum(areas)
    corners = corners[np.searchsorted(until, rng.random(count) * until[-1])]
    origins, edges = corners[:, 0], corners[:, 1:] - corners[:, :1]
    along = rng.random((count, 2, 1))
    along[along[:, 0, 0] + along[:, 1, 0] > 1] -= 1  # the other half of the parallelogram is folded back
    moved = edges * np.abs(along)
    return moved[:, 0] + moved[:, 1] + origins


def thin(clouds: Clouds, *, count: int, method: str, seed: int) -> Clouds:
    """Clouds of `count` points: the `first`, the `farthest` from a drawn one on, or `random` ones; parts go with them.

    Random ones are without repetition and in the cloud's order. Needs count <= P.
    """
    samples, points = clouds.points.shape[:2]
    rng = np.random.default_rng(seed)
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
