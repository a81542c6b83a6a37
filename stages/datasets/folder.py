"""Reader of a user's own objects: a folder a class, or a table of files and their classes."""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.artifacts.types import PointCloudDataset
from stages.config.dataset import Dataset
from stages.core.errors import InputError
from stages.core.splits import stratified_cut
from stages.datasets.layout import files_below, read_text, subfolders
from stages.datasets.objects import FORMATS, object_files

SPLITS = ("train", "val", "test")
COLUMNS = (["path", "label"], ["path", "label", "split"])
ENDINGS = (*FORMATS, *(f"{suffix}.gz" for suffix in FORMATS))
ABOUT = ("readme", "license", "licence", "copying", "citation", "attribution")  # names of files about the objects

Item = tuple[str | None, str, Path]  # split or None, class name, file


def read(path: Path, entry: Dataset) -> PointCloudDataset:
    """Objects below a folder, or of a CSV of path, label and maybe split.

    In the folder they lie as `<class>/...`, `<split>/<class>/...` or, as ModelNet's, `<class>/<split>/...`, with the
    splits' names in any case. A folder's objects come by class and name, a table's in its order; class names are
    sorted. Where there are no splits, the entry must say which `test_share` of every class is drawn for the test split,
    by its seed. A file with the content of an earlier one cannot be read.
    """
    items = _table(path) if path.is_file() else _folders(path)
    twins = _twins(items)
    classes = tuple(sorted({name for _, name, _ in items}))
    by_split = (
        _cut(items, entry, source=path) if items[0][0] is None else _group(items, [split for split, _, _ in items])
    )
    splits = {}
    for split in SPLITS:
        files = [file for _, _, file in by_split.get(split, ())]
        labels = [classes.index(name) for _, name, _ in by_split.get(split, ())]
        if files:
            splits[split] = object_files(files, labels, entry, source=path, clean=True, refused=twins)
        elif split != "val":
            raise InputError(f"{path}: no object of the {split} split")
    return PointCloudDataset(classes, entry.up_axis, splits)


def _folders(path: Path) -> list[Item]:
    top = _split_folders(path)
    if top and len(top) < len(subfolders(path)):
        names = ", ".join(folder.name for folder in subfolders(path))
        raise InputError(f"{path}: folders {names}: expected splits only, or classes only")
    if top:
        places = [(split, folder.name, folder) for split, root in top.items() for folder in subfolders(root)]
    else:
        inner = {folder: _split_folders(folder) for folder in subfolders(path)}
        places = [(split, folder.name, place) for folder, splits in inner.items() for split, place in splits.items()]
        places.sort(key=lambda place: SPLITS.index(place[0]))
        if not places:
            places = [(None, folder.name, folder) for folder in inner]
        else:
            _expect_in_splits(inner)
    items = [(split, name, file) for split, name, place in places for file in _objects_below(place)]
    if not items:
        raise InputError(f"{path}: no object, expected <class>/<file> with one of {', '.join(FORMATS)}")
    return items


def _split_folders(path: Path) -> dict[str, Path]:
    """The folders in `path` that are named like splits, in whatever case; InputError for two of one name."""
    folders: dict[str, Path] = {}
    for folder in subfolders(path):
        name = folder.name.lower()
        if name in folders:
            raise InputError(f"{path}: folders {folders[name].name} and {folder.name}: expected one of each split")
        if name in SPLITS:
            folders[name] = folder
    return {split: folders[split] for split in SPLITS if split in folders}


def _expect_in_splits(inner: dict[Path, dict[str, Path]]) -> None:
    """Where classes have folders of splits, no object may lie beside these."""
    for folder, splits in inner.items():
        inside = {file for place in splits.values() for file in _objects_below(place)}
        beside = [file for file in _objects_below(folder) if file not in inside]
        if beside:
            raise InputError(f"{beside[0]}: in no split, but other classes have folders {', '.join(SPLITS)}")


def _objects_below(folder: Path) -> list[Path]:
    return [file for file in files_below(folder, *ENDINGS) if file.name.lower().partition(".")[0] not in ABOUT]


def _twins(items: list[Item]) -> dict[Path, str]:
    """Files whose content an earlier one has, and that in words: they would be counted twice, or leak into the test.

    InputError where a table has one file twice.
    """
    by_size = defaultdict(list)
    for _, _, file in items:
        if file.is_file():
            by_size[file.stat().st_size].append(file)
    twins = {}
    for files in by_size.values():
        seen: dict[str, Path] = {}
        for file in files if len(files) > 1 else ():
            with open(file, "rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            if digest in seen:
                twins[file] = f"the same content as {seen[digest]}; expected every object once"
                if seen[digest] == file:
                    raise InputError(f"{file}: {twins[file]}")
            seen.setdefault(digest, file)
    return twins


def _table(path: Path) -> list[Item]:
    if path.suffix.lower() != ".csv":
        raise InputError(f"{path}: a file, expected a folder or a .csv of {','.join(COLUMNS[0])}")
    header, *rows = list(csv.reader(read_text(path).splitlines())) or [[]]
    if header not in COLUMNS:
        raise InputError(f"{path}: columns {','.join(header)}, expected path,label or path,label,split")
    items = []
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header) or not all(row):
            raise InputError(f"{path}: line {line}: expected {','.join(header)}, got {','.join(row)}")
        split = row[2] if len(row) == 3 else None
        if split not in (None, *SPLITS):
            raise InputError(f"{path}: line {line}: split '{split}': expected one of {', '.join(SPLITS)}")
        items.append((split, row[1], path.parent / row[0]))
    if not items:
        raise InputError(f"{path}: no object, expected one a line")
    return items


def _cut(items: list[Item], entry: Dataset, *, source: Path) -> dict[str, list[Item]]:
    if entry.test_share is None:
        raise InputError(f"{source}: no train and test split; set `test_share` in the dataset's entry to draw one")
    names = sorted({name for _, name, _ in items})
    labels = [names.index(name) for _, name, _ in items]
    _, test = stratified_cut(np.array(labels), fraction=entry.test_share, seed=entry.seed)
    chosen = set(test.tolist())
    return _group(items, ["test" if row in chosen else "train" for row in range(len(items))])


def _group(items: list[Item], splits: Sequence[str]) -> dict[str, list[Item]]:
    return {name: [item for item, split in zip(items, splits, strict=True) if split == name] for name in set(splits)}
