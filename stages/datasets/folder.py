"""Reader of a user's own objects: a folder a class, or a table of files and their classes."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.artifacts.types import PointCloudDataset
from stages.config.dataset import Dataset
from stages.core.errors import InputError
from stages.datasets.layout import files_below, read_text, subfolders
from stages.datasets.objects import FORMATS, read_objects
from stages.datasets.splits import stratified_cut

SPLITS = ("train", "val", "test")
COLUMNS = (["path", "label"], ["path", "label", "split"])

Item = tuple[str | None, str, Path]  # split or None, class name, file


def read(path: Path, entry: Dataset) -> PointCloudDataset:
    """Objects of `<class>/...` or `<split>/<class>/...` below a folder, or of a CSV of path, label and maybe split.

    A folder's objects come by class and name, a table's in its order; class names are sorted. Where there are no
    splits, the entry must say which `test_share` of every class is drawn for the test split, by its seed.
    """
    items = _table(path) if path.is_file() else _folders(path)
    classes = tuple(sorted({name for _, name, _ in items}))
    by_split = _cut(items, entry, source=path) if items[0][0] is None else _group(items, [one[0] for one in items])
    splits = {}
    for split in SPLITS:
        files = [file for _, _, file in by_split.get(split, ())]
        labels = [classes.index(name) for _, name, _ in by_split.get(split, ())]
        if files:
            splits[split] = read_objects(files, labels, entry, source=path, clean=True)
        elif split != "val":
            raise InputError(f"{path}: no object of the {split} split")
    return PointCloudDataset(classes, entry.up_axis, splits)


def _folders(path: Path) -> list[Item]:
    named = {one.name: one for one in subfolders(path)}
    splits = [name for name in SPLITS if name in named]
    if splits and set(named) - set(splits):
        raise InputError(f"{path}: folders {', '.join(sorted(named))}: expected splits only, or classes only")
    roots = [(split, path / split) for split in splits] or [(None, path)]
    items = [
        (split, folder.name, file)
        for split, root in roots
        for folder in subfolders(root)
        for file in files_below(folder, *FORMATS)
    ]
    if not items:
        raise InputError(f"{path}: no object, expected <class>/<file> with one of {', '.join(FORMATS)}")
    return items


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
