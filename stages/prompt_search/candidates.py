"""What the searches take, checked once: candidate sentences by class, text features, weighted depth-map features.

N samples, V views, D embedding, C classes, T candidates of all classes together, P prompts. A candidate is a sentence
that may stand for its class.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from stages.artifacts.types import Prompts
from stages.core.blocks import blocks, in_blocks
from stages.core.errors import InputError

EDGE = 64  # rows of a product come in multiples of this: see `similarity`
BLOCK = 64 * 2**20  # bytes of scores computed at a time


@dataclass(frozen=True)
class Candidates:
    """Candidate sentences, ragged by class: candidate j of class c is features[rows[offsets[c] + j]].

    features f4 [P, D] of any norm; rows i8 [T] are also the prompt ids; offsets i8 [C + 1] start at 0 and end at T.
    """

    features: np.ndarray
    offsets: np.ndarray
    rows: np.ndarray

    @classmethod
    def ragged(cls, features: np.ndarray, offsets: np.ndarray) -> "Candidates":
        """Candidates whose features [T, D] already lie class by class."""
        return cls(features, np.asarray(offsets), np.arange(len(features)))

    @classmethod
    def from_prompts(
        cls, prompts: Prompts, *, prompt_sets: Collection[str], class_names: tuple[str, ...]
    ) -> "Candidates":
        """All prompts of `prompt_sets` as candidates for the classes `class_names` [C], in the order they are stored.

        Nothing is copied. InputError on an unknown set, a class without prompts, or prompts made for other classes.
        """
        unknown = set(prompt_sets) - set(prompts.sets)
        if unknown:
            known = ", ".join(sorted(set(prompts.sets)))
            raise InputError(f"candidates: prompt set '{min(unknown)}': not in the prompts; they hold {known}")
        rows = np.flatnonzero([name in prompt_sets for name in prompts.sets])
        for row in rows:
            index, name = int(prompts.classes[row]), prompts.class_names[row]
            if index >= len(class_names) or class_names[index] != name:
                raise InputError(
                    f"candidates: prompt {row} is for class {index} '{name}', which the features do not have"
                )
        order = rows[np.argsort(prompts.classes[rows], kind="stable")]
        counts = np.bincount(prompts.classes[rows].astype(np.int64), minlength=len(class_names))
        candidates = cls(prompts.features, np.concatenate([[0], np.cumsum(counts)]), order)
        candidates.require_all(class_names)
        return candidates

    @property
    def classes(self) -> int:
        """Number of classes C."""
        return len(self.offsets) - 1

    def of_class(self, index: int) -> np.ndarray:
        """Rows i8 [candidates] of `features` that are the candidates of class `index`, in order."""
        return self.rows[self.offsets[index] : self.offsets[index + 1]]

    def prompt_ids(self, choice: np.ndarray) -> np.ndarray:
        """Prompt ids i8 [C] of the candidates in `choice` [C]; -1, the initial sentence, stays -1."""
        ids, chosen = np.full(len(choice), -1), np.flatnonzero(np.asarray(choice) >= 0)
        ids[chosen] = self.rows[self.offsets[chosen] + choice[chosen]]
        return ids

    def require_all(self, class_names: tuple[str, ...] | None = None) -> None:
        """InputError that names the first class without a candidate."""
        empty = np.flatnonzero(np.diff(self.offsets) <= 0)
        if len(empty):
            name = f" '{class_names[empty[0]]}'" if class_names else ""
            raise InputError(f"candidates: none for class {empty[0]}{name}, expected at least one a class")


def unit_text(text: np.ndarray, *, source: str = "text features") -> np.ndarray:
    """Text features f4 [..., D] of unit norm. InputError names `source` when a row is zero or not finite."""
    text = np.asarray(text, np.float32)
    norms = np.linalg.norm(text, axis=-1, keepdims=True)
    bad = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
    if len(bad):
        raise InputError(f"{source}: row {bad[0]} has norm {norms.ravel()[bad[0]]}, expected finite and above 0")
    return text / norms


def weighted_features(features: np.ndarray, *, view_weights: np.ndarray) -> np.ndarray:
    """One feature f4 [N, D] a sample: the sum over views of weight [V] times `features` [N, V, D].

    The view-weighted sum of logits is linear in the features, so the views collapse before any text is looked at
    (PointCLIP V2, eq. 3). InputError when there is no sample, a weight too many or few, or a number is not finite.
    """
    _check_shape(features)
    weights = check_view_weights(view_weights, views=features.shape[1])
    is_single = weights.tolist() == [1]  # then the features as they lie in the file: no copy in memory
    weighted = features[:, 0] if is_single else in_blocks(lambda some: np.matmul(weights, some), features)
    _check_finite(weighted)
    return weighted


def view_similarity(features: np.ndarray, *, text: np.ndarray) -> np.ndarray:
    """Scores f4 [V, N, C] of every view of `features` [N, V, D] with `text` [C, D] of unit norm; errors as above."""
    _check_shape(features)
    samples, views, width = features.shape
    if text.shape[1] != width:
        raise InputError(f"text features: width {text.shape[1]}, expected the {width} of the features")
    scores = np.empty((views, samples, len(text)), np.float32)
    for rows in blocks(samples):
        some = features[rows]
        by_sample = similarity(some.reshape(-1, width), text).reshape(len(some), views, len(text))
        _check_finite(by_sample.reshape(len(some), -1), first=rows.start)
        scores[:, rows] = by_sample.transpose(1, 0, 2)
    return scores


def check_view_weights(view_weights: np.ndarray, *, views: int) -> np.ndarray:
    """`view_weights` as f4 [V]; InputError unless they are one finite number a view."""
    weights = np.asarray(view_weights, np.float32)
    if weights.shape != (views,) or not np.isfinite(weights).all():
        raise InputError(f"view weights: {weights.tolist()}, expected {views} finite numbers, one a view")
    return weights


def check_labels(labels: np.ndarray, *, samples: int, classes: int) -> np.ndarray:
    """`labels` as i8 [N]; InputError unless they are `samples` class indices below `classes`."""
    labels = np.asarray(labels)
    if labels.shape != (samples,) or labels.dtype.kind not in "iu":
        raise InputError(f"labels: {labels.dtype} {list(labels.shape)}, expected whole numbers [{samples}]")
    if samples and not 0 <= labels.min() <= labels.max() < classes:
        raise InputError(f"labels: {labels.min()} to {labels.max()}, expected 0 to {classes - 1}: class lists differ")
    return labels.astype(np.int64)


def similarity(weighted: np.ndarray, text: np.ndarray) -> np.ndarray:
    """Scores f4 [N, T] of weighted features [N, D] with text features [T, D] of unit norm, as a view of a larger array.

    Both sides are padded to a multiple of EDGE rows: BLAS computes the last rows of a product with another kernel that
    rounds differently, and then two equal sentences would not tie.
    """
    return padded_similarity(weighted, text)[:, : len(text)]


def padded_similarity(weighted: np.ndarray, text: np.ndarray) -> np.ndarray:
    """The same with the columns that `text` is padded by, in one piece of memory."""
    columns = pad_rows(text).T
    return in_blocks(lambda some: (pad_rows(some) @ columns)[: len(some)], weighted)


def candidates_at_once(samples: int) -> int:
    """How many candidates' scores of so many samples fit into BLOCK bytes; at least EDGE, which cost what one costs."""
    return max(EDGE, BLOCK // (4 * samples))


def _check_shape(features: np.ndarray) -> None:
    if features.ndim != 3 or 0 in features.shape:
        raise InputError(f"features: shape {list(features.shape)}, expected [N, V, D] with at least one sample")


def _check_finite(by_sample: np.ndarray, *, first: int = 0) -> None:
    bad = np.flatnonzero(~in_blocks(lambda some: np.isfinite(some).all(axis=1), by_sample))
    if len(bad):
        raise InputError(f"features: sample {first + bad[0]} is not finite")


def pad_rows(rows: np.ndarray) -> np.ndarray:
    """`rows` [n, D] followed by zeros up to a multiple of EDGE rows; itself where it has such a length."""
    missing = -len(rows) % EDGE
    return np.concatenate([rows, np.zeros((missing, rows.shape[1]), rows.dtype)]) if missing else rows
