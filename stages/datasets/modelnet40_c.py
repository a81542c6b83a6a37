"""Reader of ModelNet40-C: ModelNet40's test clouds under 15 corruptions at five severities, as published."""

from pathlib import Path

import numpy as np

from stages.artifacts.types import Clouds, PointCloudDataset
from stages.config.dataset import Dataset
from stages.core.corruptions import CORRUPTIONS, SEVERITIES, split_of
from stages.core.errors import InputError, one_line
from stages.datasets.hdf5 import checked_labels
from stages.datasets.layout import find_folder
from stages.datasets.reading import CloudsOnDisk, Reading, finite_clouds

CLASSES = (  # ModelNet40's, in the order of its shape_names.txt
    *("airplane", "bathtub", "bed", "bench", "bookshelf", "bottle", "bowl", "car", "chair", "cone"),
    *("cup", "curtain", "desk", "door", "dresser", "flower_pot", "glass_box", "guitar", "keyboard", "lamp"),
    *("laptop", "mantel", "monitor", "night_stand", "person", "piano", "plant", "radio", "range_hood", "sink"),
    *("sofa", "stairs", "stool", "table", "tent", "toilet", "tv_stand", "vase", "wardrobe", "xbox"),
)


def read(path: Path, entry: Dataset) -> PointCloudDataset:
    """`data_original.npy` as the test split, `data_<corruption>_<severity>.npy` as splits of these names: [N, P, 3].

    `label.npy` [N] or [N, 1] holds for all. At least one corruption must be there, and a note says how many lack.
    """
    folder = find_folder(path, "label.npy")
    stored = _array(folder / "label.npy")
    names = {split_of(*kind): kind for kind in ((name, one) for name in CORRUPTIONS for one in SEVERITIES)}
    files = {"test": folder / "data_original.npy"} | {name: folder / f"data_{name}.npy" for name in names}
    there = {name: file for name, file in files.items() if name == "test" or file.is_file()}
    if len(there) == 1:
        raise InputError(f"{folder}: no data_<corruption>_<severity>.npy, such as {files[next(iter(names))].name}")
    splits = {name: _split(file, stored, folder / "label.npy") for name, file in there.items()}
    missing = len(files) - len(there)
    notes = (f"{folder}: {missing} of {len(names)} files data_<corruption>_<severity>.npy are not there",)
    return PointCloudDataset(CLASSES, entry.up_axis, splits, notes=notes if missing else ())


def _split(file: Path, stored: np.ndarray, source: Path) -> CloudsOnDisk:
    values = _array(file)
    if values.ndim != 3 or values.shape[2] != 3 or not values.shape[1]:
        raise InputError(f"{file}: shape {list(values.shape)}, expected [N, P, 3]")
    if stored.size != len(values):
        raise InputError(f"{file}: {len(values)} clouds, {source.name} has {stored.size} labels")
    labels = checked_labels(source, np.asarray(stored), samples=len(values), classes=len(CLASSES))

    def read(rows: np.ndarray, reading: Reading) -> Clouds:
        names = [f"{file}: cloud {row}" for row in rows]
        # a reading of its own, which rejects nothing: row for row the splits are copies of the same objects
        return finite_clouds(np.asarray(_array(file)[rows]), labels[rows], Reading(), names=names)

    return CloudsOnDisk(labels, file, read, values.shape[1], [file])


def _array(file: Path) -> np.ndarray:
    """The array of a `.npy` file, left on disk; InputError where it is missing, damaged or no numbers."""
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    try:
        values = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{file}: not an array of numbers ({one_line(error)})") from error
    if values.dtype.kind not in "iuf":
        raise InputError(f"{file}: {values.dtype}, expected an array of numbers")
    return values
