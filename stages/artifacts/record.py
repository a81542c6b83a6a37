"""prompts/recorded/<dataset>.jsonl: every answer that a language model ever gave."""

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.artifacts.files import complete_file
from stages.core.errors import InputError


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
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: line {number}: expected one JSON object with a key") from error
    return answers
