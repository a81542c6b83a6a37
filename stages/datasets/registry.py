"""A dataset by its entry in params.yaml: the reader it names, held against the published numbers."""

from pathlib import Path

from stages.artifacts.types import PointCloudDataset, Scenes
from stages.bundled import procedural_parts, rooms
from stages.config.dataset import Dataset
from stages.core.errors import InputError
from stages.datasets import folder, home_objects, modelnet, scannet, scanobjectnn, shapenetpart
from stages.datasets.fetch import obtain

# To add a format: a module with a `read(path, entry)` that gives class names and splits by name, and a line here.
READERS = {
    "folder": folder.read,
    "home_objects": home_objects.read,
    "modelnet_hdf5": modelnet.read_hdf5,
    "modelnet_off": modelnet.read_off,
    "modelnet_text": modelnet.read_text,
    "procedural_parts": procedural_parts.read,
    "rooms": rooms.read,
    "scannet": scannet.read,
    "scanobjectnn": scanobjectnn.read,
    "shapenetpart_hdf5": shapenetpart.read_hdf5,
    "shapenetpart_text": shapenetpart.read_text,
}


def read(name: str, entry: Dataset, *, root: Path = Path()) -> PointCloudDataset | Scenes:
    """Read dataset `name`, downloaded if it must be; InputError when it is missing, damaged or not what `entry` says.


    The published numbers of samples and points are held against a download; a local path may have a part of them.
    """
    if entry.reader not in READERS:
        raise InputError(f"params.yaml: dataset.{name}.reader '{entry.reader}': expected one of {', '.join(READERS)}")
    path = obtain(name, entry, root=root)
    dataset = READERS[entry.reader](path, entry)
    if entry.classes is not None and entry.classes != dataset.classes:
        raise InputError(
            f"{path}: classes {', '.join(dataset.classes)} differ from params.yaml: dataset.{name}.classes"
        )
    for class_name in entry.display_names:
        if class_name not in dataset.classes:
            raise InputError(f"params.yaml: dataset.{name}.display_names: '{class_name}' is no class of {path}")
    for split, samples in _sizes(dataset).items():
        if not samples:
            raise InputError(f"{path}: split {split} is empty")
    if entry.path is None:
        odd = unlike_published(dataset, entry)
        if odd:
            raise InputError(f"{path}: {odd} (params.yaml: dataset.{name})")
    return dataset


def unlike_published(dataset: PointCloudDataset | Scenes, entry: Dataset) -> str | None:
    """How the samples of the splits, or the points of a cloud, differ from the entry's; None when they do not."""
    found = _sizes(dataset)
    if entry.splits is not None and entry.splits != found:
        return f"splits {_listed(found)}, published are {_listed(entry.splits)}"
    if entry.points is not None and isinstance(dataset, PointCloudDataset):
        points = {clouds.points.shape[1] for clouds in dataset.splits.values()}
        if points != {entry.points}:
            return f"clouds of {', '.join(map(str, sorted(points)))} points, published are {entry.points}"
    return None


def _sizes(dataset: PointCloudDataset | Scenes) -> dict[str, int]:
    return {
        split: len(samples.points if isinstance(dataset, PointCloudDataset) else samples)
        for split, samples in dataset.splits.items()
    }


def _listed(sizes: dict[str, int]) -> str:
    return ", ".join(f"{split} {count}" for split, count in sizes.items())
