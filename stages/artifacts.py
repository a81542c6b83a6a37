"""The data contract: path, keys, dtype and shape of every artifact, and the only code that reads or writes them.

N samples, P points, V views, R resolution, D embedding, C classes, T prompts.
Every file is written under a temporary name and renamed when it is complete. The same content gives the same bytes.
"""

import csv
import io
import json
import os
import shutil
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save

from stages.errors import InputError

FORMAT = 1
PROMPT_COLUMNS = ("prompt", "class", "class_name", "set", "text", "feature")
SENTENCE_COLUMNS = ("set", "class", "class_name", "part", "text")
EPOCH_COLUMNS = ("method", "shots", "seed", "epoch", "predicted")
PREDICTION_COLUMNS = ("sample", "label", "method", "shots", "seed", "rank", "predicted", "score")
BOX_COLUMNS = ("proposals", "scan", "x", "y", "z", "width", "depth", "height", "label", "score")


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


def text_cache_path(backbone: str, fingerprint: str) -> Path:
    """Text features of `backbone` by the hash of their sentence; not DVC's, and safe to delete."""
    return Path("data/cache/text") / f"{backbone}-{fingerprint[:16]}.parquet"


def record_path(dataset: str) -> Path:
    """Every answer that a language model gave about the classes of `dataset`, one JSON line each."""
    return Path("prompts/recorded") / f"{dataset}.jsonl"


def sentences_path(dataset: str) -> Path:
    """Sentences about the classes and parts of `dataset`, by prompt set."""
    return Path("data/sentences") / f"{dataset}.parquet"


def sentence_metrics_path(dataset: str) -> Path:
    """What each prompt set of `dataset` asked, kept, dropped and cost."""
    return Path("reports/prompts") / f"{dataset}.json"


def search_path(dataset: str, backbone: str) -> Path:
    """Per search protocol: the split it saw, prompt ids per class [C][...], view weights [V], accepted steps."""
    return Path("data/search") / dataset / f"{backbone}.json"


def seconds_path(dataset: str, backbone: str) -> Path:
    """Seconds each search took: the one artifact that differs from run to run."""
    return Path("reports/seconds") / dataset / f"{backbone}.json"


def predictions_path(dataset: str, backbone: str) -> Path:
    """Predicted classes of every evaluated sample."""
    return Path("data/predictions") / dataset / f"{backbone}.parquet"


def boxes_path(dataset: str, backbone: str) -> Path:
    """Predicted boxes of every evaluated scan."""
    return Path("data/boxes") / dataset / f"{backbone}.parquet"


def patches_path(dataset: str, backbone: str, category: str | None = None) -> Path:
    """Patch features of the shapes of `category`, one file a category; without one the folder of them."""
    folder = Path("data/patches") / dataset / backbone
    return folder / f"{category}.h5" if category else folder


def segments_path(dataset: str, backbone: str) -> Path:
    """Predicted parts of every point of the evaluated shapes."""
    return Path("data/segments") / dataset / f"{backbone}.h5"


def few_shot_path(dataset: str, backbone: str) -> Path:
    """Folder of what was trained on few labelled samples: predictions, the classes of every epoch, and the models."""
    return Path("data/fewshot") / dataset / backbone


def curves_path(dataset: str, backbone: str) -> Path:
    """Folder of the training curves, one CSV a method and number of shots."""
    return Path("reports/curves") / dataset / backbone


def unfinished_path(dataset: str, backbone: str) -> Path:
    """Folder of training that was killed and can be continued; no artifact, and not there once training is over."""
    return Path("data/unfinished") / dataset / backbone


def metrics_path(dataset: str, backbone: str) -> Path:
    """Figures of one dataset with one backbone."""
    return Path("reports/metrics") / dataset / f"{backbone}.json"


def confusions_path(dataset: str, backbone: str) -> Path:
    """True and predicted class name of every evaluated sample, for `dvc plots`."""
    return Path("reports/plots/confusions") / f"{dataset}_{backbone}.csv"


def templates_path(name: str) -> Path:
    """A set of hand-written sentence templates."""
    return Path("prompts/templates") / f"{name}.txt"


def published_path() -> Path:
    """Figures from the literature."""
    return Path("reports/published.yaml")


def table_path(name: str, form: str) -> Path:
    """A table of the report; `form` is md, csv or tex."""
    return Path("reports/tables") / f"{name}.{form}"


def scene_path() -> Path:
    """A viewer of one scan with its boxes, beside the report and apart from it because it is large."""
    return Path("reports/figures/scene.html")


def page_path() -> Path:
    """The whole report as one HTML file."""
    return Path("reports/index.html")


def figure_path(name: str) -> Path:
    """A figure of the report."""
    return Path("reports/figures") / f"{name}.png"


def experiments_path(name: str) -> Path:
    """A set of DVC experiments, as `dvc exp show --csv` lists it."""
    return Path("reports/experiments") / f"{name}.csv"


@dataclass(frozen=True)
class Clouds:
    """One split: points f4 [N, P, 3], labels i8 [N] into the classes, parts i8 [N, P] into the class's part names."""

    points: np.ndarray
    labels: np.ndarray
    parts: np.ndarray | None = None

    def rows(self, rows) -> "Clouds":
        """The clouds at `rows`, in that order."""
        return Clouds(self.points[rows], self.labels[rows], None if self.parts is None else self.parts[rows])


@dataclass(frozen=True)
class Points:
    """A dataset: class names [C], the axis that points up, its splits by name, part names [C][K] where it has parts."""

    classes: tuple[str, ...]
    up_axis: str
    splits: dict[str, Clouds]
    part_names: tuple[tuple[str, ...], ...] | None = None


@dataclass(frozen=True)
class Scene:
    """One scan: points f4 [M, 3] in metres, boxes f4 [K, 6] as centre and size along the axes, labels i8 [K]."""

    name: str
    points: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Scenes:
    """A dataset of scans: class names [C] of the boxes, the axis that points up, and its splits by name."""

    classes: tuple[str, ...]
    up_axis: str
    splits: dict[str, tuple[Scene, ...]]


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


@dataclass(frozen=True)
class Wording:
    """Sentences [T] of all prompt sets: class index i8 and name, part ("" for the whole object), set and text."""

    sets: tuple[str, ...]
    classes: np.ndarray
    class_names: tuple[str, ...]
    parts: tuple[str, ...]
    texts: tuple[str, ...]

    def of(self, prompt_set: str, class_name: str, *, part: str = "") -> list[str]:
        """The sentences of one set about one class, or one part of it."""
        return self._texts.get((prompt_set, class_name, part), [])

    @cached_property
    def _texts(self) -> dict[tuple[str, str, str], list[str]]:
        texts = {}
        for *subject, text in zip(self.sets, self.class_names, self.parts, self.texts, strict=True):
            texts.setdefault(tuple(subject), []).append(text)
        return texts


@dataclass(frozen=True)
class Patches:
    """Shapes of one category in all views: their rows i8 [N] in the points' split, patch features f2 [N, V, G * G, D].

    pixels u2 [N, V, P, 2] are (row, column) in a map of `map_size`; visible and visible_released are bool [N, V, P]: by
    the right look-up and by the released one, whose pixels are (column, row).
    """

    rows: np.ndarray
    features: np.ndarray
    pixels: np.ndarray
    visible: np.ndarray
    visible_released: np.ndarray
    map_size: int
    logit_scale: float


def write_points(path: Path, points: Points) -> None:
    """Write `points` to HDF5."""
    parts = {} if points.part_names is None else {"part_names": points.part_names}
    with _new_h5(path, classes=points.classes, up_axis=points.up_axis, **parts) as file:
        for name, clouds in points.splits.items():
            _expect(path, f"{name}/points", clouds.points, "f4", (None, None, 3))
            _expect(path, f"{name}/labels", clouds.labels, "i8", (len(clouds.points),))
            file.create_dataset(f"{name}/points", data=clouds.points, chunks=(1, *clouds.points.shape[1:]))
            file.create_dataset(f"{name}/labels", data=clouds.labels)
            if points.part_names is not None:
                _expect(path, f"{name}/parts", clouds.parts, "i8", clouds.points.shape[:2])
                file.create_dataset(f"{name}/parts", data=clouds.parts, chunks=(1, clouds.points.shape[1]))


class PointsReader:
    """Point clouds on disk, read in slices."""

    def __init__(self, path: Path, file: h5py.File):
        self._path, self._file = path, file
        self.classes, self.up_axis, self.splits = _classes(file), str(file.attrs["up_axis"]), tuple(file)
        self.part_names = tuple(map(tuple, json.loads(file.attrs.get("part_names", "[]")))) or None

    def labels(self, split: str) -> np.ndarray:
        """Labels i8 [N] of `split`."""
        return _read(self._path, _group(self._path, self._file, split), "labels", "i8")

    def points(self, split: str, rows: slice = slice(None)) -> np.ndarray:
        """Points f4 [n, P, 3] of the given rows of `split`."""
        return _read_rows(self._path, _group(self._path, self._file, split), "points", rows)

    def parts(self, split: str, rows: slice = slice(None)) -> np.ndarray:
        """Parts i8 [n, P] of the given rows of `split`, each into the part names of the cloud's class."""
        return _read_rows(self._path, _group(self._path, self._file, split), "parts", rows)


@contextmanager
def open_points(path: Path) -> Iterator[PointsReader]:
    """Open what `write_points` wrote, to read it piece by piece."""
    with _open_h5(path) as file:
        yield PointsReader(path, file)


def write_scenes(path: Path, scenes: Scenes) -> None:
    """Write `scenes` to HDF5, one group a scan."""
    with _new_h5(path, classes=scenes.classes, up_axis=scenes.up_axis) as file:
        for split, scans in scenes.splits.items():
            file.create_group(split)
            for scan in scans:
                key = f"{split}/{scan.name}"
                _expect(path, f"{key}/points", scan.points, "f4", (None, 3))
                _expect(path, f"{key}/boxes", scan.boxes, "f4", (len(scan.labels), 6))
                _expect(path, f"{key}/labels", scan.labels, "i8", (len(scan.boxes),))
                for name in ("points", "boxes", "labels"):
                    file.create_dataset(f"{key}/{name}", data=getattr(scan, name))


class ScenesReader:
    """Scans on disk, read one by one."""

    def __init__(self, path: Path, file: h5py.File):
        self._path, self._file = path, file
        self.classes, self.up_axis, self.splits = _classes(file), str(file.attrs["up_axis"]), tuple(file)

    def names(self, split: str) -> tuple[str, ...]:
        """Names of the scans of `split`, sorted."""
        return tuple(_group(self._path, self._file, split))

    def scene(self, split: str, name: str) -> Scene:
        """One scan."""
        group = _group(self._path, _group(self._path, self._file, split), name)
        labels = _read(self._path, group, "labels", "i8", (None,))
        boxes = _read(self._path, group, "boxes", "f4", (len(labels), 6))
        return Scene(name, _read(self._path, group, "points", "f4", (None, 3)), boxes, labels)


@contextmanager
def open_scenes(path: Path) -> Iterator[ScenesReader]:
    """Open what `write_scenes` wrote."""
    with _open_h5(path) as file:
        yield ScenesReader(path, file)


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
        _append(group, "depth", stored, compress=True)
        _append(group, "labels", labels)


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
        whole_bytes = stored.dtype == np.uint8
        return np.divide(stored, np.float32(255), dtype="f4") if whole_bytes else stored.astype("f4")

    def chunks(self, split: str, samples: int, *, ahead: int = 2) -> Iterator[np.ndarray]:
        """All depth maps of `split`, `samples` at a time; the next `ahead` are read while the caller works."""
        waiting: deque[Future] = deque()
        with ThreadPoolExecutor(1) as reader:
            for start in range(0, len(self.labels(split)), samples):
                waiting.append(reader.submit(self.depth, split, slice(start, start + samples)))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


@contextmanager
def open_depth(path: Path) -> Iterator[DepthReader]:
    """Open what `new_depth` wrote."""
    with _open_h5(path) as file:
        yield DepthReader(path, file)


PATCHES = {"rows": "i8", "features": "f2", "pixels": "u2", "visible": "?", "visible_released": "?"}


class PatchesWriter:
    """Appends the patches of a category's shapes, chunk by chunk; features are half floats, as a GPU works them out."""

    def __init__(self, path: Path, file: h5py.File):
        self._path, self._file = path, file

    def append(self, split: str, patches: Patches) -> None:
        """Add some shapes to `split`."""
        shapes, views, points = patches.visible.shape
        shape = {"rows": (shapes,), "features": (shapes, views, None, None), "pixels": (shapes, views, points, 2)}
        for key, dtype in PATCHES.items():
            values = getattr(patches, key).astype(dtype)
            _expect(self._path, f"{split}/{key}", values, dtype, shape.get(key, (shapes, views, points)))
            _append(self._file.require_group(split), key, values, compress=key not in ("rows", "features"))


@contextmanager
def new_patches(
    path: Path, *, category: str, parts: Sequence[str], map_size: int, logit_scale: float
) -> Iterator[PatchesWriter]:
    """Open a file of patches for appending; it appears at `path` only when the block ends without an error."""
    with _new_h5(path, classes=[category], parts=list(parts), map_size=map_size, logit_scale=logit_scale) as file:
        yield PatchesWriter(path, file)


def read_patches(path: Path, split: str) -> Patches | None:
    """Read one split of what `new_patches` wrote; None where the category has no shape in it."""
    with _open_h5(path) as file:
        if split not in file:
            return None
        group = _group(path, file, split)
        arrays = {key: _read(path, group, key, dtype) for key, dtype in PATCHES.items()}
        attributes = (json.loads(file.attrs[name]) for name in ("map_size", "logit_scale"))
        return Patches(**arrays, **dict(zip(("map_size", "logit_scale"), attributes, strict=True)))


def write_segments(
    path: Path, predicted: dict[str, np.ndarray], *, classes: Sequence[str], split: str, part_names: Sequence
) -> None:
    """Write the parts u1 [N, P] that each method predicts for the points of `split`, in the order of data/points."""
    with _new_h5(path, classes=classes, split=split, part_names=part_names) as file:
        for method, parts in predicted.items():
            _expect(path, method, parts, "u1", (None, None))
            file.create_dataset(method, data=parts, chunks=(1, parts.shape[1]), compression="gzip", shuffle=True)


def read_segments(path: Path, method: str) -> tuple[str, np.ndarray]:
    """The split, and the parts u1 [N, P] that `method` predicts for its points; InputError when it is not there."""
    with _open_h5(path) as file:
        if method not in file:
            raise InputError(f"{path}: no method '{method}'; it has {', '.join(file)}")
        return str(file.attrs["split"]), _read(path, file, method, "u1", (None, None))


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
    columns = (
        np.arange(len(prompts.texts)),
        prompts.classes,
        list(prompts.class_names),
        list(prompts.sets),
        list(prompts.texts),
        _vectors(prompts.features),
    )
    _write_parquet(path, dict(zip(PROMPT_COLUMNS, columns, strict=True)))


def read_prompts(path: Path) -> Prompts:
    """Read what `write_prompts` wrote."""
    table = _read_parquet(path, PROMPT_COLUMNS)
    return Prompts(
        table["class"].to_numpy(),
        tuple(table["class_name"].to_pylist()),
        tuple(table["set"].to_pylist()),
        tuple(table["text"].to_pylist()),
        _rows(table["feature"]),
    )


def write_text_cache(path: Path, cache: dict[str, np.ndarray]) -> None:
    """Write features f4 [D] by key, in the order of the keys."""
    keys = sorted(cache)
    rows = np.stack([cache[key] for key in keys])
    _expect(path, "feature", rows, "f4", (len(keys), None))
    _write_parquet(path, {"key": keys, "feature": _vectors(rows)})


def read_text_cache(path: Path) -> dict[str, np.ndarray]:
    """Read what `write_text_cache` wrote; empty where nothing has."""
    if not path.exists():
        return {}
    table = _read_parquet(path, ("key", "feature"))
    return dict(zip(table["key"].to_pylist(), _rows(table["feature"]), strict=True))


def write_sentences(path: Path, wording: Wording) -> None:
    """Write `wording` to Parquet."""
    columns = (list(wording.sets), wording.classes, list(wording.class_names), list(wording.parts), list(wording.texts))
    _write_parquet(path, dict(zip(SENTENCE_COLUMNS, columns, strict=True)))


def read_sentences(path: Path) -> Wording:
    """Read what `write_sentences` wrote."""
    table = _read_parquet(path, SENTENCE_COLUMNS)
    texts = {name: tuple(table[name].to_pylist()) for name in ("set", "class_name", "part", "text")}
    return Wording(texts["set"], table["class"].to_numpy(), texts["class_name"], texts["part"], texts["text"])


class Record:
    """A language model's answers by key; each is on disk before `add` returns.

    While a run lasts they are appended to a journal beside the record, so that a killed run loses none of them.
    """

    def __init__(self, path: Path):
        self.path, self.journal = path, path.with_name(f"{path.name}.journal")
        self.answers = _read_answers(path) | _read_answers(self.journal, may_be_cut=True)

    def add(self, answer: dict) -> None:
        """Append `answer`, whose `key` must be new."""
        if answer["key"] in self.answers:
            raise ValueError(f"{self.path}: key {answer['key']} is there already")
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        with self.journal.open("ab") as file:
            file.write(_json_line(answer))
            file.flush()
            os.fsync(file.fileno())
        self.answers[answer["key"]] = answer

    def merge(self) -> None:
        """Put the journal's answers into the record, which is sorted by key, and remove the journal."""
        write_record(self.path, self.answers)
        self.journal.unlink(missing_ok=True)


@contextmanager
def open_record(path: Path) -> Iterator[Record]:
    """The record at `path`, which need not exist yet; however the block ends, all answers are in it afterwards."""
    record = Record(path)
    if record.journal.is_file():  # of a killed run: its last line may be cut, and nothing may be written after it
        record.merge()
    try:
        yield record
        if not path.is_file():
            record.merge()
    finally:
        if record.journal.is_file():
            record.merge()


def write_record(path: Path, answers: dict[str, dict]) -> None:
    """Write `answers`, sorted by key, one JSON line each."""
    with complete_file(path) as temporary, temporary.open("wb") as file:
        file.writelines(_json_line(answers[key]) for key in sorted(answers))
        file.flush()
        os.fsync(file.fileno())


def _json_line(answer: dict) -> bytes:
    return (json.dumps(answer, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _read_answers(path: Path, *, may_be_cut: bool = False) -> dict[str, dict]:
    """Answers by key; a journal's last line, cut off when its run was killed, is left out with a warning."""
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    answers = {}
    for number, line in enumerate(lines, start=1):
        if may_be_cut and not line.endswith(b"\n"):
            warnings.warn(f"{path}: line {number} is cut off and left out: a run was killed", stacklevel=4)
            continue
        try:
            answer = json.loads(line)
            answers[answer["key"]] = answer
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{path}: line {number}: expected one JSON object with a key") from None
    return answers


def prediction_columns(
    labels: np.ndarray, ranked: np.ndarray, scores: np.ndarray, *, method: str, shots: int, seed: int
) -> dict[str, np.ndarray]:
    """The columns of one method's predictions: labels i8 [N], classes i8 [N, ranks] best first, and their scores f4."""
    samples, ranks = ranked.shape
    return {
        "sample": np.repeat(np.arange(samples), ranks),
        "label": np.repeat(labels, ranks),
        "method": np.full(samples * ranks, method),
        "shots": np.full(samples * ranks, shots),
        "seed": np.full(samples * ranks, seed),
        "rank": np.tile(np.arange(ranks), samples),
        "predicted": ranked.ravel(),
        "score": scores.ravel(),
    }


def stacked(tables: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Tables of the same columns, one below the other."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


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


def write_csv(path: Path, columns: dict[str, Sequence]) -> None:
    """Write columns of one length under their names."""
    with complete_file(path) as temporary, temporary.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))


def write_boxes(path: Path, columns: dict[str, Sequence]) -> None:
    """Write one row per proposals, scan and box, best score first: the columns of BOX_COLUMNS, all of one length."""
    if tuple(columns) != BOX_COLUMNS:
        raise ValueError(f"{path}: columns {tuple(columns)}, expected {BOX_COLUMNS}")
    _write_parquet(path, columns)


def read_boxes(path: Path, *, proposals: str, scan: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes f4 [K, 6] predicted in one scan from one kind of proposals, their labels i8 [K] and scores f4 [K]."""
    table = _read_parquet(path, BOX_COLUMNS)
    columns = {name: table[name].to_numpy() for name in BOX_COLUMNS}
    rows = (columns["proposals"] == proposals) & (columns["scan"] == scan)
    return np.stack([columns[name][rows] for name in BOX_COLUMNS[2:8]], axis=1), *(
        columns[name][rows] for name in ("label", "score")
    )


def write_epochs(path: Path, rows: Sequence[tuple[str, int, int, np.ndarray]]) -> None:
    """Write the classes predicted after every epoch: rows of method, shots, seed and classes i2 [epochs, N]."""
    columns = {name: [] for name in EPOCH_COLUMNS}
    for method, shots, seed, watched in rows:
        for epoch, predicted in enumerate(watched):
            for name, value in zip(EPOCH_COLUMNS, (method, shots, seed, epoch, predicted), strict=True):
                columns[name].append(value)
    typed = {"method": pa.string(), "predicted": pa.list_(pa.int16())}
    _write_parquet(path, {name: pa.array(values, typed.get(name, pa.int64())) for name, values in columns.items()})


def read_epochs(path: Path) -> list[tuple[str, int, int, np.ndarray]]:
    """Read what `write_epochs` wrote."""
    table = _read_parquet(path, EPOCH_COLUMNS)
    runs: dict[tuple[str, int, int], list] = {}
    for method, shots, seed, _, predicted in zip(*(table[name].to_pylist() for name in EPOCH_COLUMNS), strict=True):
        runs.setdefault((method, shots, seed), []).append(predicted)
    return [(*run, np.array(watched, np.int16)) for run, watched in runs.items()]


def write_tensors(path: Path, tensors: dict[str, np.ndarray], settings: dict) -> None:
    """Write arrays by name to safetensors, with `settings` as JSON under the metadata's key of that name."""
    # one key of metadata: safetensors would write several in any order
    write_bytes(path, save(tensors, metadata={"settings": json.dumps(settings, sort_keys=True)}))


def write_curves(path: Path, names: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
    """Write numbers as CSV with a line of names; NaN is an empty field."""
    lines = [",".join("" if value != value else f"{value:.6g}" for value in row) for row in rows]
    write_text(path, "\n".join([",".join(names), *lines]) + "\n")


class Unfinished:
    """Documents of training that is not over, by name, for the inputs of one `fingerprint`; others' are removed."""

    def __init__(self, folder: Path, fingerprint: str):
        self._folder = folder / fingerprint
        for other in folder.glob("*"):
            if other != self._folder:
                shutil.rmtree(other)

    def place(self, name: str) -> "Place":
        """The place of one document."""
        return Place(self._folder / f"{name}.pt")

    def remove(self) -> None:
        """Remove everything: training is over."""
        shutil.rmtree(self._folder.parent, ignore_errors=True)


@dataclass(frozen=True)
class Place:
    """Where one document lies as bytes."""

    path: Path

    def get(self) -> bytes | None:
        """What was put last, None before anything was."""
        return self.path.read_bytes() if self.path.is_file() else None

    def put(self, content: bytes) -> None:
        """Replace what was there, whole or not at all."""
        with complete_file(self.path) as temporary:
            temporary.write_bytes(content)


def write_json(path: Path, document: dict) -> None:
    """Write `document` as indented JSON with sorted keys; not-a-number is refused."""
    with complete_file(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write `text`."""
    with complete_file(path) as temporary:
        temporary.write_text(text)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content`."""
    with complete_file(path) as temporary:
        temporary.write_bytes(content)


def read_text(path: Path) -> str:
    """Read a text file."""
    _must_exist(path)
    return path.read_text()


def read_bytes(path: Path) -> bytes:
    """Read a file as it is."""
    _must_exist(path)
    return path.read_bytes()


def read_json(path: Path) -> dict:
    """Read what `write_json` wrote."""
    _must_exist(path)
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from None


@contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` when the block succeeds, remove it when it fails.

    A full disk or a folder that may not be written is an InputError.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({' '.join((error.strerror or str(error)).split())})") from None
    finally:
        if os.access(path.parent, os.W_OK):
            temporary.unlink(missing_ok=True)


class _PatientFile(io.FileIO):
    """A file that keeps its first failure to itself until it is closed: HDF5 crashes where it cannot close a file."""

    _failure: OSError | None = None

    def write(self, content) -> int:
        rest = memoryview(content).cast("B")
        while rest and self._failure is None:
            try:
                rest = rest[super().write(rest) :]
            except OSError as error:
                self._failure = error
        return len(content)

    def close(self) -> None:
        super().close()
        if self._failure is not None:
            raise self._failure


@contextmanager
def _new_h5(path: Path, *, classes: Sequence[str], **attributes) -> Iterator[h5py.File]:
    with complete_file(path) as temporary, _PatientFile(temporary, "w+") as raw, h5py.File(raw, "w") as file:
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


def _append(group: h5py.Group, key: str, rows: np.ndarray, *, compress: bool = False) -> None:
    """Add `rows` to the end of a dataset, which is made where it is missing: one sample a chunk, or 1024 numbers."""
    if key not in group:
        chunk = (1, *rows.shape[1:]) if rows.ndim > 1 else (1024,)
        options = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if compress else {}
        shape, most = (0, *rows.shape[1:]), (None, *rows.shape[1:])
        group.create_dataset(key, shape, rows.dtype, maxshape=most, chunks=chunk, **options)
    group[key].resize(len(group[key]) + len(rows), axis=0)
    group[key][-len(rows) :] = rows


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


def _vectors(rows: np.ndarray) -> pa.FixedSizeListArray:
    """Rows f4 [T, D] as a column of vectors."""
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])


def _rows(column: pa.ChunkedArray) -> np.ndarray:
    """What `_vectors` made a column of."""
    whole = column.combine_chunks()
    return whole.values.to_numpy().reshape(len(whole), whole.type.list_size)


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
