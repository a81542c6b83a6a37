"""Procedural shapes with the categories, parts and part names of ShapeNetPart."""

import numpy as np

from stages.bundled.procedural import generator
from stages.datasets.shapenetpart import PARTS

# the generators' longer names, and the one part that ShapeNetPart does not have
RENAMED = {
    "belt for foot": "belt",
    "bulb": "lampshade",
    "engine or frame": "engine",
    "handles or handlebars": "handlebars",
    "head or tuners": "head",
    "leg or wire": "leg",
    "panels or crown": "crown",
    "screen or monitor": "screen",
    "trigger and guard": "trigger",
    "visor or peak": "visor",
    "wheel or tire": "wheel",
}


def labelled_shape(category: str, *, points: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One shape: points f4 [points, 3] and parts i8 [points] into PARTS[category]."""
    cloud, parts, names = generator.generate(category, points=points, rng=rng)
    local = np.array([PARTS[category].index(RENAMED.get(name, name)) for name in names])
    return cloud, local[parts]
