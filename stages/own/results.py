"""What `PointClip` answers: frozen records of numpy arrays.

N objects, V views, D width of a feature, R pixels a side of a depth map, P points, K parts, Q boxes.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from stages.core.errors import InputError

Axis = Literal["x", "y", "z"]
Up = Literal["x", "y", "z", "auto"]


class ReadError(InputError):
    """One object that cannot be read, or is refused by `strict`; the others of a batch can still be done."""


@dataclass(frozen=True)
class Read:
    """What a file or an array held: a mesh or a cloud, how large, and what was dropped or guessed, in words."""

    kind: Literal["mesh", "cloud"]
    vertices: int
    faces: int
    extent: tuple[float, float, float]
    dropped: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for everything that was dropped or guessed."""
        return (*(f"dropped {what}" for what in self.dropped), *(f"guessed that {what}" for what in self.guessed))


@dataclass(frozen=True, eq=False)
class Classification:
    """The best labels of one object, best first, with probabilities f4 [top] among all labels that were asked for.

    `source` is the path as it was given, or "array 0" for the first array; `up` is the axis that was taken as up.
    """

    source: str
    labels: tuple[str, ...]
    probabilities: np.ndarray
    up: Axis
    read: Read

    @property
    def label(self) -> str:
        """The best label."""
        return self.labels[0]

    @property
    def best(self) -> list[tuple[str, float]]:
        """The labels with their probabilities, best first."""
        return list(zip(self.labels, map(float, self.probabilities), strict=True))


@dataclass(frozen=True, eq=False)
class PartLabels:
    """The part of every point of one object: `labels` i8 [P] into `parts` (K names), of `points` f4 [P, 3].

    The points have the coordinates of the file, turned by nothing; a mesh is sampled.
    """

    source: str
    parts: tuple[str, ...]
    labels: np.ndarray = field(repr=False)
    points: np.ndarray = field(repr=False)
    up: Axis
    read: Read

    @property
    def shares(self) -> np.ndarray:
        """Share of the points that each part has, f8 [K]."""
        return np.bincount(self.labels, minlength=len(self.parts)) / len(self.labels)


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes in one scan, best score first: `boxes` f8 [Q, 6] as centre and size along the axes of the file.

    `labels` [Q] are the best label of each, `scores` f4 [Q] its probability times the box's objectness.
    """

    source: str
    boxes: np.ndarray
    labels: tuple[str, ...]
    scores: np.ndarray
    up: Axis
    read: Read


@dataclass(frozen=True)
class UpGuess:
    """The axis that is guessed to point up in one object, and how well its views agree under each, in -1..1."""

    source: str
    axis: Axis
    agreement: dict[Axis, float]


@dataclass(frozen=True, eq=False)
class Encoded:
    """Image features f4 [N, V, D] of unit norm of N objects, one a view, in the order in which they were given.

    `points` i8 [N] is how many points or vertices each file or array held. `depth` f4 [N, V, R, R] is there where it
    was asked for. An object that could not be read is in none of these.
    """

    sources: tuple[str, ...]
    features: np.ndarray = field(repr=False)
    points: np.ndarray
    up: tuple[Axis, ...]
    read: tuple[Read, ...]
    depth: np.ndarray | None = field(default=None, repr=False)
