"""The named objects that the bundled backbone learns from: their clouds, and what each is used for.

The list of them comes with the repository, and `python -m stages.bundled.build_training_objects` wrote it;
the clouds do not.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from stages.core.errors import InputError

COLUMNS = ("pack", "file", "name", "use", "signature")
TRAIN, HELD_OUT, UNNAMED, NEAR_DUPLICATE = "train", "held_out", "unnamed", "near_duplicate"
USES = (TRAIN, HELD_OUT, UNNAMED, NEAR_DUPLICATE)
SCALE = 32767


@dataclass(frozen=True)
class Listed:
    """One row of the list: where an object comes from, what it is called, its use and its near-duplicate signature."""

    pack: str
    file: str
    name: str
    use: str
    signature: tuple[int, ...]


def read_list(path: Path) -> list[Listed]:
    """The list of training objects; InputError that names the file and the line."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a list of training objects ({error})") from error
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise InputError(f"{path}: columns are {reader.fieldnames}, expected {','.join(COLUMNS)}")
    for line, row in enumerate(rows, 2):
        if row["use"] not in USES or (row["name"] == "") != (row["use"] == UNNAMED):
            raise InputError(f"{path}: line {line}: expected a name and a use of {', '.join(USES)}")
    return [Listed(**row | {"signature": tuple(map(int, row["signature"].split()))}) for row in rows]


def write_list(path: Path, rows: list[Listed]) -> None:
    """Write what `read_list` reads."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([row.pack, row.file, row.name, row.use, " ".join(map(str, row.signature))] for row in rows)


@dataclass(frozen=True)
class RawObjects:
    """Clouds i2 [N, P, 3] (divided by SCALE: y up, in the unit sphere), and the pack, file and raw name of each."""

    points: np.ndarray
    packs: tuple[str, ...]
    files: tuple[str, ...]
    names: tuple[str, ...]

    def cloud(self, row: int) -> np.ndarray:
        """Cloud f4 [P, 3] of one object."""
        return self.points[row].astype(np.float32) / SCALE


def read_objects(path: Path) -> RawObjects:
    """The file of the objects' clouds; InputError where it is missing or something else."""
    if not path.is_file():
        raise InputError(
            f"{path}: no such file (params.yaml: pretrain.objects); expected the clouds of the packs that "
            "prompts/bundled/training_names.yaml lists"
        )
    try:
        with h5py.File(path) as file:
            points = file["points"][:]
            texts = [tuple(value.decode() for value in file[key][:]) for key in ("pack", "file", "name")]
    except (OSError, KeyError) as error:
        raise InputError(f"{path}: expected HDF5 with points, pack, file and name ({error})") from error
    lengths = {len(values) for values in (points, *texts)}
    lengths = {len(values) for values in (points, *texts)}
    if points.dtype != np.int16 or points.ndim != 3 or points.shape[2] != 3 or len(lengths) != 1:
        shape = f"{points.dtype} {list(points.shape)}"
        raise InputError(f"{path}: points are {shape}, expected int16 [N, P, 3] and N names")
    return RawObjects(points, *texts)


def must_match(objects: RawObjects, listed: list[Listed], *, source: Path) -> None:
    """InputError unless the objects are those of the list, in its order."""
    found = list(zip(objects.packs, objects.files, strict=True))
    expected = [(row.pack, row.file) for row in listed]
    if found != expected:
        row = next((i for i, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), None)
        what = f"{len(found)} objects" if row is None else f"object {row} is {' '.join(found[row])}"
        wanted = f"{len(expected)}" if row is None else " ".join(expected[row])
        raise InputError(f"{source}: {what}, expected {wanted} as in the list of training objects")
