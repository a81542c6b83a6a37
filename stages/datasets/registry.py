"""A dataset by its entry in params.yaml: the reader it names, held against the published numbers."""

import pkgutil
from collections.abc import Callable
from pathlib import Path

from stages.artifacts.types import Clouds, PointCloudDataset, Scenes
from stages.config.dataset import Dataset
from stages.core.corruptions import kinds
from stages.core.errors import InputError, one_line, shown
from stages.datasets import (
    bundled_files,
    folder,
    modelnet,
    modelnet40_c,
    objaverse,
    parquet,
    scannet,
    scanobjectnn,
    shapenetpart,
)
from stages.datasets.fetch import ensure_local
from stages.datasets.reading import in_memory

Reader = Callable[[Path, Dataset], PointCloudDataset | Scenes]

# To add a reader: a function of this type and a line here, or `reader: package.module:function` in the dataset's entry.
READERS: dict[str, Reader] = {
    "bundled_clouds": bundled_files.read_clouds,
    "bundled_scans": bundled_files.read_scans,
    "folder": folder.read,
    "modelnet40_c": modelnet40_c.read,
    "modelnet_hdf5": modelnet.read_hdf5,
    "modelnet_off": modelnet.read_off,
    "modelnet_text": modelnet.read_text,
    "objaverse": objaverse.read_meshes,
    "objaverse_openshape": objaverse.read_openshape,
    "parquet": parquet.read,
    "scannet": scannet.read,
    "scanobjectnn": scanobjectnn.read,
    "shapenetpart_hdf5": shapenetpart.read_hdf5,
    "shapenetpart_text": shapenetpart.read_text,
}


def read(name: str, entry: Dataset, *, root: Path = Path()) -> PointCloudDataset | Scenes:
    """Dataset `name` as `open_dataset` gives it, read whole into memory."""
    dataset = open_dataset(name, entry, root=root)
    return in_memory(dataset) if isinstance(dataset, PointCloudDataset) else dataset


def open_dataset(name: str, entry: Dataset, *, root: Path = Path()) -> PointCloudDataset | Scenes:
    """Dataset `name`, downloaded if it must be; InputError when it is missing, damaged or not what `entry` says.

    Splits may be CloudsOnDisk, still to be read. The published numbers of samples and points are held against a
    download; a local path may have a part of them.
    """
    reader = _reader(name, entry)
    path = ensure_local(name, entry, root=root)
    dataset = reader(path, entry)
    if entry.classes is not None and entry.classes != dataset.classes:
        raise InputError(
            f"{path}: classes {', '.join(dataset.classes)} differ from params.yaml: dataset.{name}.classes"
        )
    for class_name in entry.display_names:
        if class_name not in dataset.classes:
            raise InputError(f"params.yaml: dataset.{name}.display_names: '{class_name}' is no class of {path}")
    if entry.corrupted and not _can_be_corrupted(dataset):
        expected = "expected null but for clouds without parts that have a test split and no corrupted ones"
        raise InputError(f"params.yaml: dataset.{name}.corrupted: {expected}")
    for split, samples in _sizes(dataset).items():
        if not samples:
            raise InputError(f"{path}: split {split} is empty")
    if entry.path is None:
        mismatch = published_mismatch(dataset, entry)
        if mismatch:
            raise InputError(f"{path}: {mismatch} (params.yaml: dataset.{name})")
    return dataset


def published_mismatch(dataset: PointCloudDataset | Scenes, entry: Dataset) -> str | None:
    """How the samples of the splits, or the points of a cloud, differ from the entry's; None when they do not."""
    sizes = _sizes(dataset)
    if entry.splits is not None and entry.splits != sizes:
        return f"splits {_listed(sizes)}, published are {_listed(entry.splits)}"
    if entry.points is not None and isinstance(dataset, PointCloudDataset):
        points = {
            split.points.shape[1] if isinstance(split, Clouds) else split.points for split in dataset.splits.values()
        }
        if points - {None} - {entry.points}:
            return f"clouds of {', '.join(map(str, sorted(points)))} points, published are {entry.points}"
    return None


def _reader(name: str, entry: Dataset) -> Reader:
    """The reader of READERS, or the function that `package.module:function` names."""
    if entry.reader in READERS:
        return READERS[entry.reader]
    key = f"params.yaml: dataset.{name}.reader {shown(entry.reader)}"
    if ":" not in entry.reader:
        raise InputError(f"{key}: expected one of {', '.join(READERS)}, or package.module:function")
    try:
        return pkgutil.resolve_name(entry.reader)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"{key}: not found ({one_line(error)})") from error


def _can_be_corrupted(dataset: PointCloudDataset | Scenes) -> bool:
    if isinstance(dataset, Scenes) or dataset.part_names is not None:
        return False
    return "test" in dataset.splits and not kinds(tuple(dataset.splits))


def _sizes(dataset: PointCloudDataset | Scenes) -> dict[str, int]:
    return {
        split: len(samples.labels if isinstance(dataset, PointCloudDataset) else samples)
        for split, samples in dataset.splits.items()
    }


def _listed(sizes: dict[str, int]) -> str:
    return ", ".join(f"{split} {count}" for split, count in sizes.items())
