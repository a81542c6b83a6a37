"""Floor and walls of a scan: the points that lie on large planes, found without a network.

The scan's z points up. Lengths are metres.
"""

import numpy as np

from stages.config.detect import Planes

CELL = 0.1  # side of the cells in which area is counted


def floor_height(points: np.ndarray, *, thickness: float) -> float:
    """Height of the floor under `points` [M, 3]: the middle of the fullest layer in the lower half of the scan."""
    heights = points[:, 2]
    lowest, highest = np.quantile(heights, (0.001, 0.999))
    lower = np.sort(heights[heights <= (lowest + highest) / 2])
    within = np.searchsorted(lower, lower + thickness, side="right") - np.arange(len(lower))
    first = np.argmax(within)
    return float(np.median(lower[first : first + within[first]]))


def above_floor(points: np.ndarray, *, thickness: float) -> np.ndarray:
    """Which of `points` [M, 3] are higher than the slab of `thickness` metres around the floor, bool [M]."""
    return points[:, 2] > floor_height(points, thickness=thickness) + thickness / 2


def on_walls(points: np.ndarray, planes: Planes, rng: np.random.Generator) -> np.ndarray:
    """Which of `points` [M, 3] lie on a vertical plane of at least `planes.wall_area` square metres, bool [M].

    RANSAC seen from above, on one point a cell so that a dense object near the scanner is no wall: the best of
    `planes.hypotheses` random lines is a wall when its plane covers that area; its points are removed, and the search
    repeats until no plane does.
    """
    walls, rest = np.zeros(len(points), bool), one_per_voxel(points, CELL)
    while len(rest) > 1:
        normal, offset = _best_line(rest[:, :2], planes, rng)
        near = np.abs(rest[:, :2] @ normal - offset) < planes.thickness / 2
        if _area(rest[near]) < planes.wall_area:
            break
        walls |= np.abs(points[:, :2] @ normal - offset) < planes.thickness / 2
        rest = rest[~near]
    return walls


def one_per_voxel(points: np.ndarray, side: float) -> np.ndarray:
    """The first point of every voxel of `side`, in the voxels' order."""
    _, first = np.unique(np.floor(points / side).astype(np.int64), axis=0, return_index=True)
    return points[first]


def _best_line(points: np.ndarray, planes: Planes, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Unit normal [2] and offset of the line, through two of `points` [M, 2], that has most of them near it."""
    start, end = points[rng.integers(len(points), size=(2, planes.hypotheses))]
    along = end - start
    normals = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.maximum(np.linalg.norm(along, axis=1), 1e-9)[:, None]
    offsets = (normals * start).sum(axis=1)
    # two equal points have no direction: that line has no point near it
    near = (np.abs(points @ normals.T - offsets) < planes.thickness / 2) & normals.any(axis=1)
    best = np.argmax(near.sum(axis=0))
    return normals[best], float(offsets[best])


def _area(points: np.ndarray) -> float:
    """Square metres that points [M, 3] of one vertical plane cover, counted in squares of CELL."""
    if not len(points):
        return 0.0
    along = points[:, np.argmax(np.ptp(points[:, :2], axis=0))]
    cells = np.floor(np.stack([along, points[:, 2]], axis=1) / CELL).astype(np.int64)
    return len(np.unique(cells, axis=0)) * CELL**2
