"""Greedy search of a sentence a part, and of view weights, on the shapes of one category.

N shapes, P points, V views, D embedding, K parts, M candidates of one part.
While one part is searched the logits of the others do not change: a point gets that part where a candidate's logit
reaches the best of the others, and the best of the others where not. So a shape's scores follow from how many points a
candidate takes of every pair (true part, best other part), and one matrix product counts them for all candidates.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit

from stages.core.errors import InputError
from stages.core.threads import map_in_threads
from stages.prompt_search.candidates import Candidates, check_view_weights, unit_text
from stages.segmentation.scores import score
from stages.segmentation.shapes import Shapes

Objective = Literal["iou", "accuracy"]
MEMORY = 2 * 2**30  # bytes of point features that are cached; beyond it they are computed again
MARGIN = 1e-9  # an objective must rise by more than this to count as better


@dataclass(frozen=True)
class PartSearchResult:
    """What the search ends with.

    choice i8 [K]: candidate within its part, -1 the initial sentence; text f4 [K, D] of unit norm; the objective 0..1
    before and after; `evaluations` of a candidate on all shapes that the published loop would have made.
    """

    choice: np.ndarray
    text: np.ndarray
    start: float
    value: float
    evaluations: int


def search_parts(
    shapes: Shapes,
    *,
    candidates: Candidates,
    initial: np.ndarray,
    view_weights: np.ndarray,
    sweeps: int = 1,
    objective: Objective = "iou",
    memory: int = MEMORY,
) -> PartSearchResult:
    """A sentence for each part, taken where the objective over all shapes gets strictly better (PointCLIP V2).

    It starts from `initial` [K, D] of any norm and goes `sweeps` times through the parts and their candidates in order;
    of equally good candidates the first is taken. Text and candidates may be of the first K of the shapes' parts: then
    no point gets another. InputError where they are not as many as each other, or more than the parts.
    """
    candidates.require_all(shapes.parts)
    text = unit_text(initial, source="initial sentences")
    if not len(text) == candidates.classes <= len(shapes.parts):
        found = f"{len(text)} initial sentences, candidates of {candidates.classes} parts"
        raise InputError(f"part search: {found}, expected as many, of the {len(shapes.parts)} parts")
    weights = check_view_weights(view_weights, views=shapes.views)
    features = _cached(lambda n: shapes.point_features(n, view_weights=weights), memory)
    choice = np.full(len(text), -1)
    logits = np.stack([features(n) @ text.T for n in range(len(shapes))])
    start = value = mean_score(logits.argmax(axis=-1), shapes, objective=objective)
    for _ in range(sweeps):
        for part in range(len(text)):
            sentences = unit_text(candidates.features[candidates.of_class(part)], source=f"candidates of part {part}")
            values = _evaluate(shapes, features, logits, sentences, part, objective)
            best = int(values.argmax())
            if values[best] > value + MARGIN:
                value, choice[part], text[part] = float(values[best]), best, sentences[best]
                for n in range(len(shapes)):
                    logits[n, :, part] = features(n) @ text[part]
    return PartSearchResult(choice, text, start, value, sweeps * len(candidates.rows))


def search_view_weights(
    shapes: Shapes,
    *,
    text: np.ndarray,
    start: np.ndarray,
    objective: Objective = "iou",
    levels: int = 4,
    rounds: int = 3,
) -> tuple[np.ndarray, float]:
    """View weights f4 [V] and the objective: one view after another takes the best of (1 to `levels`) / `levels`.

    It begins at `start` [V] and changes a weight where that is strictly better, until a round changes nothing. No
    weight becomes 0, so that a point keeps the views that see it.
    """
    weights = check_view_weights(start, views=shapes.views).copy()
    by_view = shapes.view_logits(text)
    total = np.tensordot(weights, by_view, axes=1)
    value = mean_score(total.argmax(axis=-1), shapes, objective=objective)
    for _ in range(rounds):
        before = value
        for view, logits in enumerate(by_view):
            for level in np.arange(1, levels + 1, dtype=np.float32) / np.float32(levels):
                moved = total + (level - weights[view]) * logits
                reached = mean_score(moved.argmax(axis=-1), shapes, objective=objective)
                if reached > value + MARGIN:
                    weights[view], total, value = level, moved, reached
        if value <= before:
            break
    return weights, value


def mean_score(predicted: np.ndarray, shapes: Shapes, *, objective: Objective) -> float:
    """Mean over the shapes of the objective, 0..1."""
    return float(getattr(score(predicted, shapes.truth, parts=len(shapes.parts)), objective).mean())


def _evaluate(
    shapes: Shapes,
    features: Callable[[int], np.ndarray],
    logits: np.ndarray,
    sentences: np.ndarray,
    part: int,
    objective: Objective,
) -> np.ndarray:
    """The objective f8 [M] with each of `sentences` [M, D] as the text of `part`."""
    parts = len(shapes.parts)
    others = logits.copy()
    others[..., part] = -np.inf
    rival, best = others.argmax(axis=-1), others.max(axis=-1)
    # a tie goes to the lower part
    low = np.where(rival < part, np.nextafter(best, np.float32(np.inf)), best)

    def of_shape(n: int) -> np.ndarray:
        cells = shapes.truth[n] * parts + rival[n]
        taken = _count_taken(features(n) @ sentences.T, low[n], cells, parts * parts)
        return _values(taken.reshape(parts, parts, -1), shapes.truth[n], rival[n], part, objective)

    return np.mean(map_in_threads(of_shape, len(shapes)), axis=0)


def _values(taken: np.ndarray, truth: np.ndarray, rival: np.ndarray, part: int, objective: Objective) -> np.ndarray:
    """One shape's objective f8 [M] when candidates take `taken` i4 [true part, best other part, M] of its points."""
    parts = len(taken)
    table = np.zeros((parts, parts), np.int64)
    np.add.at(table, (truth, rival), 1)
    both = np.einsum("kkm->km", table[..., None] - taken)
    both[part] = taken[part].sum(axis=0)
    if objective == "accuracy":
        return both.sum(axis=0) / len(truth)
    predicted = table.sum(axis=0)[:, None] - taken.sum(axis=0)
    predicted[part] = taken.sum(axis=(0, 1))
    either = table.sum(axis=1)[:, None] + predicted - both
    return np.where(either > 0, both / np.maximum(either, 1), 1.0).mean(axis=0)


@njit(cache=True, nogil=True)
def _count_taken(scores, low, cell, cells):
    """Points i4 [cells, M] of each cell whose score [P, M] reaches `low` [P]."""
    counts = np.zeros((cells, scores.shape[1]), np.int32)
    for p in range(low.size):
        least, row, count = low[p], scores[p], counts[cell[p]]
        for m in range(row.size):
            count[m] += row[m] >= least
    return counts


def _cached(compute: Callable[[int], np.ndarray], memory: int) -> Callable[[int], np.ndarray]:
    """`compute` with a cache of its results, equally large, as long as all of them take at most `memory` bytes."""
    cache: dict[int, np.ndarray] = {}

    def cached(n: int) -> np.ndarray:
        result = cache[n] if n in cache else compute(n)
        if (len(cache) + 1) * result.nbytes <= memory:
            cache[n] = result
        return result

    return cached
