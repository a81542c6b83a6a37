"""Makes prompts/examples: `python -m stages.bundled.build_examples`. Depth maps of home_objects' train split.

They are files in git and not rendered at every run, so that what is asked, and with it the record's keys, does not
depend on a machine's last bits or on the settings of an experiment.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from stages.artifacts.files import complete_file
from stages.config.params import load_params
from stages.datasets.registry import read
from stages.projection.clouds import orient
from stages.projection.presets import PRESETS
from stages.projection.rendering import render

FOLDER = Path("prompts/examples")
DATASET, PRESET, VIEW = "home_objects", "v2_classification", "diagonal_0"


def example_maps(classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """A depth map u1 [R, R] of the first train object of each of `classes`: 0 is nearest, the background 255."""
    entry, projection = load_params().dataset_entry(DATASET), PRESETS[PRESET]
    points = read(DATASET, entry)
    train, view = points.splits["train"], projection.view_names.index(VIEW)
    rows = [int(np.flatnonzero(train.labels == points.classes.index(name))[0]) for name in classes]
    depth = render(orient(train.points[rows], entry.up_axis), projection)[:, view]
    return dict(zip(classes, np.rint(depth * 255).astype(np.uint8), strict=True))


if __name__ == "__main__":
    for name, depth in example_maps(load_params().generate.examples).items():
        with complete_file(FOLDER / f"{name}.png") as temporary:
            Image.fromarray(depth).save(temporary, format="PNG", optimize=True)
