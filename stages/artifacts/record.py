"""prompts/recorded/<dataset>.jsonl: every response that a language model ever gave, one JSON line each."""

import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from stages.artifacts.files import complete_file
from stages.core.errors import InputError, one_line

# the main workspace, and a path in the temporary one that `dvc exp run --temp` or `--queue` makes below it
EXPERIMENT = re.compile(r"(?P<main>.*)/\.dvc/tmp/exps/(?:standalone/)?[^/]+/(?P<path>.*)")


class Record:
    """A language model's responses by the key of their request; each is on disk before `add` returns.

    Several lines with one key are the attempts at one request: their `attempt`, 1 where it is not given, differs. While
    a run lasts they are appended to a journal, so that a killed run loses none of them. In the workspace of a DVC
    experiment the record of the main workspace is read too, and its journal is the one that is written.
    """

    def __init__(self, path: Path):
        self.path, self.main = path, in_main_workspace(path)
        self.journal = _beside(self.main or path, "journal")
        self._lines = _read_lines(self.main) if self.main else {}
        self._lines |= _read_lines(path) | _read_lines(self.journal, may_be_cut=True)

    @property
    def lines(self) -> dict[str, list[dict]]:
        """The lines by key, each key's in the order of the attempts."""
        return _by_key(self._lines)

    def add(self, line: dict) -> None:
        """Append `line`, whose key and attempt must be new; InputError where the disk does not take it."""
        if _identity(line) in self._lines:
            raise ValueError(f"{self.path}: key {line['key']} is there already")
        try:
            with _locked(self.journal):
                _append(self.journal, line)
        except OSError as error:
            raise InputError(f"{self.journal}: cannot be written ({error.strerror or one_line(error)})") from error
        self._lines[_identity(line)] = line

    def merge(self) -> None:
        """Put all lines into the record, which is sorted by key and attempt, and remove the journal.

        An experiment leaves the journal to the main workspace's next run.
        """
        if self.main is not None:
            write_record(self.path, self._lines.values())
            return
        with _locked(self.journal):  # an experiment may have added to the journal meanwhile
            self._lines |= _read_lines(self.journal, may_be_cut=True)
            write_record(self.path, self._lines.values())
            self.journal.unlink(missing_ok=True)


@contextmanager
def open_record(path: Path) -> Iterator[Record]:
    """The record at `path`, which need not exist yet; however the block ends, all its lines are in it afterwards."""
    record = Record(path)
    try:
        yield record
        if not path.is_file():
            record.merge()
    finally:
        if record.main or record.journal.is_file():
            record.merge()


def read_record(path: Path) -> dict[str, list[dict]]:
    """The lines of the record at `path` by key, each key's in the order of the attempts."""
    return _by_key(_read_lines(path))


def in_main_workspace(path: Path) -> Path | None:
    """The same file in the main workspace, where `path` lies in the temporary one of a DVC experiment; else None.

    DVC makes such a workspace of what git holds, and removes it when the experiment ends, failed ones with all that
    they wrote: a record that is not committed yet is missing there, and answers would be paid twice or lost.
    """
    match = EXPERIMENT.fullmatch(path.absolute().as_posix())
    main = Path(match["main"]) / match["path"] if match else None
    return main if main and main.parent.is_dir() else None


def write_record(path: Path, lines: Iterable[dict]) -> None:
    """Write `lines`, sorted by key and attempt, one JSON line each."""
    with complete_file(path) as temporary, temporary.open("wb") as file:
        file.writelines(_json_line(line) for line in sorted(lines, key=_identity))
        file.flush()
        os.fsync(file.fileno())


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}.{ending}")


@contextmanager
def _locked(journal: Path) -> Iterator[None]:
    """Alone with `journal` and its record: an experiment and the main workspace may run at the same time."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(journal.with_suffix(".lock")):
        yield


def _append(journal: Path, line: dict) -> None:
    _cut_unfinished_line(journal)
    with journal.open("ab") as file:
        file.write(_json_line(line))
        file.flush()
        os.fsync(file.fileno())


def _cut_unfinished_line(journal: Path) -> None:
    """Remove what a killed run left of its last line: nothing may be written after it."""
    if not journal.is_file() or not journal.stat().st_size:
        return
    with journal.open("rb+") as file:
        file.seek(-1, os.SEEK_END)
        if file.read() != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)


def _by_key(lines: dict[tuple[str, int], dict]) -> dict[str, list[dict]]:
    by_key = {}
    for identity in sorted(lines):
        by_key.setdefault(identity[0], []).append(lines[identity])
    return by_key


def _identity(line: dict) -> tuple[str, int]:
    return line["key"], line.get("attempt", 1)


def _json_line(line: dict) -> bytes:
    return (json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _read_lines(path: Path, *, may_be_cut: bool = False) -> dict[tuple[str, int], dict]:
    """Lines by key and attempt; a journal's last one, cut off when its run was killed, is left out with a warning."""
    texts = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    lines = {}
    for number, text in enumerate(texts, start=1):
        if may_be_cut and not text.endswith(b"\n"):
            warnings.warn(f"{path}: line {number} is cut off and left out: a run was killed", stacklevel=4)
            continue
        try:
            line = json.loads(text)
            lines[_identity(line)] = line
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: line {number}: expected one JSON object with a key") from error
    return lines
