"""What the artifacts hold, as plain dataclasses of arrays: importing one loads no file format's library.

N samples, P points, V views, D embedding, C classes, T prompts.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np


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
class PointCloudDataset:
    """A dataset: class names [C], the axis that points up, its splits by name, part names [C][K] where it has parts."""

    classes: tuple[str, ...]
    up_axis: str
    splits: dict[str, Clouds]
    part_names: tuple[tuple[str, ...], ...] | None = None
    notes: tuple[str, ...] = ()  # what its reader left out or guessed, for the person; not stored


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
    notes: tuple[str, ...] = ()  # what its reader left out or guessed, for the person; not stored


@dataclass(frozen=True)
class Features:
    """One split's image features f4 [N, V, D] of unit norm, labels i8 [N], class names [C] and CLIP's logit scale."""

    values: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    logit_scale: float

    def rows(self, rows) -> "Features":
        """The features at `rows`, in that order."""
        return replace(self, values=self.values[rows], labels=self.labels[rows])


@dataclass(frozen=True)
class Prompts:
    """Prompts of one backbone: class index i8 [T], set and text per prompt, features f4 [T, D] of unit norm.

    `unknown_words` are those of the classes' names that the backbone has learnt nothing about. `view_weights` [V] by
    set were published with its sentences.
    """

    classes: np.ndarray
    class_names: tuple[str, ...]
    sets: tuple[str, ...]
    texts: tuple[str, ...]
    features: np.ndarray
    unknown_words: tuple[str, ...] = ()
    view_weights: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class SentenceTable:
    """Sentences [T] of all prompt sets: class index i8 and name, part ("" for the whole object), set and text.

    `view_weights` [V] by set and class name were published with the sentences of the set.
    """

    sets: tuple[str, ...]
    classes: np.ndarray
    class_names: tuple[str, ...]
    parts: tuple[str, ...]
    texts: tuple[str, ...]
    view_weights: dict[str, dict[str, list[float]]] = field(default_factory=dict)

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
class PatchFeatures:
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
