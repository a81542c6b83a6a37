"""The files that a subcommand is asked about, and work on them that one bad file does not stop."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from stages.core.errors import InputError, printable
from stages.own.inputs import find_files
from stages.own.results import ReadError

STDIN = "-"
AT_A_TIME = 32  # files, after which what they gave is printed

T = TypeVar("T")
Work = Callable[[list[Path], Callable[[str, InputError], None]], Iterable[T]]


class Failures:
    """Counts the inputs that could not be read; each is a line on stderr."""

    def __init__(self):
        self.count = 0

    def __call__(self, source: str, error: InputError) -> None:
        """Tell of one; what `on_error` of `PointClip` takes."""
        self.count += 1
        say(f"error: {printable(str(error))}")

    @property
    def status(self) -> int:
        """Exit status: 1 where there was any."""
        return int(self.count > 0)


def asked_files(names: Sequence[str], failures: Failures) -> list[Path]:
    """The files that paths, folders and patterns name; `-` stands for such names on stdin, one a line.

    A folder or pattern without an object counts as a failure, the others are done.
    """
    found: dict[Path, None] = {}
    for name in names:
        for one in lines_of_stdin() if name == STDIN else [name]:
            try:
                found |= dict.fromkeys(find_files([one]))
            except InputError as error:
                failures(one, error)
    return list(found)


def asked_names(text: str, *, option: str, files: Sequence[str]) -> tuple[str, ...]:
    """Names with commas between, or one a line on stdin where `text` is `-`.

    InputError for fewer than two, and where `files` are read from stdin already.
    """
    from stages.own.pointclip import distinct  # here: it brings what `--help` does without

    if text == STDIN and STDIN in files:
        raise InputError(f"--{option} -: the files are read from stdin already, give the {option} here")
    return distinct(lines_of_stdin() if text == STDIN else text.split(","), kind=f"--{option}")


def in_batches(files: Sequence[Path], work: Work, failures: Failures, *, unit: str = "file") -> Iterator[T]:
    """What `work` gives of AT_A_TIME files at a time, one after the other, with a progress bar on a terminal."""
    with tqdm(total=len(files), unit=unit, disable=None if len(files) > 1 else True) as bar:
        for start in range(0, len(files), AT_A_TIME):
            batch = list(files[start : start + AT_A_TIME])
            yield from work(batch, failures)
            bar.update(len(batch))


def one_by_one(answer: Callable[[Path], T]) -> Work:
    """`answer` of single files as the work of `in_batches`; what is wrong with more than a file ends it."""

    def work(files: list[Path], on_error: Callable[[str, InputError], None]) -> Iterator[T]:
        for file in files:
            try:
                yield answer(file)
            except ReadError as error:
                on_error(str(file), error)

    return work


def say(line: str) -> None:
    """A line on stderr, above the progress bar where there is one."""
    tqdm.write(line, file=sys.stderr)
    sys.stderr.flush()


def tell(text: str) -> None:
    """Lines on stdout, above the progress bar where there is one."""
    tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()


def lines_of_stdin() -> list[str]:
    """The lines of stdin that are not empty."""
    return [line.strip() for line in sys.stdin.read().splitlines() if line.strip()]
