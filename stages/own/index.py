"""A folder of objects -> a library of their features: every file encoded once, and only where it is new or changed.

As many threads as there are cores take turns at two kinds of work: to read and sample a file, and to project and encode
a batch of what was read, each on one core, because two that share a batch wait for each other. What is encoded is kept
beside the library as it comes, so that a run that is stopped at any moment is continued by the next one, with the same
result.
"""

import dataclasses
import hashlib
import io
import itertools
import json
import shutil
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple

import numpy as np
from filelock import FileLock, Timeout
from PIL import Image

from stages.artifacts.library import Encoding, Entry, first_difference, read_entries, write_library
from stages.core.errors import InputError, one_line
from stages.core.threads import available_cores, map_in_threads
from stages.own.inputs import find_files, read_cloud
from stages.own.library import background_features, encoding_of
from stages.own.results import Axis, Up
from stages.own.upright import AXES, agreement, around
from stages.projection.clouds import orient
from stages.projection.presets import Projection
from stages.projection.rendering import render
from stages.retrieval.floor import null_scores_of_objects, null_scores_of_words
from stages.retrieval.pooling import POOLINGS, best_views

AT_ONCE = 8  # objects that are encoded together: always so many, because the last bits depend on the shape of a product
AHEAD = 6  # times as many are read before they are asked for
BLOCK = 1 << 16  # bytes of a file that are hashed at a time
TURN = 2e-4  # seconds that a thread keeps the interpreter while others wait for it
KEPT_EVERY = 10.0  # seconds after which what was encoded is written down

Key = tuple[str, str]  # name and hash: points on a mesh are drawn by its name
Status = Literal["encoded", "unchanged", "rejected"]
Each = Callable[[Entry, Status], None]  # what a caller does with the entry of every file as it is there
Encode = Callable[[np.ndarray], np.ndarray]  # depth maps f4 [N, V, R, R] -> features f4 [N, V, D]


class Prepared(NamedTuple):
    """A file that was read: what its row says already, and its points f4 [P, 3]; None where nothing is to encode."""

    entry: Entry
    points: np.ndarray | None


@dataclass(frozen=True)
class Indexed:
    """What became of a folder: objects that were encoded now and that were known, and the files that cannot be read."""

    path: Path
    encoded: int
    known: int
    rejects: tuple[Entry, ...]

    @property
    def objects(self) -> int:
        """How many objects the library holds."""
        return self.encoded + self.known


@dataclass(frozen=True)
class Indexing:
    """What it takes to encode the files of one folder; `axes` are tried where the up axis is to be guessed.

    `encode` is called from several threads at a time. With `strict` a file of which something is dropped or guessed
    counts as unreadable.
    """

    folder: Path
    encoding: Encoding
    projection: Projection
    axes: Sequence[Axis]
    encode: Encode
    strict: bool = False

    def entries(self, files: Sequence[Path], known: Mapping[Key, Entry]) -> Iterator[tuple[Entry, Status]]:
        """The entry of every file and what became of it, in no order."""
        cores = available_cores()
        ready: list[Prepared] = []
        begun: deque[Future[list[Entry]]] = deque()
        with ThreadPoolExecutor(cores) as pool:
            for one in self._read_ahead(pool, files, known):
                if one.points is None:
                    yield one.entry, "unchanged" if one.entry.error is None else "rejected"
                else:
                    ready.append(one)
                if len(ready) == AT_ONCE:
                    begun.append(pool.submit(self._encoded, ready))
                    ready = []
                if len(begun) > cores:  # no more than these wait in memory
                    yield from ((entry, "encoded") for entry in begun.popleft().result())
            if ready:
                begun.append(pool.submit(self._encoded, ready))
            for batch in begun:
                yield from ((entry, "encoded") for entry in batch.result())

    def _read_ahead(
        self, pool: ThreadPoolExecutor, files: Sequence[Path], known: Mapping[Key, Entry]
    ) -> Iterator[Prepared]:
        """Every file as it was read, in order; at most AHEAD times AT_ONCE of them wait in memory."""
        begun: deque[Future[list[Prepared]]] = deque()
        for start in range(0, len(files), AT_ONCE):
            some = files[start : start + AT_ONCE]
            begun.append(pool.submit(lambda some: [self._prepare(file, known) for file in some], some))
            if len(begun) == AHEAD:
                yield from begun.popleft().result()
        for read in begun:
            yield from read.result()

    def _prepare(self, file: Path, known: Mapping[Key, Entry]) -> Prepared:
        name = file.relative_to(self.folder).as_posix()
        digest = ""
        try:
            digest = content_hash(file)
            entry = known.get((file.name, digest))
            if entry and not (self.strict and entry.notes):
                return Prepared(dataclasses.replace(entry, path=name), None)
            cloud = read_cloud(file, source=str(file), points=self.encoding.points)
            if self.strict and cloud.read.notes:
                raise InputError(f"{cloud.read.notes[0]} (strict)")
        except (InputError, OSError) as error:
            reason = one_line(error).removeprefix(f"{file}: ")
            return Prepared(Entry(name, digest, error=reason), None)
        read = cloud.read
        counts = {"points": read.vertices, "triangles": read.faces}
        return Prepared(Entry(name, digest, read.kind, **counts, notes="; ".join(read.notes)), cloud.points)

    def _encoded(self, ready: list[Prepared]) -> list[Entry]:
        """The entries with features and thumbnails; a batch that is not full is filled up with its last object."""
        filled = ready + ready[-1:] * (AT_ONCE - len(ready))
        clouds = [orient(one.points, axis) for axis in self.axes for one in filled]
        depth = render(clouds, self.projection, threads=1)
        depth = depth.reshape(len(self.axes), AT_ONCE, *depth.shape[1:])
        encoded = [self.encode(of_axis)[: len(ready)] for of_axis in depth]
        views = around(self.encoding.views)
        chosen = np.stack([agreement(features[:, views]) for features in encoded]).argmax(axis=0)
        features = np.stack(encoded)[chosen, np.arange(len(ready))].astype(np.float16)
        shown = depth[chosen, np.arange(len(ready)), best_views(features)]
        return [
            dataclasses.replace(one.entry, up=self.axes[axis], features=of_views, thumbnail=picture)
            for one, axis, of_views, picture in zip(ready, chosen, features, map(png, shown), strict=True)
        ]


def index_folder(
    indexing: Indexing,
    files: Sequence[Path],
    out: Path,
    *,
    words: np.ndarray,
    anew: bool = False,
    each: Each = lambda entry, status: None,
) -> Indexed:
    """Write the library of `files` to `out`; `each` is called with every entry and its status as they are there.

    What `out` and a stopped run hold of the same encoding is taken over where a file's name and content are the same;
    with `anew` nothing is. `words` f4 [B, D] are what null scores come from. InputError where `out` is no library or
    one of another encoding, and where another process writes it.
    """
    unfinished = out.with_name(f".{out.name}.unfinished")
    known = [] if anew else _entries_of(out, indexing.encoding)
    entries, new, last = [], [], time.monotonic()
    counts: Counter[Status] = Counter()
    with _locked(unfinished, out):
        parts = _parts(unfinished, None if anew else indexing.encoding)
        by_key = {
            (Path(entry.path).name, entry.sha256): entry
            for entry in (*known, *itertools.chain.from_iterable(parts))
            if entry.error is None
        }
        number = 1 + max((int(part.stem) for part in unfinished.glob("*.parquet")), default=-1)
        for entry, status in indexing.entries(files, by_key):
            entries.append(entry)
            counts[status] += 1
            each(entry, status)
            if status == "encoded":
                new.append(entry)
            if new and time.monotonic() - last >= KEPT_EVERY:
                write_library(unfinished / f"{number:06d}.parquet", new, indexing.encoding, {})
                number, new, last = number + 1, [], time.monotonic()
        _write(out, entries, indexing.encoding, words)
        shutil.rmtree(unfinished, ignore_errors=True)
    rejects = tuple(sorted((entry for entry in entries if entry.error is not None), key=lambda entry: entry.path))
    return Indexed(out, counts["encoded"], counts["unchanged"], rejects)


def index(model, folder: Path, out: Path, *, up: Up, anew: bool, each: Each = lambda entry, status: None) -> Indexed:
    """`index_folder` with a `PointClip`; InputError where `folder` is none, or holds no object."""
    from stages.backbones.device import one_core_a_thread

    if not folder.is_dir():
        raise InputError(f"{folder}: {'a file, expected a folder' if folder.exists() else 'no such folder'}")
    in_turn = nullcontext() if model._clip.device.type == "cpu" else Lock()

    def encode(depth: np.ndarray) -> np.ndarray:
        with in_turn:
            return model._clip.encode_depth(depth, batch_size=depth.shape[0] * depth.shape[1])

    indexing = Indexing(
        folder,
        encoding_of(model, up=up),
        model._projection,
        AXES if up == "auto" else (up,),
        encode,
        strict=model.strict,
    )
    files, words = find_files([folder]), background_features(model)
    with one_core_a_thread(), short_turns():
        return index_folder(indexing, files, out, words=words, anew=anew, each=each)


def content_hash(file: Path) -> str:
    """SHA-256 of a file's bytes; that of a .gltf also covers the files that its buffers lie in."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(BLOCK):
            digest.update(block)
    for buffer in _buffers(file) if file.suffix.lower() == ".gltf" else ():
        digest.update(buffer.read_bytes())
    return digest.hexdigest()


def png(depth: np.ndarray) -> bytes:
    """One depth map f4 [R, R] in 0..1 as a grey PNG, of which only runs of one grey are packed."""
    out = io.BytesIO()
    Image.fromarray((depth * 255).round().astype(np.uint8)).save(out, "png", compress_level=1, compress_type=3)
    return out.getvalue()


def _buffers(file: Path) -> list[Path]:
    """The files beside a .gltf that hold its buffers, as far as it can be read."""
    try:
        named = [file.parent / buffer.get("uri", "") for buffer in json.loads(file.read_bytes())["buffers"]]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []
    return [buffer for buffer in named if not buffer.name.startswith("data:") and buffer.is_file()]


def _entries_of(out: Path, encoding: Encoding) -> list[Entry]:
    """The entries of the library at `out`, none where there is no file; InputError where it is of another encoding."""
    if not out.exists():
        return []
    stored, entries = read_entries(out)
    if different := first_difference(stored, encoding):
        raise InputError(f"{out}: was made with {different}; give another file, or encode all again (--anew)")
    return entries


def _parts(unfinished: Path, encoding: Encoding | None) -> list[list[Entry]]:
    """What a stopped run has encoded; what it did under another encoding, or cannot be read, is removed."""
    parts = []
    for part in sorted(unfinished.glob("*.parquet")):
        try:
            stored, entries = read_entries(part)
        except InputError:
            stored = None
        if encoding is not None and stored == encoding:
            parts.append(entries)
        else:
            part.unlink()
    return parts


@contextmanager
def _locked(unfinished: Path, out: Path) -> Iterator[None]:
    """Within the block no other process writes the same library."""
    lock = FileLock(unfinished / "lock", timeout=0)
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise InputError(f"{out}: another process writes it") from error
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({one_line(error)})") from error
    with lock:
        yield


def _write(out: Path, entries: Sequence[Entry], encoding: Encoding, words: np.ndarray) -> None:
    """The whole library, with the null scores of its objects under every pooling."""
    readable = sorted((entry for entry in entries if entry.error is None), key=lambda entry: entry.path)
    null_scores = {}
    if readable:
        features = np.stack([entry.features for entry in readable])
        null_scores = {
            "words": _under_poolings(partial(null_scores_of_words, features, words)),
            "objects": _under_poolings(partial(null_scores_of_objects, features, words)),
        }
    write_library(out, entries, encoding, null_scores)


def _under_poolings(null_scores: Callable[..., list[float]]) -> dict[str, list[float]]:
    """What `null_scores` gives under every pooling, each in a thread."""
    names = [*POOLINGS]
    return dict(zip(names, map_in_threads(lambda n: null_scores(pooling=names[n]), len(names)), strict=True))


@contextmanager
def short_turns() -> Iterator[None]:
    """Within the block a thread that waits for the interpreter gets it after TURN seconds, not Python's 5 ms.

    Threads that read files in many small steps stand beside others whose long steps need the interpreter only between
    them: these would wait 5 ms at almost each, with their core idle. An index of 1,000 meshes is made at 0.82 times the
    rate of projection and encoder alone, without it at 0.73 (two cores of an AMD EPYC).
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
