"""Random changes of a cloud before it is rendered for training."""

import numpy as np

from stages.core.sampling import farthest_points

POINTS_SHOWN = (512, 2048)


def augment(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Points f4 [P, 3], y up, turned, mirrored, stretched, thinned and shaken at random -> f4 [Q, 3]."""
    low, high = POINTS_SHOWN
    count = min(len(points), int(rng.integers(low, high + 1)))
    evenly = rng.random() < 0.6
    points = points[
        farthest_points(points, count, int(rng.integers(len(points))))
        if evenly
        else rng.permutation(len(points))[:count]
    ]
    quarter_turns = rng.random() < 0.7
    yaw = rng.integers(4) * np.pi / 2 + rng.normal(0, 0.1) if quarter_turns else rng.uniform(0, 2 * np.pi)
    tilt, roll = rng.normal(0, 0.05, size=2)
    stretch = np.exp(rng.uniform(-0.12, 0.12, size=3)) * (rng.choice((-1, 1)), 1, 1)
    noise = rng.normal(0, rng.choice((0, 0.005, 0.015)), size=points.shape)
    return ((points * stretch + noise) @ _rotation(yaw, tilt, roll).T).astype(np.float32)


def _rotation(yaw: float, tilt: float, roll: float) -> np.ndarray:
    """Rotation [3, 3]: about y by `yaw`, after about x by `tilt`, after about z by `roll` (radians)."""
    turned = np.eye(3)
    for i, j, angle in ((0, 1, roll), (1, 2, tilt), (2, 0, yaw)):
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        turned = step @ turned
    return turned
