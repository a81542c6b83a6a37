"""View sets by name: the rotations of a point cloud, one or more for each view.

Row-vector convention: a point becomes `p @ rotations[v, 0] @ rotations[v, 1] @ ... - translation`. Afterwards x is the
row of the depth map (downwards), y its column, and z grows towards the viewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import atan2, hypot, pi

import numpy as np


@dataclass(frozen=True, kw_only=True)
class ViewSet:
    """Views by name; `turns[v]` lists the turns of view v, each as angles (a, b, c) about x, y, z in units of pi."""

    names: tuple[str, ...]
    turns: tuple[tuple[tuple[float, float, float], ...], ...]
    translation: tuple[float, float, float]

    def rotations(self) -> np.ndarray:
        """Rotation matrices f4 [V, T, 3, 3], T turns applied one after the other."""
        return np.array([[turn_matrix(*turn) for turn in view] for view in self.turns], np.float32)

    def directions(self) -> np.ndarray:
        """Unit vectors f4 [V, 3] from an object to the viewer: what the turns bring to z."""
        return np.stack([reduce(np.matmul, view)[:, 2] for view in self.rotations()])


def turn_matrix(a: float, b: float, c: float) -> np.ndarray:
    """Transpose of Rx(a pi) Ry(b pi) Rz(c pi), f4 [3, 3], to be multiplied from the right of row vectors.

    The angle is rounded to float32 first and the products are taken in float32: that is what the released code uses,
    and the cells of a few points depend on it.
    """
    angles = np.array([a * np.pi, b * np.pi, c * np.pi], np.float32).astype(np.float64)
    (ca, cb, cc), (sa, sb, sc) = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]], np.float32)
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]], np.float32)
    about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]], np.float32)
    return (about_x @ about_y @ about_z).T


SIDE_TILT, POLE_TILT = (0.0, 1 / 9, 0.0), (0.0, 1 / 15, 0.0)
QUARTER_TURNS = ((0, 0, 1 / 2), (1 / 2, 0, 1 / 2), (1, 0, 1 / 2), (3 / 2, 0, 1 / 2))
DIAGONAL_TURNS = ((1 / 4, 0, 1 / 2), (3 / 4, 0, 1 / 2), (5 / 4, 0, 1 / 2), (7 / 4, 0, 1 / 2))
POLE_TURNS = ((0, -1 / 2, 1 / 2), (0, 1 / 2, 1 / 2))  # from below, from above


def seen_from(directions: Sequence[tuple[float, float, float]], *, in_plane: Sequence[float]) -> ViewSet:
    """Views from every direction (x, y, z), y shown upwards and turned by each of `in_plane`, in units of pi."""
    names, turns = [], []
    for n, (x, y, z) in enumerate(directions):
        towards = ((0.0, -atan2(x, z) / pi, 0.0), (atan2(y, hypot(x, z)) / pi, 0.0, 0.0))
        for turn in in_plane:
            names.append(f"vertex_{n}" if len(in_plane) == 1 else f"vertex_{n}_turned_{180 * turn:.0f}")
            turns.append((*towards, (0.0, 0.0, 1 / 2 + turn)))
    return ViewSet(names=tuple(names), turns=tuple(turns), translation=(0.0, 0.0, 0.0))


def cyclic(a: float, b: float, c: float) -> list[tuple[float, float, float]]:
    """The three points that (a, b, c) becomes where its coordinates change places in a circle."""
    return [(a, b, c), (b, c, a), (c, a, b)]


# Vertices of regular polyhedra, evenly spread directions of which none is up. Su et al. (2015, MVCNN) place cameras so,
# with four turns in the plane of the picture, for objects without a common upright pose.
SIGNS, GOLDEN = (-1, 1), (1 + 5**0.5) / 2
ICOSAHEDRON = [vertex for i in SIGNS for j in SIGNS for vertex in cyclic(0, i, j * GOLDEN)]
CUBE = [(i, j, k) for i in SIGNS for j in SIGNS for k in SIGNS]
DODECAHEDRON = CUBE + [vertex for i in SIGNS for j in SIGNS for vertex in cyclic(0, i / GOLDEN, j * GOLDEN)]

# A view set is added by one more entry: names of the views, turns of each view and a translation.
VIEW_SETS: dict[str, ViewSet] = {
    "v2_classification": ViewSet(
        names=("diagonal_0", "diagonal_1", "diagonal_2", "diagonal_3", "side_0", "side_1", "side_2", "side_3")
        + ("pole_0", "pole_1"),
        turns=tuple((turn, SIDE_TILT) for turn in DIAGONAL_TURNS + QUARTER_TURNS)
        + tuple((turn, POLE_TILT) for turn in POLE_TURNS),
        translation=(-0.5, -0.5, -1.5),
    ),
    "v2_segmentation": ViewSet(
        names=("raised_0", "raised_1", "raised_2", "raised_3", "side_0", "side_1", "side_2", "side_3")
        + ("pole_0", "pole_1"),
        turns=tuple((turn, (1 / 4, 0.0, 0.0), SIDE_TILT) for turn in QUARTER_TURNS)
        + tuple((turn, (0.0, 0.0, 0.0), SIDE_TILT) for turn in QUARTER_TURNS)
        + tuple((turn, (1 / 15, 0.0, 0.0), POLE_TILT) for turn in POLE_TURNS),
        translation=(-0.5, -0.5, -1.5),
    ),
    "v1": ViewSet(
        names=("front", "right", "back", "left", "top", "bottom"),
        turns=tuple((turn,) for turn in QUARTER_TURNS + POLE_TURNS[::-1]),
        translation=(0.0, 0.0, 0.0),
    ),
    "icosahedron": seen_from(ICOSAHEDRON, in_plane=(0.0,)),
    "icosahedron_turned": seen_from(ICOSAHEDRON, in_plane=(0.0, 1 / 2, 1.0, 3 / 2)),
    "dodecahedron": seen_from(DODECAHEDRON, in_plane=(0.0,)),
}
