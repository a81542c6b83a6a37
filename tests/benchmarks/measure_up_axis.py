"""How often `up="auto"` finds the axis that points up, and what it is worth, on objects turned at random.

    python tests/benchmarks/measure_up_axis.py [<folder of ModelNet's HDF5 files>] [--split test] [--backbone bundled]

Without a folder the objects are those of `home_objects`.

Every object, y up in the files, is turned by a random angle about y and then set on x, y or z by lot. The axis is
guessed of each from its own views alone, without labels, and all are classified among the dataset's classes three
times: with the true axis, with the guessed one, and as if y were up in all of them.
"""

import argparse
from pathlib import Path

import numpy as np

from stages import PointClip
from stages.config.params import load_params
from stages.core.root import default_root
from stages.datasets.modelnet import read_hdf5
from stages.datasets.reading import in_memory
from stages.datasets.registry import read
from stages.own.upright import AXES

# Columns and signs that set a y-up cloud on the named axis: the inverse of `stages.projection.clouds.orient`.
FROM_Y_UP = {"x": ((1, 0, 2), (1, -1, 1)), "y": ((0, 1, 2), (1, 1, 1)), "z": ((0, 2, 1), (1, -1, 1))}


def turned_at_random(clouds: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Clouds [N, P, 3], y up, turned as said above, and which of AXES is up in each, i8 [N]."""
    angles = rng.uniform(0, 2 * np.pi, len(clouds))
    x, y, z = np.moveaxis(clouds, -1, 0)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    about_y = np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1)
    up = rng.integers(len(AXES), size=len(clouds))
    laid = []
    for cloud, axis in zip(about_y, up, strict=True):
        columns, signs = FROM_Y_UP[AXES[axis]]
        laid.append(cloud[:, columns] * np.array(signs))
    return np.stack(laid).astype(np.float32), up


def accuracy(model: PointClip, clouds: np.ndarray, axes: list[str], names: list[str], labels: np.ndarray) -> float:
    """Percent of the clouds whose best name is theirs, each with its own axis up."""
    right = 0
    for axis in AXES:
        rows = np.flatnonzero(np.array(axes) == axis)
        found = model.classify([clouds[row] for row in rows], names, top=1, up=axis)
        right += sum(one.label == names[labels[row]] for row, one in zip(rows, found, strict=True))
    return 100 * right / len(clouds)


def main(folder: Path | None, *, split: str, backbone: str, seed: int) -> None:
    """Print both measurements as Markdown."""
    root = default_root()
    name = "modelnet10" if folder else "home_objects"
    entry = load_params(root).dataset_entry(name)
    dataset = in_memory(read_hdf5(folder, entry)) if folder else read(name, entry, root=root)
    shapes, names = dataset.splits[split], [label.replace("_", " ") for label in dataset.classes]
    clouds, up = turned_at_random(shapes.points, np.random.default_rng(seed))
    model = PointClip(backbone)
    guessed = [guess.axis for guess in model.guess_up(clouds)]
    right = np.array(guessed) == np.array(AXES)[up]
    print(f"{name}, {split} split, {len(clouds)} objects, backbone {backbone}, seed {seed}")
    print("| axis that is up | objects | guessed right % |\n| --- | ---: | ---: |")
    for number, axis in enumerate(AXES):
        print(f"| {axis} | {np.sum(up == number)} | {100 * right[up == number].mean():.1f} |")
    print(f"| all | {len(up)} | {100 * right.mean():.1f} |\n")
    print("| axis that is taken as up | top-1 % |\n| --- | ---: |")
    for words, axes in (
        ("the true one", [AXES[axis] for axis in up]),
        ("the guessed one", guessed),
        ("y", ["y"] * len(up)),
    ):
        print(f"| {words} | {accuracy(model, clouds, axes, names, shapes.labels):.1f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="of shape_names.txt, train_files.txt, test_files.txt")
    parser.add_argument("--split", choices=("train", "test"), default="test")
    parser.add_argument("--backbone", default="bundled", help="entry of params.yaml")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
