"""Procedural training shapes: point clouds of everyday objects with part labels, by class name."""

from collections.abc import Callable

import numpy as np

from stages.bundled.procedural import devices, figures, furniture, household, room, vehicles
from stages.bundled.procedural.mesh import sample
from stages.core.errors import InputError

Generator = Callable[[np.random.Generator], list[tuple[str, np.ndarray]]]

_MODULES = (furniture, room, household, devices, vehicles, figures)
CLASSES: dict[str, Generator] = dict(sorted(item for module in _MODULES for item in module.GENERATORS.items()))
PART_CATEGORIES = (
    "airplane",
    "bag",
    "cap",
    "car",
    "chair",
    "earphone",
    "guitar",
    "knife",
    "lamp",
    "laptop",
    "motorbike",
    "mug",
    "pistol",
    "rocket",
    "skateboard",
    "table",
)  # ShapeNetPart's, whose part names follow its labels


def generate(class_name, *, points, rng):
    """One random shape of a class -> (points f4 [P, 3] in the unit sphere, part of each u1 [P], part names)."""
    if class_name not in CLASSES:
        raise InputError(f"procedural class '{class_name}': expected one of {', '.join(CLASSES)}")
    names, meshes = zip(*CLASSES[class_name](rng), strict=True)
    part_names = tuple(dict.fromkeys(names))
    xyz, mesh_of = sample(meshes, points=points, rng=rng)
    parts = np.array([part_names.index(name) for name in names], np.uint8)[mesh_of]
    return _to_unit_sphere(xyz), parts, part_names


def _to_unit_sphere(xyz):
    """Points moved so that their centroid is the origin and scaled so that the farthest one has radius 1."""
    centred = xyz - xyz.mean(axis=0, dtype=np.float64)
    return (centred / np.linalg.norm(centred, axis=1).max()).astype(np.float32)
