"""Readers of Objaverse's annotated objects (LVIS): meshes as its own package lays them out, clouds as OpenShape does.

Both have a test split alone, since nothing else of Objaverse is labelled; class names are sorted.
"""

import gzip
import json
import zlib
from pathlib import Path

import numpy as np

from stages.artifacts.types import Clouds, PointCloudDataset
from stages.config.dataset import Dataset
from stages.core.errors import InputError, one_line
from stages.core.precision import in_single
from stages.datasets.formats.geometry import FormatError
from stages.datasets.formats.pickled import read_dictionary
from stages.datasets.layout import find_folder
from stages.datasets.objects import object_files
from stages.datasets.reading import CloudsOnDisk, Reading, stacked
from stages.datasets.sampling import resample

PATHS, ANNOTATIONS = "object-paths.json.gz", "lvis-annotations.json.gz"


def read_meshes(path: Path, entry: Dataset) -> PointCloudDataset:
    """`glbs/<shard>/<uid>.glb` of the uids of `lvis-annotations.json.gz`, by class and uid, sampled by area.

    `object-paths.json.gz` says where each uid's file lies. Objects that were not downloaded are left out, with a note.
    """
    folder = find_folder(path, ANNOTATIONS)
    uids_of, path_of = (_json(folder / name) for name in (ANNOTATIONS, PATHS))
    if not _is_by_name(uids_of, list) or not _is_by_name(path_of, str):
        raise InputError(f"{folder}: expected {ANNOTATIONS} of uids by class, and {PATHS} of paths by uid")
    objects = [(name, uid) for name in sorted(uids_of) for uid in sorted(map(str, uids_of[name]))]
    unknown = next((uid for _, uid in objects if uid not in path_of), None)
    if unknown is not None:
        raise InputError(f"{folder / PATHS}: no path of '{unknown}', which {ANNOTATIONS} names")
    files = [(name, folder / path_of[uid]) for name, uid in objects]
    there = [(name, file) for name, file in files if file.is_file()]
    if not there:
        example = f", such as {path_of[objects[0][1]]}" if objects else ""
        raise InputError(f"{folder}: none of the {len(files)} annotated objects{example}")
    classes = tuple(sorted({name for name, _ in there}))
    labels = [classes.index(name) for name, _ in there]
    notes = (f"{folder}: {len(there)} of {len(files)} annotated objects are there",) if len(there) < len(files) else ()
    split = object_files([file for _, file in there], labels, entry, source=folder, clean=True)
    return PointCloudDataset(classes, entry.up_axis, {"test": split}, notes=notes)


def read_openshape(path: Path, entry: Dataset) -> PointCloudDataset:
    """The objects of `meta_data/split/lvis.json` in its order: `.npy` files of a dictionary with `xyz` [P, 3].

    Its `data_path` is one on its makers' disk: the longest end of it that is there counts.
    """
    folder = find_folder(path, "meta_data")
    listing = folder / "meta_data/split/lvis.json"
    objects = _json(listing)
    if not isinstance(objects, list) or not all(isinstance(one, dict) for one in objects) or not objects:
        raise InputError(f"{listing}: expected a list of objects with uid, category and data_path")
    for number, one in enumerate(objects):
        for key in ("uid", "category", "data_path"):
            if not isinstance(one.get(key), str):
                raise InputError(f"{listing}: object {number} has no {key}")
    classes = tuple(sorted({one["category"] for one in objects}))
    index = {name: number for number, name in enumerate(classes)}
    labels = np.array([index[one["category"]] for one in objects], np.int64)

    files = [_below(folder, one["data_path"]) for one in objects]

    def read(rows: np.ndarray, reading: Reading) -> Clouds:
        clouds, kept = [], []
        for row in rows:
            file = files[row]
            try:
                cloud = _cloud(file)
            except InputError as error:
                reading.reject(str(file), error)
                continue
            clouds.append(cloud if entry.points is None else cloud[resample(cloud, entry.points)])
            kept.append(row)
        return stacked(clouds, labels[kept], source=listing)

    split = CloudsOnDisk(labels, listing, read, entry.points, files)
    return PointCloudDataset(classes, entry.up_axis, {"test": split})


def _is_by_name(document: object, kind: type) -> bool:
    return isinstance(document, dict) and all(isinstance(value, kind) for value in document.values())


def _cloud(file: Path) -> np.ndarray:
    """Points f4 [P, 3] of one of OpenShape's files."""
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    try:
        xyz = read_dictionary(file.read_bytes()).get("xyz")
        if not isinstance(xyz, np.ndarray) or xyz.dtype.kind not in "iuf" or xyz.ndim != 2 or xyz.shape[1] != 3:
            raise FormatError("no array xyz [P, 3]")
        if not len(xyz) or not np.isfinite(xyz).all() or not (xyz != xyz[0]).any():
            raise FormatError("xyz without two different points, or with values that are not finite")
    except FormatError as error:
        raise InputError(f"{file}: {one_line(error)}") from error
    return in_single(xyz)


def _below(folder: Path, path: str) -> Path:
    """The file below `folder` that the longest end of `path` names; where there is none, that of its last two parts."""
    parts = Path(path).parts
    ends = [folder.joinpath(*parts[start:]) for start in range(1 if parts[0] == "/" else 0, len(parts))]
    return next((file for file in ends if file.is_file()), folder.joinpath(*parts[-2:]))


def _json(path: Path):
    """The content of a JSON file, packed by gzip where its name says so."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    content = path.read_bytes()
    try:
        return json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not readable JSON ({one_line(error)})") from error
