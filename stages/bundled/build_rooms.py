"""Builds data/bundled/rooms.h5 from home_objects.h5: `python -m stages.bundled.build_rooms`."""

import json
from pathlib import Path

import h5py

from stages.artifacts.files import complete_file
from stages.artifacts.paths import Paths
from stages.artifacts.types import PointCloudDataset
from stages.bundled.fixed_point import write_fixed_point
from stages.bundled.rooms import FURNITURE, ROOMS, compose_rooms
from stages.config.params import load_params
from stages.core.cli import run_stage
from stages.datasets.registry import read

FILE = "rooms.h5"
SCALE = 2.0**-20  # a micrometre: coarser steps change which points fall into one cluster


def main(*, root: Path = Path()) -> None:
    """Build the bundled file of rooms."""
    objects = read("home_objects", load_params(root).dataset_entry("home_objects"), root=root)
    build(Paths(root).bundled(FILE), objects)


def build(path: Path, objects: PointCloudDataset, *, rooms: dict[str, int] = ROOMS) -> None:
    """Write `rooms[split]` rooms furnished with `objects`.

    A group a split and in it one a room: `points` i4 [M, 3] with its attribute `scale` in metres, `boxes` f4 [K, 6] as
    centre and size, `labels` u1 [K] into the root's `classes` (JSON).
    """
    composed = compose_rooms(objects, rooms=rooms, source=path)
    with complete_file(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["classes"] = json.dumps(list(FURNITURE))
        for split, scans in composed.items():
            for scan in scans:
                group = file.create_group(f"{split}/{scan.name}")
                write_fixed_point(group, scan.points, scale=SCALE, chunks=True)
                group["boxes"], group["labels"] = scan.boxes, scan.labels.astype("u1")


if __name__ == "__main__":
    run_stage(main)
