"""Reader of the bundled part shapes: procedural objects with exact part labels, generated from a description.

The file is JSON: `seed`, `points` a cloud, and `splits`, the shapes of every category in each split. Categories, parts
and their names are ShapeNetPart's; the shapes are `stages.bundled.procedural`'s.
"""

import json
from pathlib import Path

import numpy as np

from stages.artifacts.types import Clouds, PointCloudDataset
from stages.bundled import procedural
from stages.config.dataset import Dataset
from stages.core.errors import InputError
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
SPLITS = ("train", "val", "test")
Description = dict[str, int | dict[str, int]]


def read(path: Path, entry: Dataset) -> PointCloudDataset:
    """All shapes of the description at `path`; the same description gives the same shapes."""
    described = _description(path)
    splits = {
        split: _generate(described["seed"], number, count=described["splits"][split], points=described["points"])
        for number, split in enumerate(SPLITS)
    }
    return PointCloudDataset(tuple(PARTS), entry.up_axis, splits, tuple(PARTS.values()))


def labelled_shape(category: str, *, points: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One shape: points f4 [points, 3] and parts i8 [points] into PARTS[category]."""
    cloud, parts, names = procedural.generate(category, points=points, rng=rng)
    local = np.array([PARTS[category].index(RENAMED.get(name, name)) for name in names])
    return cloud, local[parts]


def _generate(seed: int, split: int, *, count: int, points: int) -> Clouds:
    """`count` shapes of every category, each by a generator of its own."""
    labels = np.repeat(np.arange(len(PARTS)), count)
    shapes = [
        labelled_shape(category, points=points, rng=np.random.default_rng((seed, split, label, number)))
        for label, category in enumerate(PARTS)
        for number in range(count)
    ]
    clouds, parts = zip(*shapes, strict=True)
    return Clouds(np.stack(clouds), labels, np.stack(parts))


def _description(path: Path) -> Description:
    try:
        described = json.loads(path.read_text())
        whole = [described["seed"], described["points"], *(described["splits"][split] for split in SPLITS)]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(f"{path}: no description of procedural parts ({type(error).__name__}: {error})") from error
    if not all(isinstance(number, int) and number > 0 for number in whole):
        raise InputError(f"{path}: seed, points and splits {', '.join(SPLITS)}: expected whole numbers above 0")
    return described
