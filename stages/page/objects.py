"""The objects that were dropped on the page: read from a file that is removed at once, kept as what is drawn and asked.

P points of the cloud that the model sees, V vertices and F faces of a mesh.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.core.errors import InputError
from stages.core.precision import in_single
from stages.datasets.objects import points_of, read_geometry
from stages.own.inputs import Cloud, what_was_read
from stages.projection.clouds import orient

MOST_KEPT = 8  # objects; the one that was not asked about for longest goes
MOST_FACES = 500_000  # of a mesh that is drawn; of a larger one its points are
LONGEST_NAME = 60  # characters of a file's name: in any writing less than what a file system takes


@dataclass(frozen=True, eq=False)
class Dropped:
    """One object: its cloud, and of a mesh that is drawn vertices f4 [V, 3] and faces u4 [F, 3], else empty."""

    cloud: Cloud
    vertices: np.ndarray
    faces: np.ndarray

    def described(self) -> dict:
        """What the page says about it."""
        read, notes = self.cloud.read, list(self.cloud.read.notes)
        if read.faces > MOST_FACES:
            notes.append(f"drawn as points: more than {MOST_FACES:,} triangles")
        extent = [float(f"{size:.6g}") for size in read.extent]
        kind = {"name": self.cloud.source, "vertices": read.vertices, "faces": read.faces}
        return {**kind, "extent": extent, "notes": notes}

    def shape(self, up: str) -> bytes:
        """What is drawn with `up` turned to y: u4 P, V, F, then the points, vertices and faces, little-endian."""
        counts = np.array([len(self.cloud.points), len(self.vertices), len(self.faces)], "<u4")
        drawn = [orient(_in_unit_ball(positions), up).astype("<f4") for positions in (self.cloud.points, self.vertices)]
        return b"".join(array.tobytes() for array in (counts, *drawn, self.faces.astype("<u4")))


class Kept:
    """The last objects, each under a name that nobody guesses."""

    def __init__(self) -> None:
        self._objects: OrderedDict[str, Dropped] = OrderedDict()

    def add(self, dropped: Dropped) -> str:
        """Keep an object; its key."""
        key = secrets.token_urlsafe(12)
        self._objects[key] = dropped
        if len(self._objects) > MOST_KEPT:
            self._objects.popitem(last=False)
        return key

    def get(self, key: str) -> Dropped:
        """The object of a key; InputError where it is no longer kept."""
        if key not in self._objects:
            raise InputError("This object is no longer kept: drop its file again.")
        self._objects.move_to_end(key)
        return self._objects[key]


def read_dropped(path: Path, *, points: int) -> Dropped:
    """The object in the file `path`, which has a folder of its own.

    Raises InputError that names the file, and no folder, for what `read_geometry` refuses.
    """
    try:
        geometry = read_geometry(path)
        cloud = Cloud(path.name, points_of(geometry, path, points=points, seed=0), what_was_read(geometry))
    except InputError as error:
        raise InputError(str(error).replace(f"{path.parent}/", "")) from None
    if not 0 < geometry.face_count <= MOST_FACES:
        return Dropped(cloud, np.empty((0, 3), np.float32), np.empty((0, 3), np.uint32))
    used, faces = np.unique(geometry.faces, return_inverse=True)
    return Dropped(cloud, in_single(geometry.vertices[used]), faces.reshape(-1, 3).astype(np.uint32))


def file_name(name: str) -> str:
    """The last part of a path that a browser sent, with nothing in it that a file or a message could stumble over."""
    last = "".join(letter for letter in name.replace("\\", "/").rpartition("/")[2] if letter.isprintable()).strip()
    if last.strip(".") == "":
        raise InputError("a file without a name")
    return last[-LONGEST_NAME:]


def _in_unit_ball(positions: np.ndarray) -> np.ndarray:
    """Positions f8 [N, 3] about the middle of their bounding box, which the ball of radius 1 holds."""
    if not len(positions):
        return positions
    low, high = positions.min(axis=0).astype(np.float64), positions.max(axis=0).astype(np.float64)
    return (positions - (low + high) / 2) / (np.linalg.norm(high - low) / 2)
