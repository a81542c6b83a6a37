"""Builds data/bundled/procedural_parts.h5: `python -m stages.bundled.build_procedural_parts`.

The categories, parts and part names are ShapeNetPart's, the shapes are those of `stages.bundled.procedural`. The same
seed and counts give the same bytes.
"""

import json
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.files import complete_file
from stages.artifacts.paths import Paths
from stages.bundled.fixed_point import write_fixed_point
from stages.bundled.procedural_parts import PARTS, labelled_shape
from stages.core.cli import run_stage

FILE = "procedural_parts.h5"
SPLITS = {"train": 8, "val": 4, "test": 30}  # shapes of every category
POINTS, SEED = 2048, 11682
SCALE = 1 / 32767


def main(*, root: Path = Path()) -> None:
    """Build the bundled file of procedural shapes with part labels."""
    build(Paths(root).bundled(FILE))


def build(path: Path, *, splits: dict[str, int] = SPLITS, points: int = POINTS, seed: int = SEED) -> None:
    """Write `splits[name]` shapes of every category, `points` points each.

    A group a split: `points` i2 [N, P, 3] with its attribute `scale`, `labels` u1 [N] into the root's `classes`,
    `parts` u1 [N, P] into the category's entry of the root's `part_names` (both JSON).
    """
    with complete_file(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(classes=json.dumps(list(PARTS)), part_names=json.dumps(list(PARTS.values())))
        for number, (split, count) in enumerate(splits.items()):
            shapes = [
                labelled_shape(category, points=points, rng=np.random.default_rng((seed, number, label, shape)))
                for label, category in enumerate(PARTS)
                for shape in range(count)
            ]
            clouds, parts = map(np.stack, zip(*shapes, strict=True))
            group = file.create_group(split)
            write_fixed_point(group, clouds, scale=SCALE, chunks=(1, points, 3))
            group["labels"] = np.repeat(np.arange(len(PARTS), dtype=np.uint8), count)
            group.create_dataset(
                "parts", data=parts.astype(np.uint8), chunks=(1, points), compression="gzip", shuffle=True
            )


if __name__ == "__main__":
    run_stage(main)
