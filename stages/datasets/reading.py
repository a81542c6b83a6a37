"""Splits that are read piece by piece, so that memory does not grow with them, and what comes up meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stages.artifacts.types import Clouds, PointCloudDataset
from stages.core.errors import InputError
from stages.core.precision import in_single

PIECE = 256  # clouds in memory at a time


class Reading:
    """What comes up while objects are read: notes for the person, and objects that cannot be read, up to a limit.

    `reject_at_most` is a number of objects, or a share of all `objects`. With 0 the first bad one is the error.
    """

    def __init__(self, *, objects: int = 0, reject_at_most: float = 0):
        self._first_note, self._notes = "", 0
        self.rejected: list[tuple[str, str]] = []  # the object, and why
        self._limit = reject_at_most if isinstance(reject_at_most, int) else int(reject_at_most * objects)

    def note(self, line: str) -> None:
        """Say something that was left out or guessed."""
        self._first_note, self._notes = self._first_note or line, self._notes + 1

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes as few lines: where there are several, the first and how many more."""
        more = f", and {self._notes - 1} more such notes" if self._notes > 1 else ""
        return (f"{self._first_note}{more}",) if self._notes else ()

    def reject(self, what: str, error: InputError) -> None:
        """Leave the object `what` out; raises `error` where no more may be left out."""
        self.rejected.append((what, str(error).removeprefix(what).lstrip(": ")))
        if self._limit == 0:
            raise error
        if len(self.rejected) > self._limit:
            raise InputError(f"{error}; more than the {self._limit} objects of params.yaml: download.reject_at_most")

    def state(self) -> dict:
        """What came up so far, as plain data."""
        return {"first_note": self._first_note, "notes": self._notes, "rejected": list(self.rejected)}

    def restore(self, state: dict) -> None:
        """Go on from what `state` gave; InputError where more was rejected than may be now."""
        self._first_note, self._notes = state["first_note"], state["notes"]
        for what, why in state["rejected"]:
            self.reject(what, InputError(f"{what}: {why}"))


@dataclass(frozen=True)
class CloudsOnDisk:
    """One split whose clouds are read when they are asked for: labels i8 [N], and where they are, for messages.

    `read` gives the clouds of ascending rows i8 [n], without those that are rejected, maybe none. `points` are those of
    every cloud, where that is known before they are read. `files` are all that is read; none: not known.
    """

    labels: np.ndarray
    source: Path
    read: Callable[[np.ndarray, Reading], Clouds]
    points: int | None = None
    files: Sequence[Path] = ()

    def rows(self, rows: np.ndarray) -> "CloudsOnDisk":
        """The clouds at `rows`, ascending, still to be read."""
        return replace(self, labels=self.labels[rows], read=lambda wanted, reading: self.read(rows[wanted], reading))


Split = Clouds | CloudsOnDisk


def pieces(split: Split, reading: Reading) -> Iterator[Clouds]:
    """All clouds of a split in order, PIECE at a time at most; InputError where they differ in points."""
    return (piece for _, piece in pieces_from(0, split, reading))


def pieces_from(first: int, split: Split, reading: Reading) -> Iterator[tuple[dict, Clouds]]:
    """The `pieces` from row `first` on, each with where it begins: its row, and what had come up before it."""
    points = None
    for start in range(first, len(split.labels), PIECE):
        rows, begun = np.arange(start, min(start + PIECE, len(split.labels))), reading.state()
        piece = split.rows(rows) if isinstance(split, Clouds) else split.read(rows, reading)
        if not len(piece.labels):
            continue
        points = points or piece.points.shape[1]
        if piece.points.shape[1] != points:
            raise _differing({points, piece.points.shape[1]}, source=split.source)
        yield {"row": start, "reading": begun}, piece


def in_memory(dataset: PointCloudDataset) -> PointCloudDataset:
    """The dataset with every split read whole; the first object that cannot be read is the error."""
    reading = Reading()
    splits = {
        name: split if isinstance(split, Clouds) else joined(list(pieces(split, reading)))
        for name, split in dataset.splits.items()
    }
    return replace(dataset, splits=splits, notes=(*dataset.notes, *reading.notes))


def stacked(clouds: list[np.ndarray], labels: np.ndarray, *, source: Path) -> Clouds:
    """Clouds [P, 3] as one array, none as [0, 0, 3]; InputError where they differ in points."""
    counts = {len(cloud) for cloud in clouds}
    if len(counts) > 1:
        raise _differing(counts, source=source)
    return Clouds(np.stack(clouds) if clouds else np.empty((0, 0, 3), np.float32), labels)


def joined(clouds: Sequence[Clouds]) -> Clouds:
    """Clouds of one number of points, one after the other."""
    parts = None if clouds[0].parts is None else np.concatenate([piece.parts for piece in clouds])
    points, labels = (np.concatenate([getattr(piece, key) for piece in clouds]) for key in ("points", "labels"))
    return Clouds(points, labels, parts)


def finite_clouds(values: np.ndarray, labels: np.ndarray, reading: Reading, *, names: Sequence[str]) -> Clouds:
    """Numbers [n, P, 3] as clouds with labels i8 [n], without those that have values that are not finite."""
    points = np.ascontiguousarray(values if values.dtype == np.float32 else in_single(values))
    finite = np.isfinite(points).all(axis=(1, 2))
    for row in np.flatnonzero(~finite):
        reading.reject(names[row], InputError(f"{names[row]} has values that are not finite"))
    return Clouds(points[finite], labels[finite])


def _differing(counts: set[int], *, source: Path) -> InputError:
    """The error that clouds of one split differ in points."""
    return InputError(f"{source}: clouds of {min(counts)} to {max(counts)} points; set `points` in the dataset's entry")
