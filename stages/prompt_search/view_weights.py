"""View weights by search: the published grid of every combination, and an exact search of one weight at a time.

N samples, V views, D embedding, C classes, F free views, L levels a free view. A sample is right when the weighted sum
of its scores is largest for its label; a tie goes to the lower class index.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit

from stages.core.errors import InputError
from stages.core.threads import available_cores, map_in_threads
from stages.prompt_search.candidates import check_labels, check_view_weights, unit_text, view_similarity
from stages.prompt_search.greedy import MARGIN, sample_shares

ViewObjective = Literal["accuracy", "mean_class_accuracy"]
LARGEST_GRID = 2**26  # combinations


@dataclass(frozen=True)
class GridResult:
    """What the grid ends with.

    weights f4 [V]; `start` samples right with all weights 1 and `correct` with the best combination (the start's where
    none beats it); counts i4 [L ** F] of samples right with each combination, the last free view varying fastest, small
    values first; accepted i8 places in `counts` of the combinations taken on the way.
    """

    weights: np.ndarray
    start: int
    correct: int
    counts: np.ndarray
    accepted: np.ndarray


@dataclass(frozen=True)
class CoordinateResult:
    """What the coordinate search ends with.

    weights f4 [V]; `start` and `correct` samples right with the weights it was given and with these; `start_value` and
    `value` of the objective.
    """

    weights: np.ndarray
    start: int
    correct: int
    start_value: float
    value: float


def grid_view_weights(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    text: np.ndarray,
    fallback: np.ndarray,
    levels: int = 4,
    fixed: Sequence[int] = (0, 1, 2),
    fixed_weight: float = 0.75,
    threads: int | None = None,
) -> GridResult:
    """Every combination of view weights on `features` f4 [N, V, D] and `labels` i8 [N], as published (PointCLIP V2).

    `text` [C, D] of any norm. The views in `fixed` weigh `fixed_weight`, the others (i + 1) / `levels`. The search
    starts from the count with all weights 1 and takes a combination that is strictly better, so the first of equals
    wins; where none is, `fallback` [V] comes back. Scores are f4 and their sums f8, so with a `levels` that is a power
    of 2 nothing rounds and ties are true ones.

    Instead of one product a combination, the combinations are walked as a tree for each sample: a class that the label
    beats whatever the remaining views weigh is dropped, and a class that beats the label whatever they weigh ends the
    whole branch. The samples are shared out over `threads`, None for one a core.
    InputError on an empty split, features that are not finite, class lists that differ, no free view.
    """
    scores, labels = view_scores(features, labels, text=text)
    views = len(scores)
    free = [v for v in range(views) if v not in fixed]
    if levels < 1 or not set(fixed) < set(range(views)) or levels ** len(free) > LARGEST_GRID:
        raise InputError(
            f"view weight grid: {levels} levels, views {list(fixed)} of {views} fixed; expected a free "
            f"view and 1 to {LARGEST_GRID} combinations"
        )
    values, threads = np.arange(1, levels + 1) / levels, threads or available_cores()
    order, fixed_weights = np.array([*fixed, *free]), np.full(len(fixed), float(fixed_weight))

    def count(first: int, step: int) -> np.ndarray:
        return _count_grid(scores, labels, order, fixed_weights, values, first, step)

    counts = sum(map_in_threads(lambda first: count(first, threads), threads))
    start = _count_right(scores, labels, np.ones(views))
    running = np.maximum.accumulate(np.concatenate([[start], counts]))
    accepted = np.flatnonzero(np.diff(running) > 0)
    weights = check_view_weights(fallback, views=views).copy()
    if len(accepted):
        weights[list(fixed)] = fixed_weight
        weights[free] = values[np.array(np.unravel_index(accepted[-1], (levels,) * len(free)))]
    return GridResult(weights, start, int(running[-1]), counts, accepted)


def coordinate_view_weights(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    text: np.ndarray,
    start: np.ndarray,
    objective: ViewObjective = "accuracy",
    upper: float = 1.0,
    restarts: int = 4,
    seed: int = 0,
    rounds: int = 20,
) -> CoordinateResult:
    """Exact search of one view weight after another in 0..`upper`, from `start` [V] and `restarts` random places.

    With the others held, a sample is right in one interval of a weight, so the objective is constant between the sorted
    ends of these intervals: the middle of the widest best stretch is the best weight there is, ties aside. A weight is
    moved where that is strictly better; the search ends when no view's weight moves in a round, at the latest after
    `rounds`. The best end wins, the first of equals, so the result is never worse than `start`. A positive factor of
    all weights changes nothing, so `upper` costs no generality. Errors as in `grid_view_weights`.
    """
    scores, labels = view_scores(features, labels, text=text)
    if objective not in ("accuracy", "mean_class_accuracy"):
        raise InputError(f"view weight objective: '{objective}', expected accuracy or mean_class_accuracy")
    shares = np.full(len(labels), 1 / len(labels)) if objective == "accuracy" else sample_shares(labels)
    start = check_view_weights(start, views=len(scores))
    ascent = _CoordinateAscent(scores, labels, shares, upper=upper, rounds=rounds)
    generator = np.random.default_rng(seed)
    places = [start] + [generator.uniform(0, upper, len(scores)).astype(np.float32) for _ in range(restarts)]
    ends = map_in_threads(lambda place: ascent.run(places[place]), len(places))
    weights = max(ends, key=ascent.value)  # the first of equals
    return CoordinateResult(
        weights,
        _count_right(scores, labels, start),
        _count_right(scores, labels, weights),
        ascent.value(start),
        ascent.value(weights),
    )


def view_scores(features: np.ndarray, labels: np.ndarray, *, text: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores f4 [V, N, C] of every view against `text` [C, D], and the checked labels i8 [N]."""
    scores = view_similarity(features, text=unit_text(text))
    return scores, check_labels(labels, samples=len(features), classes=len(text))


class _CoordinateAscent:
    """One-weight-at-a-time ascent on fixed scores f4 [V, N, C]."""

    def __init__(self, scores: np.ndarray, labels: np.ndarray, shares: np.ndarray, *, upper: float, rounds: int):
        self.scores, self.labels, self.shares, self.upper, self.rounds = scores, labels, shares, upper, rounds

    def value(self, weights: np.ndarray) -> float:
        """Share right with `weights` [V]."""
        return self.share(_totals(self.scores, weights.astype(np.float64)))

    def share(self, totals: np.ndarray) -> float:
        """Share right with weighted sums `totals` [N, C]."""
        return float((totals.argmax(axis=1) == self.labels) @ self.shares)

    def run(self, weights: np.ndarray) -> np.ndarray:
        """Weights f4 [V] that no single change improves, or what `rounds` rounds reached."""
        totals = _totals(self.scores, weights.astype(np.float64))
        value = self.share(totals)
        for _ in range(self.rounds):
            before = value
            for view in range(len(weights)):
                weight, promised = self.best_weight(totals, weights[view], view)
                if promised <= value + MARGIN:
                    continue
                trial = weights.copy()
                trial[view] = weight
                moved = _totals(self.scores, trial.astype(np.float64))
                if (reached := self.share(moved)) > value + MARGIN:  # less than promised where f4 is too coarse
                    weights, totals, value = trial, moved, reached
            if value <= before:
                break
        return weights

    def best_weight(self, totals: np.ndarray, weight: float, view: int) -> tuple[float, float]:
        """Middle of the widest stretch of 0..upper where the share right is largest as `view` varies, and the share."""
        low, high = np.empty(len(self.labels)), np.empty(len(self.labels))
        _intervals(self.scores[view], totals, float(weight), self.labels, float(self.upper), low, high)
        some = low < high
        edges, place = np.unique(np.concatenate([[0, self.upper], low[some], high[some]]), return_inverse=True)
        steps = np.concatenate([[0, 0], self.shares[some], -self.shares[some]])
        covered = np.cumsum(np.bincount(place, weights=steps))[:-1]
        widths = np.where(covered >= covered.max() - MARGIN, np.diff(edges), -1)
        best = widths.argmax()
        return (edges[best] + edges[best + 1]) / 2, covered[best]


def _count_right(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> int:
    return int(np.count_nonzero(_totals(scores, weights.astype(np.float64)).argmax(axis=1) == labels))


@njit(cache=True, nogil=True)
def _totals(scores, weights):
    """Weighted sums over views f8 [N, C] with f8 weights [V]."""
    views, samples, classes = scores.shape
    totals = np.zeros((samples, classes))
    for n in range(samples):
        for v in range(views):
            for c in range(classes):
                totals[n, c] += weights[v] * scores[v, n, c]
    return totals


@njit(cache=True, nogil=True)
def _intervals(scores, totals, weight, labels, upper, low, high):
    """Ends f8 [N] of the open interval of a view's weight in 0..upper at which each sample is right; low >= high: none.

    The margin over class c is a + w * d, a straight line of the weight w. `scores` [N, C] are the view's, `totals`
    [N, C] those of all views while it weighs `weight`.
    """
    for n in range(labels.size):
        y, least, most = labels[n], 0.0, upper
        for c in range(scores.shape[1]):
            d = np.float64(scores[n, y]) - np.float64(scores[n, c])
            a = (totals[n, y] - weight * scores[n, y]) - (totals[n, c] - weight * scores[n, c])
            if d > 0:
                least = max(least, -a / d)
            elif d < 0:
                most = min(most, -a / d)
            elif a < 0 or (a == 0 and c < y):
                most = -1.0
        low[n], high[n] = least, most


@njit(cache=True, nogil=True)
def _count_grid(scores, labels, order, fixed_weights, values, first, step):
    """Samples right i4 [L ** F] with each combination, over every `step`-th sample from `first` on."""
    samples, free, levels = scores.shape[1], order.size - fixed_weights.size, values.size
    sizes = levels ** np.arange(free, -1, -1)  # combinations below a node of each depth
    changes = np.zeros(sizes[0] + 1, np.int32)  # of the count, where a branch begins and ends
    classes = scores.shape[2]
    gains = np.empty((free, classes))
    least, most = np.zeros((free + 1, classes)), np.zeros((free + 1, classes))
    margins, alive = np.empty((free + 1, classes)), np.empty((free + 1, classes), np.int64)
    left = np.empty(free + 1, np.int64)
    for n in range(first, samples, step):
        _margins_of_sample(scores, labels[n], n, order, fixed_weights, values, gains, least, most, margins[0], alive[0])
        left[0] = classes - 1
        _walk(labels[n], values, sizes, gains, least, most, margins, alive, left, changes)
    return np.cumsum(changes)[:-1].astype(np.int32)


@njit(cache=True, nogil=True)
def _margins_of_sample(scores, y, n, order, fixed_weights, values, gains, least, most, margin, alive):
    """Margins of one sample's label over every other class, by what the free views at most and at least add to them."""
    fixed, free, rivals = fixed_weights.size, gains.shape[0], 0
    for c in range(scores.shape[2]):
        margin[c] = 0
        if c != y:
            alive[rivals] = c
            rivals += 1
        for k in range(fixed):
            margin[c] += fixed_weights[k] * (np.float64(scores[order[k], n, y]) - np.float64(scores[order[k], n, c]))
        for k in range(free - 1, -1, -1):
            v = order[fixed + k]
            gain = np.float64(scores[v, n, y]) - np.float64(scores[v, n, c])
            gains[k, c] = gain
            ends = values[0] * gain, values[-1] * gain
            least[k, c], most[k, c] = least[k + 1, c] + min(ends), most[k + 1, c] + max(ends)


@njit(cache=True, nogil=True)
def _settle(depth, y, least, most, margins, alive, left):
    """How many classes the views from `depth` on still decide, which stay; -1 where one beats the label in any case."""
    kept = 0
    for k in range(left[depth]):
        c = alive[depth, k]
        low, high = margins[depth, c] + least[depth, c], margins[depth, c] + most[depth, c]
        if high < 0 or (high == 0 and c < y):
            return -1
        if low < 0 or (low == 0 and c < y):
            alive[depth, kept] = c
            kept += 1
    left[depth] = kept
    return kept


@njit(cache=True, nogil=True)
def _walk(y, values, sizes, gains, least, most, margins, alive, left, changes):
    """Walk one sample's tree of combinations, view by view, and mark in `changes` the branches where it is right.

    margins[depth, c] holds what the fixed views and the first `depth` free ones give the label over class c.
    """
    free, levels = gains.shape[0], values.size
    tried = np.zeros(free + 1, np.int64)
    depth, place = 0, 0
    while True:
        open_classes = _settle(depth, y, least, most, margins, alive, left)
        if open_classes == 0:
            changes[place] += 1
            changes[place + sizes[depth]] -= 1
        if open_classes > 0:
            tried[depth] = 0
        else:  # this branch is settled: on to the next one, up where a view has no value left
            place += sizes[depth]
            depth -= 1
            while depth >= 0 and tried[depth] == levels - 1:
                depth -= 1
            if depth < 0:
                return
            tried[depth] += 1
        left[depth + 1] = left[depth]
        for k in range(left[depth]):
            c = alive[depth, k]
            alive[depth + 1, k] = c
            margins[depth + 1, c] = margins[depth, c] + values[tried[depth]] * gains[depth, c]
        depth += 1
