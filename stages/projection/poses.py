"""Clouds in the pose in which they are rendered: upright, or the test split turned at random as a control.

Zhao et al. (2023, Open-Pose 3D Zero-Shot Learning, arXiv 2312.07039) measure zero-shot methods on objects in any pose,
because all others measure them on upright ones. How turns are drawn here is ours.
"""

from collections.abc import Sequence

import numpy as np

from stages.config.render import Render
from stages.projection.clouds import orient


def posed(points: np.ndarray, up_axis: str, render: Render, *, split: str, first_sample: int = 0) -> np.ndarray:
    """Clouds [N, P, 3 or more] of a split with y up; those of the test split turned as `render.rotate_test` says.

    A sample's turn depends on the seed and its number in the split alone, counted from `first_sample`: about y by any
    angle, or any rotation, each as likely as every other.
    """
    points = orient(points, up_axis)
    if split == "test" and render.rotate_test != "none":
        for number, cloud in enumerate(points, first_sample):
            cloud[:, :3] = cloud[:, :3] @ random_turn(render.rotate_test, seed=(render.rotate_seed, number)).T
    return points


def random_turn(about: str, *, seed: Sequence[int]) -> np.ndarray:
    """A random rotation f4 [3, 3] about the axis y (`up`) or about any (`any`), uniform over all of them."""
    from scipy.spatial.transform import Rotation  # here: it takes long to import, and only a control needs it

    rng = np.random.default_rng(seed)
    if about == "up":
        turn = Rotation.from_euler("y", rng.uniform(0, 2 * np.pi))
    else:
        turn = Rotation.from_quat(rng.normal(size=4))  # normal numbers point everywhere alike, in four dimensions too
    return turn.as_matrix().astype(np.float32)
