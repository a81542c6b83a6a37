"""Readers of raw datasets: one module per format, chosen by the dataset entry's `reader`.

A reader takes the entry's local path and gives the class names and the splits by name. To add a format, write a module
with such a `read(path)` and name it in READERS.
"""

from pathlib import Path

from stages.artifacts import Points
from stages.datasets import home_objects, modelnet
from stages.errors import InputError
from stages.settings import Dataset

READERS = {"home_objects": home_objects.read, "modelnet_hdf5": modelnet.read}


def read(name: str, entry: Dataset) -> Points:
    """Read dataset `name` from `entry.path`; InputError when it is missing, damaged or not what the entry says."""
    if entry.reader not in READERS:
        raise InputError(f"params.yaml: dataset.{name}.reader '{entry.reader}': expected one of {', '.join(READERS)}")
    path = Path(entry.path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder (params.yaml: dataset.{name}.path)")
    classes, splits = READERS[entry.reader](path)
    if entry.classes is not None and entry.classes != classes:
        raise InputError(f"{path}: classes {', '.join(classes)} differ from params.yaml: dataset.{name}.classes")
    return Points(classes, entry.up_axis, splits)
