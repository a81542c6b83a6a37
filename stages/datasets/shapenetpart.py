"""Readers of ShapeNetPart's two official layouts: HDF5 shards, and one text file a shape.

Both number the parts of all categories through; here a part is local to its category, as PART_NAMES lists them.
"""

import json
import re
from pathlib import Path

import numpy as np

from stages.artifacts.types import Clouds, PointCloudDataset
from stages.config.dataset import Dataset
from stages.core.errors import InputError
from stages.core.precision import in_single
from stages.datasets.hdf5 import join_clouds, open_raw, read_clouds, read_key
from stages.datasets.layout import class_index, find_folder, read_names
from stages.datasets.layout import read_text as read_file
from stages.datasets.objects import read_columns
from stages.datasets.sampling import resample

PARTS = {  # in the labels' order, after PointCLIP V2's names; it has two for the lamp's four parts, two are ours
    "airplane": ("body", "wing", "tail", "engine"),
    "bag": ("handle", "body"),
    "cap": ("crown", "visor"),
    "car": ("roof", "hood", "wheel", "body"),
    "chair": ("back", "seat", "leg", "arm"),
    "earphone": ("earcup", "headband", "data wire"),
    "guitar": ("head", "neck", "body"),
    "knife": ("blade", "handle"),
    "lamp": ("leg", "lampshade", "canopy", "base"),
    "laptop": ("keyboard", "screen"),
    "motorbike": ("gas tank", "seat", "wheel", "handlebars", "light", "engine"),
    "mug": ("handle", "cup"),
    "pistol": ("barrel", "handle", "trigger"),
    "rocket": ("body", "fin", "nose cone"),
    "skateboard": ("wheel", "deck", "belt"),
    "table": ("desktop", "leg", "drawer"),
}
CLASSES, PART_NAMES = tuple(PARTS), tuple(PARTS.values())
SYNSETS = (  # the text layout's folders, one a category
    *("02691156", "02773838", "02954340", "02958343", "03001627", "03261776", "03467517", "03624134"),
    *("03636649", "03642806", "03790512", "03797390", "03948459", "04099429", "04225987", "04379243"),
)
SPLITS = ("train", "val", "test")


def read_hdf5(path: Path, entry: Dataset) -> PointCloudDataset:
    """Shards with `data` f4 [N, P, 3], `label` [N, 1] and `pid` [N, P], in the order of `<split>_hdf5_file_list.txt`.

    Without list files every `ply_data_<split><number>.h5` is read, by number; val may be missing, train and test not.
    """
    folder = find_folder(path, "ply_data_train0.h5")
    splits = {}
    for split in SPLITS:
        shards = [_read_shard(file) for file in _shards(folder, split)]
        if shards:
            splits[split] = join_clouds(shards, source=folder)
        elif split != "val":
            raise InputError(f"{folder}: no ply_data_{split}<number>.h5")
    return PointCloudDataset(CLASSES, entry.up_axis, splits, PART_NAMES)


def read_text(path: Path, entry: Dataset) -> PointCloudDataset:
    """`<synset>/<shape>.txt` of x, y, z, normal and part, in the order of `train_test_split/shuffled_..._list.json`.

    The clouds have about 2,000 to 3,000 points: each is brought to `entry.points`.
    """
    folder = find_folder(path, "train_test_split")
    if entry.points is None:
        raise InputError(f"{folder}: clouds of different length; set `points` in the dataset's entry")
    splits = {}
    for split in SPLITS:
        listing = folder / "train_test_split" / f"shuffled_{split}_file_list.json"
        shapes = [_read_shape(folder, line, entry.points, source=listing) for line in _listed(listing)]
        labels, points, parts = zip(*shapes, strict=True)
        splits[split] = Clouds(np.stack(points), np.array(labels), np.stack(parts))
    return PointCloudDataset(CLASSES, entry.up_axis, splits, PART_NAMES)


def local_parts(path: Path, numbers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Parts i8 [N, P] local to each cloud's category, from `numbers` among all 50; InputError where one is foreign."""
    counts = np.array([len(names) for names in PART_NAMES])
    local = numbers.astype(np.int64) - (np.cumsum(counts) - counts)[labels][:, None]
    outside = (local < 0) | (local >= counts[labels][:, None])
    if outside.any():
        row, column = np.argwhere(outside)[0]
        name = CLASSES[labels[row]]
        raise InputError(f"{path}: pid sample {row} has part {numbers[row, column]}, which is none of a {name}'s")
    return local


def _shards(folder: Path, split: str) -> list[Path]:
    listing = folder / f"{split}_hdf5_file_list.txt"
    if listing.is_file():
        return [folder / Path(line).name for line in read_names(listing)]
    numbered = {
        int(match[1]): file
        for file in folder.iterdir()
        if (match := re.fullmatch(rf"ply_data_{split}(\d+)\.h5", file.name))
    }
    return [numbered[number] for number in sorted(numbered)]


def _read_shard(path: Path) -> Clouds:
    clouds = read_clouds(path, classes=len(CLASSES))
    with open_raw(path) as file:
        numbers = read_key(path, file, "pid")
    if numbers.shape != clouds.points.shape[:2]:
        raise InputError(f"{path}: /pid has shape {list(numbers.shape)}, expected {list(clouds.points.shape[:2])}")
    return Clouds(clouds.points, clouds.labels, local_parts(path, numbers, clouds.labels))


def _listed(path: Path) -> list[str]:
    """Lines such as "shape_data/02691156/<shape>" of a list file."""
    try:
        lines = json.loads(read_file(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(lines, list) or not lines or not all(isinstance(line, str) for line in lines):
        raise InputError(f"{path}: expected a list of shape_data/<synset>/<shape>")
    return lines


def _read_shape(folder: Path, line: str, points: int, *, source: Path) -> tuple[int, np.ndarray, np.ndarray]:
    """Label, points f4 [P, 3] and local parts i8 [P] of one shape."""
    synset, name = line.split("/")[-2:] if "/" in line else ("", line)
    label = class_index(synset, SYNSETS, source=str(source))
    path = folder / synset / f"{name}.txt"
    values = read_columns(path)
    if values.shape[1] != 7:
        raise InputError(f"{path}: {values.shape[1]} columns, expected x, y, z, normal and part: 7")
    cloud = in_single(values[:, :3])
    chosen = resample(cloud, points)
    return label, cloud[chosen], local_parts(path, values[None, chosen, 6], np.array([label]))[0]
