"""Where shards gather until all are there: `.<name>.partial` beside the output, which then takes its place at once.

A shard is written under a name of its process, synced, renamed and entered with its hash. It is a function of its rows
and of what the fingerprint tells, so whoever comes later leaves it as it is, and two who write the same one do no harm.
"""

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from stages.artifacts.files import read_json, sha256_of, write_json
from stages.artifacts.shards import MANIFEST, Shard
from stages.core.errors import InputError

try:
    import fcntl
except ImportError:  # Windows has no such locks: there nothing keeps two runs apart
    fcntl, ALONE, TOGETHER, AT_ONCE = None, 0, 0, 0
else:
    ALONE, TOGETHER, AT_ONCE = fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_NB

NOTE = "note"
Join = Callable[[Sequence[Path], Path], None]  # writes the shards, in their order, as one file


class BusyError(InputError):
    """Another process is at work on the same output."""


class Unfinished:
    """The shards of `output` that are done, of inputs with the `fingerprint`; with None a stopped run leaves none."""

    def __init__(self, output: Path, fingerprint: str | None):
        self.output, self._fingerprint = output, fingerprint
        self.folder = output.with_name(f".{output.name}.partial")
        self._shards, self._finished = self.folder / "shards", False

    @contextmanager
    def open(self, *, part: str | None = None) -> Iterator[None]:
        """Alone at work on `output`, or with the other parts; shards of other inputs are removed.

        InputError where another process is at work on it, or on the same `part`. The locks end with their process. A
        folder without a finished shard is removed when the block ends.
        """
        try:
            self._shards.mkdir(parents=True, exist_ok=True)
            with ExitStack() as files:
                self._begin(*(files.enter_context((self.folder / name).open("a")) for name in ("lock", "gate")), part)
                if part is not None:
                    self._lock(files.enter_context((self.folder / f"part-{part.replace('/', '-')}").open("a")), ALONE)
                try:
                    yield
                finally:
                    done = self._fingerprint is not None and self._entries()
                    if part is None and not self._finished and not done:
                        shutil.rmtree(self.folder, ignore_errors=True)
        except OSError as error:
            raise InputError(f"{self.output}: cannot be written ({error.strerror or error})") from error

    def is_done(self, shard: Shard) -> bool:
        """Whether `shard` is there as it was entered."""
        entry, path = self._entry(shard), self._shards / shard.name
        if not entry.is_file() or not path.is_file():
            return False
        return read_json(entry) == _entry_of(shard, path)

    @contextmanager
    def new_shard(self, shard: Shard) -> Iterator[Path]:
        """A name to write `shard` under; it is done when the block ends without an error."""
        path = self.new_name(shard)
        yield path
        self.enter(shard, path)

    def new_name(self, shard: Shard) -> Path:
        """A name, of this process alone, to write `shard` under until it is entered."""
        return self.folder / f"{Path(shard.name).stem}.{socket.gethostname()}-{os.getpid()}.h5"

    def enter(self, shard: Shard, path: Path) -> None:
        """Put the file at `path` among those that are done, as `shard`; it is removed where that fails."""
        try:
            with ThreadPoolExecutor(1) as thread:  # the disk is waited for while the bytes are hashed
                synced = thread.submit(_sync, path)
                entry = _entry_of(shard, path)
                synced.result()
            os.replace(path, self._shards / shard.name)
            write_json(self._entry(shard), entry)
        except OSError as error:
            raise InputError(f"{self.output}: cannot be written ({error.strerror or error})") from error
        finally:
            path.unlink(missing_ok=True)

    def note(self, shards: Sequence[Shard], note: dict) -> None:
        """Keep, for who writes shards one after the other, plain data with which to go on after `shards`."""
        if self._fingerprint is not None:
            rows = {shard.name: shard.rows for shard in shards}
            write_json(self.folder / NOTE, {"shards": rows, "note": note})

    def noted(self) -> tuple[list[Shard], dict | None]:
        """The shards and the data of the last `note`; none where there is no such note, or a shard is damaged."""
        path = self.folder / NOTE
        if path.is_file():
            kept = read_json(path)
            rows = {name: {split: tuple(ends) for split, ends in rows.items()} for name, rows in kept["shards"].items()}
            shards = [Shard(name, rows[name]) for name in sorted(rows)]
            if all(map(self.is_done, shards)):
                return shards, kept["note"]
        return [], None

    def finish(self, shards: Sequence[Shard], *, join: Join | None = None) -> bool:
        """Put all `shards` in the place of `output`: a folder with a manifest, or one file that `join` makes of them.

        A single shard is that file as it is. False where shards are missing.
        """
        entries = {shard.name: self._entry(shard) for shard in shards}
        if not all(entry.is_file() for entry in entries.values()):
            return False
        whole, files = self._shards, [self._shards / shard.name for shard in shards]
        if join is None:
            write_json(whole / MANIFEST, {"shards": {name: read_json(entry) for name, entry in entries.items()}})
        elif len(files) == 1:
            whole = files[0]
        else:
            whole = self.folder / self.output.name
            join(files, whole)
            _sync(whole)
        if self.output.is_dir() or whole.is_dir() and self.output.exists():  # no folder can be renamed onto it
            os.replace(self.output, self.folder / "replaced")
        os.replace(whole, self.output)
        self._finished = True
        shutil.rmtree(self.folder)
        return True

    def _begin(self, lock: IO, gate: IO, part: str | None) -> None:
        """Take the lock, shared among parts, and remove what no run may use; others wait at the gate meanwhile."""
        _flock(gate, ALONE)
        noted = self.folder / "fingerprint"
        known = noted.is_file() and noted.read_text() == self._fingerprint
        self._lock(lock, TOGETHER if part and known else ALONE)
        if not _is_still(lock, self.folder / "lock"):
            raise BusyError(f"{self.output}: another run has just ended: run again")
        if not known:
            for path in [*self._entries(), *self._shards.iterdir(), self.folder / NOTE]:
                path.unlink(missing_ok=True)
        if not part or not known:
            for path in [*self.folder.glob("*.h5"), *self.folder.glob(".*.partial")]:  # of processes that were killed
                path.unlink()
        noted.write_text(self._fingerprint or "")
        if part:
            _flock(lock, TOGETHER)
        gate.close()

    def _lock(self, file: IO, kind: int) -> None:
        try:
            _flock(file, kind | AT_ONCE)
        except BlockingIOError as error:
            raise BusyError(f"{self.output}: another run is at work on it: wait until it ends") from error

    def _entries(self) -> list[Path]:
        return sorted(self.folder.glob("*.json"))

    def _entry(self, shard: Shard) -> Path:
        return self.folder / f"{Path(shard.name).stem}.json"


@contextmanager
def new_folder(output: Path, shards: Sequence[Shard], *, fingerprint: str | None = None) -> Iterator[Unfinished]:
    """A folder of `shards` that one process writes one after the other; it is in place when the block ends."""
    unfinished = Unfinished(output, fingerprint)
    with unfinished.open():
        yield unfinished
        unfinished.finish(shards)


def fingerprint(inputs: dict) -> str:
    """SHA-256 of what decides the bytes of the shards: plain data."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _entry_of(shard: Shard, path: Path) -> dict:
    return {"rows": {split: list(rows) for split, rows in shard.rows.items()}, "sha256": sha256_of(path)}


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _is_still(file: IO, path: Path) -> bool:
    """Whether `path` is the file that was opened: whoever ends a job removes its folder."""
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())


def _flock(file: IO, kind: int) -> None:
    if fcntl is not None:
        fcntl.flock(file, kind)
