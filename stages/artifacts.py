"""The data contract: path, keys, dtype and shape of every artifact, and the only code that reads or writes them.

N samples, P points, V views, R resolution, D embedding, C classes, T prompts.
Every file is written under a temporary name and renamed when it is complete. The same content gives the same bytes.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.errors import InputError

FORMAT = 1
PROMPT_COLUMNS = ("prompt", "class", "class_name", "set", "text", "feature")
PREDICTION_COLUMNS = ("sample", "label", "method", "shots", "seed", "rank", "predicted", "score")


def points_path(dataset: str) -> Path:
    """Point clouds of `dataset` as read from its raw files."""
    return Path("data/points") / f"{dataset}.h5"


def depth_path(dataset: str) -> Path:
    """Depth maps of `dataset`."""
    return Path("data/depth") / f"{dataset}.h5"


def features_path(dataset: str, backbone: str) -> Path:
    """Image features of the depth maps of `dataset`."""
    return Path("data/features") / dataset / backbone / "depth.h5"


def prompts_path(dataset: str, backbone: str) -> Path:
    """Prompts for the classes of `dataset` and their text features."""
    return Path("data/features") / dataset / backbone / "prompts.parquet"


def search_path(dataset: str, backbone: str) -> Path:
    """Per search protocol: the split it saw, prompt ids per class [C][...], view weights [V], accepted steps."""
    return Path("data/search") / dataset / f"{backbone}.json"


def seconds_path(dataset: str, backbone: str) -> Path:
    """Seconds each search took: the one artifact that differs from run to run."""
    return Path("reports/seconds") / dataset / f"{backbone}.json"


def predictions_path(dataset: str, backbone: str) -> Path:
    """Predicted classes of every evaluated sample."""
    return Path("data/predictions") / dataset / f"{backbone}.parquet"


def metrics_path(dataset: str, backbone: str) -> Path:
    """Figures of one dataset with one backbone."""
    return Path("reports/metrics") / dataset / f"{backbone}.json"


def table_path(name: str) -> Path:
    """A table of the report, in Markdown."""
    return Path("reports/tables") / f"{name}.md"


def figure_path(name: str) -> Path:
    """A figure of the report."""
    return Path("reports/figures") / f"{name}.png"


def experiments_path(name: str) -> Path:
    """A set of DVC experiments, as `dvc exp show --csv` lists it."""
    return Path("reports/experiments") / f"{name}.csv"


@dataclass(frozen=True)
class Clouds:
    """One split of a dataset: points f4 [N, P, 3], labels i8 [N] into the dataset's classes."""

    points: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Points:
    """A dataset: class names [C], the axis that points up, and its splits by name."""

    classes: tuple[str, ...]
    up_axis: str
    splits: dict[str, Clouds]


@dataclass(frozen=True)
class Features:
    """One split's image features f4 [N, V, D] of unit norm, labels i8 [N], class names [C] and CLIP's logit scale."""

    features: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    logit_scale: float


@dataclass(frozen=True)
class Prompts:
    """Prompts of one backbone: class index i8 [T], set and text per prompt, features f4 [T, D] of unit norm."""

    classes: np.ndarray
    class_names: tuple[str, ...]
    sets: tuple[str, ...]
    texts: tuple[str, ...]
    features: np.ndarray


def write_points(path: Path, points: Points) -> None:
    """Write `points` to HDF5."""
    with _new_h5(path, classes=points.classes, up_axis=points.up_axis) as file:
        for name, clouds in points.splits.items():
            _expect(path, f"{name}/points", clouds.points, "f4", (None, None, 3))
            _expect(path, f"{name}/labels", clouds.labels, "i8", (len(clouds.points),))
            file.create_dataset(f"{name}/points", data=clouds.points, chunks=(1, *clouds.points.shape[1:]))
            file.create_dataset(f"{name}/labels", data=clouds.labels)


class PointsReader:
    """Point clouds on disk, read in slices."""

    def __init__(self, path: Path, file: h5py.File):
        self._path, self._file = path, file
        self.classes, self.up_axis, self.splits = _classes(file), str(file.attrs["up_axis"]), tuple(file)

    def labels(self, split: str) -> np.ndarray:
        """Labels i8 [N] of `split`."""
        return _read(self._path, _group(self._path, self._file, split), "labels", "i8")

    def points(self, split: str, rows: slice = slice(None)) -> np.ndarray:
        """Points f4 [n, P, 3] of the given rows of `split`."""
        return _read_rows(self._path, _group(self._path, self._file, split), "points", rows)


@contextmanager
def open_points(path: Path) -> Iterator[PointsReader]:
    """Open what `write_points` wrote, to read it piece by piece."""
    with _open_h5(path) as file:
        yield PointsReader(path, file)


class DepthWriter:
    """Appends depth maps chunk by chunk, stored as whole bytes (u1: 1/255 steps) or half floats (f2)."""

    def __init__(self, path: Path, file: h5py.File, dtype: str):
        self._path, self._file, self._dtype = path, file, dtype

    def append(self, split: str, depth: np.ndarray, labels: np.ndarray) -> None:
        """Add depth f4 [n, V, R, R] in 0..1 and labels i8 [n] to `split`."""
        _expect(self._path, f"{split}/depth", depth, "f4", (None, None, None, None))
        _expect(self._path, f"{split}/labels", labels, "i8", (len(depth),))
        stored = np.rint(depth * 255).astype("u1") if self._dtype == "u1" else depth.astype("f2")
        group = self._file.require_group(split)
        for key, rows in (("depth", stored), ("labels", labels)):
            if key not in group:
                chunk = (1, *rows.shape[1:]) if rows.ndim > 1 else (1024,)
                options = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if rows.ndim > 1 else {}
                group.create_dataset(
                    key, (0, *rows.shape[1:]), rows.dtype, maxshape=(None, *rows.shape[1:]), chunks=chunk, **options
                )
            group[key].resize(len(group[key]) + len(rows), axis=0)
            group[key][-len(rows) :] = rows


@contextmanager
def new_depth(
    path: Path, *, classes: Sequence[str], views: Sequence[str], polarity: str, dtype: str
) -> Iterator[DepthWriter]:
    """Open a depth map file for appending; it appears at `path` only when the block ends without an error."""
    with _new_h5(path, classes=classes, views=list(views), polarity=polarity) as file:
        yield DepthWriter(path, file, dtype)


class DepthReader:
    """Depth maps on disk, read in slices."""

    def __init__(self, path: Path, file: h5py.File):
        self._path, self._file = path, file
        self.classes = _classes(file)
        self.views = tuple(json.loads(file.attrs["views"]))
        self.polarity = file.attrs["polarity"]
        self.splits = tuple(file)

    def labels(self, split: str) -> np.ndarray:
        """Labels i8 [N] of `split`."""
        return _read(self._path, _group(self._path, self._file, split), "labels", "i8")

    def depth(self, split: str, rows: slice = slice(None)) -> np.ndarray:
        """Depth maps f4 [n, V, R, R] in 0..1 of the given rows of `split`."""
        stored = _read_rows(self._path, _group(self._path, self._file, split), "depth", rows)
        return stored.astype("f4") / np.float32(255) if stored.dtype == np.uint8 else stored.astype("f4")


@contextmanager
def open_depth(path: Path) -> Iterator[DepthReader]:
    """Open what `new_depth` wrote."""
    with _open_h5(path) as file:
        yield DepthReader(path, file)


def write_features(
    path: Path, splits: dict[str, tuple[np.ndarray, np.ndarray]], *, classes: Sequence[str], logit_scale: float
) -> None:
    """Write per split (features f4 [N, V, D] of unit norm, labels i8 [N])."""
    with _new_h5(path, classes=classes) as file:
        file.attrs["logit_scale"] = float(logit_scale)
        for split, (features, labels) in splits.items():
            _expect(path, f"{split}/features", features, "f4", (None, None, None))
            _expect(path, f"{split}/labels", labels, "i8", (len(features),))
            _expect_unit_norm(path, f"{split}/features", features)
            file.create_dataset(f"{split}/features", data=features)
            file.create_dataset(f"{split}/labels", data=labels)


def read_features(path: Path, split: str) -> Features:
    """Read one split of what `write_features` wrote."""
    with _open_h5(path) as file:
        group = _group(path, file, split)
        features = _read(path, group, "features", "f4", (None, None, None))
        return Features(
            features,
            _read(path, group, "labels", "i8", (len(features),)),
            _classes(file),
            float(file.attrs["logit_scale"]),
        )


def write_prompts(path: Path, prompts: Prompts) -> None:
    """Write prompts and their features to Parquet."""
    _expect(path, "feature", prompts.features, "f4", (len(prompts.texts), None))
    _expect_unit_norm(path, "feature", prompts.features)
    width = prompts.features.shape[1]
    columns = (
        np.arange(len(prompts.texts)),
        prompts.classes,
        list(prompts.class_names),
        list(prompts.sets),
        list(prompts.texts),
        pa.FixedSizeListArray.from_arrays(pa.array(prompts.features.ravel()), width),
    )
    _write_parquet(path, dict(zip(PROMPT_COLUMNS, columns, strict=True)))


def read_prompts(path: Path) -> Prompts:
    """Read what `write_prompts` wrote."""
    table = _read_parquet(path, PROMPT_COLUMNS)
    column = table["feature"].combine_chunks()
    features = column.values.to_numpy().reshape(len(table), column.type.list_size)
    return Prompts(
        table["class"].to_numpy(),
        tuple(table["class_name"].to_pylist()),
        tuple(table["set"].to_pylist()),
        tuple(table["text"].to_pylist()),
        features,
    )


def write_predictions(path: Path, columns: dict[str, Sequence]) -> None:
    """Write one row per sample, method and rank: the columns of PREDICTION_COLUMNS, all of one length."""
    if tuple(columns) != PREDICTION_COLUMNS:
        raise ValueError(f"{path}: columns {tuple(columns)}, expected {PREDICTION_COLUMNS}")
    _write_parquet(path, columns)


def read_predictions(path: Path) -> dict[str, np.ndarray]:
    """Read what `write_predictions` wrote, as columns."""
    table = _read_parquet(path, PREDICTION_COLUMNS)
    return {name: table[name].to_numpy() for name in PREDICTION_COLUMNS}


def read_ranked(path: Path, *, method: str) -> tuple[np.ndarray, np.ndarray]:
    """One method's classes by rank i8 [N, ranks] and their scores f4 [N, ranks]; InputError when it is not there."""
    columns = read_predictions(path)
    rows = columns["method"] == method
    if not rows.any():
        raise InputError(f"{path}: no method '{method}'; it has {', '.join(sorted(set(columns['method'])))}")
    shape = (-1, int(columns["rank"].max()) + 1)
    return columns["predicted"][rows].reshape(shape), columns["score"][rows].reshape(shape)


def write_json(path: Path, document: dict) -> None:
    """Write `document` as indented JSON with sorted keys; not-a-number is refused."""
    with complete_file(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write `text`."""
    with complete_file(path) as temporary:
        temporary.write_text(text)


def read_text(path: Path) -> str:
    """Read a text file."""
    _must_exist(path)
    return path.read_text()


def read_json(path: Path) -> dict:
    """Read what `write_json` wrote."""
    _must_exist(path)
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from None


@contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` when the block succeeds, remove it when it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _new_h5(path: Path, *, classes: Sequence[str], **attributes) -> Iterator[h5py.File]:
    with complete_file(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["classes"] = json.dumps(list(classes))
        for name, value in attributes.items():
            file.attrs[name] = value if isinstance(value, str) else json.dumps(value)
        yield file


@contextmanager
def _open_h5(path: Path) -> Iterator[h5py.File]:
    _must_exist(path)
    try:
        file = h5py.File(path)
    except OSError as error:
        raise InputError(f"{path}: not a readable HDF5 file ({error})") from None
    with file:
        if file.attrs.get("format") != FORMAT:
            raise InputError(f"{path}: attribute format is {file.attrs.get('format')}, expected {FORMAT}")
        yield file


def _classes(file: h5py.File) -> tuple[str, ...]:
    return tuple(json.loads(file.attrs["classes"]))


def _group(path: Path, file: h5py.File, split: str) -> h5py.Group:
    if split not in file:
        raise InputError(f"{path}: no split '{split}'; it has {', '.join(file)}")
    return file[split]


def _read_rows(path: Path, group: h5py.Group, key: str, rows: slice | tuple) -> np.ndarray:
    if key not in group:
        raise InputError(f"{path}: no key {group.name}/{key}")
    try:
        return group[key][rows]
    except OSError as error:
        raise InputError(f"{path}: {group.name}/{key} is damaged ({error})") from None


def _read(path: Path, group: h5py.Group, key: str, dtype: str, shape: tuple | None = None) -> np.ndarray:
    values = _read_rows(path, group, key, ())
    _expect(path, f"{group.name}/{key}", values, dtype, shape or values.shape)
    return values


def _expect(path: Path, key: str, values: np.ndarray, dtype: str, shape: tuple) -> None:
    fits = len(values.shape) == len(shape) and all(b in (None, a) for a, b in zip(values.shape, shape, strict=True))
    if values.dtype != np.dtype(dtype) or not fits:
        wanted = "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"
        raise InputError(f"{path}: {key} is {values.dtype} {list(values.shape)}, expected {np.dtype(dtype)} {wanted}")


def _expect_unit_norm(path: Path, key: str, features: np.ndarray) -> None:
    norms = np.linalg.norm(features, axis=-1)
    if not np.allclose(norms, 1, atol=1e-3):
        raise InputError(f"{path}: {key} has norms from {norms.min()} to {norms.max()}, expected 1")


def _write_parquet(path: Path, columns: dict) -> None:
    with complete_file(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


def _read_parquet(path: Path, columns: tuple[str, ...]) -> pa.Table:
    _must_exist(path)
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({' '.join(str(error).split())})") from None
    if tuple(table.column_names) != columns:
        raise InputError(f"{path}: columns {table.column_names}, expected {list(columns)}")
    return table


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path}: no such file; run `dvc repro` to make it")
