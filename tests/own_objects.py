"""Objects as people have them, for the tests of the API and the command: a table, a room."""

from pathlib import Path

import numpy as np
import trimesh

from stages.artifacts.types import Scene
from stages.config.params import load_params
from stages.datasets.bundled_files import read_clouds, read_scans

ROOT = Path(__file__).parents[1]


def table_with_four_legs() -> trimesh.Trimesh:
    """A table, z up."""
    legs = [box((0.08, 0.08, 1), at=(x, y, 0)) for x in (-0.4, 0.4) for y in (-0.4, 0.4)]
    return trimesh.util.concatenate([box((1, 1, 0.08), at=(0, 0, 0.5)), *legs])


def box(sides, *, at) -> trimesh.Trimesh:
    """A box of `sides` around the point `at`."""
    return trimesh.creation.box(sides, transform=trimesh.transformations.translation_matrix(at))


def household() -> np.ndarray:
    """Every fifth test object of the bundled household, f4 [N, P, 3], y up."""
    clouds = read_clouds(ROOT / "data/bundled/home_objects.h5", load_params(ROOT).dataset["home_objects"])
    return clouds.splits["test"].points[::5]


def room() -> tuple[Scene, tuple[str, ...]]:
    """One bundled room, z up, in metres, with the names of its classes."""
    scans = read_scans(ROOT / "data/bundled/rooms.h5", load_params(ROOT).dataset["rooms"])
    return scans.splits["test"][0], scans.classes
