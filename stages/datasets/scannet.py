"""Reader of ScanNet's scans with boxes: VoteNet's prepared folder, or the raw scans as VoteNet prepares them.

Prepared: `<scan>_vert.npy` [M, >=3] and `<scan>_bbox.npy` [K, 7] (centre, size, nyu40 id), aligned with the axes.
Raw: `<scan>/<scan>_vh_clean_2.ply`, `<scan>_vh_clean_2.0.010000.segs.json`, `<scan>.aggregation.json` (or
`<scan>_vh_clean_2.aggregation.json`) and `<scan>.txt` with `axisAlignment`, and `scannetv2-labels.combined.tsv` beside
the scans or in the folder above, where ScanNet's downloader puts it. `scannetv2_train.txt` and `scannetv2_val.txt`, in
the same places or in `meta_data` beside the folder, give the splits train and test (ScanNet's figures are those of val,
its own test scans have no boxes). Without them every scan is train, since nobody knows which a model was trained on.
"""

import csv
import json
from pathlib import Path

import numpy as np

from stages.artifacts.types import Scene, Scenes
from stages.config.dataset import Dataset
from stages.core.errors import InputError, one_line
from stages.core.precision import local_origin
from stages.datasets.formats import ply
from stages.datasets.formats.words import decode

CLASSES = {  # nyu40 id -> class, in the order of ScanNet's detection benchmark
    3: "cabinet",
    4: "bed",
    5: "chair",
    6: "sofa",
    7: "table",
    8: "door",
    9: "window",
    10: "bookshelf",
    11: "picture",
    12: "counter",
    14: "desk",
    16: "curtain",
    24: "refrigerator",
    28: "shower_curtain",
    33: "toilet",
    34: "sink",
    36: "bathtub",
    39: "garbage_bin",
}
NYU40 = range(1, 41)
SPLITS = {"train": "scannetv2_train.txt", "test": "scannetv2_val.txt"}
LABELS = "scannetv2-labels.combined.tsv"
MOST_POINTS = 50_000  # a scan keeps this many vertices, drawn at random, as VoteNet prepares it


def read(path: Path, entry: Dataset) -> Scenes:
    """All scans of the folder `path`, with the boxes of the 18 classes; z is up, lengths are metres."""
    prepared = {file.name.removesuffix("_vert.npy"): file for file in path.glob("*_vert.npy")}
    raw = {file.parent.name: file for file in path.glob("*/*_vh_clean_2.ply")}
    notes = []
    if prepared:
        scans = {name: lambda name=name: _read_prepared(path, name) for name in prepared}
    elif raw:
        ids = _nyu40_ids(_beside(path, LABELS))
        notes += _unaligned(path, sorted(raw))
        scans = {name: lambda name=name: _read_raw(path / name, ids) for name in raw}
    else:
        raise InputError(f"{path}: no scan, expected <scan>_vert.npy or <scan>/<scan>_vh_clean_2.ply")
    names = _splits(path, sorted(scans))
    if names is None:
        missing = " and ".join(SPLITS.values())
        notes.append(f"{path}: no {missing}: its {len(scans)} scans are called train, none test")
    splits = {
        split: tuple(scans[name]() for name in chosen) for split, chosen in (names or {"train": sorted(scans)}).items()
    }
    return Scenes(tuple(CLASSES.values()), entry.up_axis, splits, tuple(notes))


def _splits(path: Path, scans: list[str]) -> dict[str, list[str]] | None:
    """Scan names by split, as the list files that are there have them; None without any."""
    lists = {split: _beside(path, name) for split, name in SPLITS.items()}
    if not any(file.is_file() for file in lists.values()):
        return None
    splits = {}
    for split, file in lists.items():
        listed = set(decode(file.read_bytes()).split()) if file.is_file() else set()
        splits[split] = [name for name in scans if name in listed]
    if not any(splits.values()):
        raise InputError(f"{path}: no scan that {' or '.join(SPLITS.values())} names")
    return {split: names for split, names in splits.items() if names}


def _beside(path: Path, name: str) -> Path:
    """`name` in the folder, in the one above, or in the meta_data folder beside it, where VoteNet keeps it."""
    places = (path / name, path.parent / name, path.parent / "meta_data" / name)
    return next((place for place in places if place.is_file()), places[0])


def _read_prepared(path: Path, name: str) -> Scene:
    points = _checked_points(path / f"{name}_vert.npy", _load(path / f"{name}_vert.npy", width=3))
    file = path / f"{name}_bbox.npy"
    table = _load(file, width=7)
    return _scene(name, points, table[:, :6], table[:, 6], source=file)


def _load(file: Path, *, width: int) -> np.ndarray:
    """Array [N, >= width] of a .npy file."""
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    try:
        values = np.load(file)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{file}: not a readable .npy file ({error})") from error
    if values.ndim != 2 or values.shape[1] < width:
        raise InputError(f"{file}: shape {list(values.shape)}, expected [N, {width} or more]")
    return values


def _checked_points(file: Path, points: np.ndarray) -> np.ndarray:
    """The coordinates [M, 3], at most MOST_POINTS of them; InputError without points or with values not finite."""
    if not len(points):
        raise InputError(f"{file}: no points")
    if not np.isfinite(points[:, :3]).all():
        raise InputError(f"{file}: has values that are not finite")
    if len(points) > MOST_POINTS:
        points = points[np.sort(np.random.default_rng(0).choice(len(points), MOST_POINTS, replace=False))]
    return points[:, :3]


def _scene(name: str, points: np.ndarray, boxes: np.ndarray, ids: np.ndarray, *, source: Path) -> Scene:
    """The scan with the boxes whose nyu40 id is one of CLASSES; any other of nyu40 is dropped, as VoteNet does.

    Points and boxes are counted from `local_origin`: 0, but for a scan in coordinates of the earth its own centre.
    """
    unknown = [value for value in ids if value not in NYU40]
    if unknown:
        raise InputError(f"{source}: nyu40 id {unknown[0]:g}, expected a whole number from 1 to 40")
    bad = np.flatnonzero(~np.isfinite(boxes).all(axis=1) | (boxes[:, 3:] < 0).any(axis=1))
    if len(bad):
        raise InputError(
            f"{source}: box {bad[0]} is {boxes[bad[0]].tolist()}, expected finite numbers, no size below 0"
        )
    kept = np.isin(ids, list(CLASSES))
    labels = np.array([list(CLASSES).index(value) for value in ids[kept]], np.int64)
    origin = local_origin(points)
    placed = np.concatenate([boxes[kept, :3] - origin, boxes[kept, 3:]], axis=1)
    return Scene(name, (points - origin).astype(np.float32), placed.astype(np.float32), labels)


def _nyu40_ids(file: Path) -> dict[str, int | None]:
    """nyu40 id of every raw category that ScanNet's label table knows; None of those without one."""
    if not file.is_file():
        raise InputError(f"{file}: no such file, expected ScanNet's label table beside the raw scans")
    rows = csv.DictReader(decode(file.read_bytes()).splitlines(), delimiter="\t")
    try:
        return {row["raw_category"]: int(row["nyu40id"]) if (row["nyu40id"] or "").strip() else None for row in rows}
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{file}: expected the columns raw_category and nyu40id (a number)") from error


def _read_raw(folder: Path, ids: dict[str, int]) -> Scene:
    """One raw scan; a box encloses the aligned vertices of an object's segments, as VoteNet's preparation has it."""
    mesh = folder / f"{folder.name}_vh_clean_2.ply"
    alignment = _alignment(folder / f"{folder.name}.txt")
    vertices = _vertices(mesh)
    if alignment is not None:
        vertices = vertices @ alignment[:3, :3].T + alignment[:3, 3]
    segments = np.array(_json(folder / f"{folder.name}_vh_clean_2.0.010000.segs.json", "segIndices"))
    if len(segments) != len(vertices):
        raise InputError(f"{mesh}: {len(vertices)} vertices, but its segs.json has {len(segments)} segIndices")
    names = (f"{folder.name}.aggregation.json", f"{folder.name}_vh_clean_2.aggregation.json")
    source = next((folder / name for name in names if (folder / name).is_file()), folder / names[0])
    boxes, labels = [], []
    for group in _json(source, "segGroups"):
        if group["label"] not in ids:
            raise InputError(f"{source}: label '{group['label']}' is not in {LABELS}")
        if ids[group["label"]] is None:
            continue
        of_object = vertices[np.isin(segments, group["segments"])]
        if len(of_object):
            low, high = of_object.min(axis=0), of_object.max(axis=0)
            boxes.append([*(low + high) / 2, *(high - low)])
            labels.append(ids[group["label"]])
    points = _checked_points(mesh, vertices)
    return _scene(folder.name, points, np.array(boxes).reshape(-1, 6), np.array(labels), source=source)


def _vertices(file: Path) -> np.ndarray:
    try:
        return ply.read(file.read_bytes(), file).vertices
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise InputError(f"{file}: not a readable PLY file ({one_line(error)})") from error


def _unaligned(path: Path, names: list[str]) -> list[str]:
    """A note of how many scans have no alignment and stay as they were scanned, if there are some."""
    files = [path / name / f"{name}.txt" for name in names]
    unaligned = [file.stem for file in files if file.is_file() and _alignment(file) is None]
    counted = f"{len(unaligned)} of {len(names)} scans without axisAlignment"
    return [f"{path}: {counted}, left as they are: first {unaligned[0]}"] if unaligned else []


def _alignment(file: Path) -> np.ndarray | None:
    """The 4 x 4 matrix that turns a scan's walls along the axes; None where the file has no such line."""
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    lines = [line.strip() for line in decode(file.read_bytes()).splitlines()]
    line = next((line for line in lines if line.startswith("axisAlignment")), None)
    if line is None:
        return None
    try:
        return np.array(line.partition("=")[2].split(), float).reshape(4, 4)
    except ValueError as error:
        raise InputError(f"{file}: expected a line 'axisAlignment = ' with 16 numbers") from error


def _json(file: Path, key: str):
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    try:
        return json.loads(decode(file.read_bytes()))[key]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: expected JSON with the key {key}") from error
