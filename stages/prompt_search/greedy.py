"""Greedy prompt search: the published loop's every decision, at the price of one column compare a candidate.

N samples, V views, D embedding, C classes, T candidates of all classes, M of one block, S sweeps.
While one class is searched the other classes' scores stand still. So sample i is right exactly while the new score of
that class lies in one interval [low_i, high_i], whatever the candidate, and the number right with a candidate is the
number of its scores that lie inside. Accepting a candidate moves no interval of its own class: the accepted sequence is
the running maximum of these counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numba import njit

from stages.core.errors import InputError
from stages.prompt_search.candidates import Candidates, check_labels, fill_up, similarity, unit_text, weighted_features
from stages.zeroshot.metrics import negative_log_likelihood

Objective = Literal["accuracy", "mean_class_accuracy", "negative_log_likelihood"]
OBJECTIVES = ("accuracy", "mean_class_accuracy", "negative_log_likelihood")
MEMORY = 512 * 2**20  # bytes of scores kept for the next sweep: all of ModelNet40's 2468 x 48000
BLOCK = 64 * 2**20  # bytes of scores worked out at a time
MARGIN = 1e-9  # an objective is better by more than this: sums of shares differ by rounding below it
NEVER, ALWAYS = np.float32(np.inf), np.float32(-np.inf)  # as the low end of an interval


class Step(NamedTuple):
    """One accepted candidate: where the loop stood, the number of samples right after it and the objective."""

    sweep: int
    class_index: int
    candidate: int
    correct: int
    value: float


@dataclass(frozen=True)
class PromptChoice:
    """What a prompt search ends with.

    choice i8 [C]: candidate within its class, -1 the initial sentence; text f4 [C, D] of unit norm; `start` and
    `correct` samples right before and after; `start_value` and `value` of the objective (higher is better, so minus the
    negative log likelihood); trace of the accepted steps; counts i4 [1 + S * T] of samples right, first at the start
    and then at each evaluation in loop order.
    """

    choice: np.ndarray
    text: np.ndarray
    start: int
    correct: int
    start_value: float
    value: float
    trace: tuple[Step, ...]
    counts: np.ndarray


def search_prompts(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    candidates: Candidates,
    initial: np.ndarray,
    view_weights: np.ndarray,
    sweeps: int = 2,
    objective: Objective = "accuracy",
    logit_scale: float = 100.0,
    memory: int = MEMORY,
) -> PromptChoice:
    """Greedy search of a sentence a class on `features` f4 [N, V, D] and `labels` i8 [N], as published (PointCLIP V2).

    It starts from `initial` [C, D] text features of any norm, goes `sweeps` times through the classes and their
    candidates in order, and takes a candidate at once when the objective gets strictly better. A tie between classes
    goes to the lower index. `logit_scale` counts for the negative log likelihood alone. At most `memory` bytes of
    scores are kept between sweeps; beyond it they are worked out again. InputError on an empty split, a class without
    candidates, class lists that differ, features that are not finite.
    """
    candidates.require_all()
    problem = Problem.of(
        features,
        labels,
        candidates=candidates,
        initial=initial,
        view_weights=view_weights,
        objective=objective,
        logit_scale=logit_scale,
    )
    run = Run(problem, members=np.ones(len(labels), bool))
    sweep_classes([run], problem, candidates, sweeps=sweeps, memory=memory)
    return run.result(candidates)


@dataclass(frozen=True)
class Problem:
    """A search's checked input: weighted features f4 [N, D], labels i8 [N], initial text f4 [C, D] of unit norm."""

    weighted: np.ndarray
    labels: np.ndarray
    initial: np.ndarray
    objective: Objective
    logit_scale: float

    @classmethod
    def of(
        cls,
        features: np.ndarray,
        labels: np.ndarray,
        *,
        candidates: Candidates,
        initial: np.ndarray,
        view_weights: np.ndarray,
        objective: Objective,
        logit_scale: float,
    ) -> "Problem":
        """InputError where the parts do not fit together."""
        if objective not in OBJECTIVES:
            raise InputError(f"objective: '{objective}', expected one of {', '.join(OBJECTIVES)}")
        weighted = weighted_features(features, view_weights=view_weights)
        text = unit_text(initial, source="initial text features")
        if len(text) != candidates.classes:
            raise InputError(
                f"initial text features: {len(text)} classes, expected the {candidates.classes} of the candidates"
            )
        if len(text) < 2:
            raise InputError(f"initial text features: {len(text)} class, expected at least 2")
        widths = {weighted.shape[1], text.shape[1], candidates.features.shape[1]}
        if len(widths) > 1:
            raise InputError(f"features, initial text and candidates: widths {sorted(widths)}, expected one")
        labels = check_labels(labels, samples=len(weighted), classes=len(text))
        return cls(weighted, labels, text, objective, logit_scale)


class Run:
    """A search over the samples in `members` bool [N]: scores [N, C] of the sentences so far and what was accepted."""

    def __init__(self, problem: Problem, *, members: np.ndarray):
        self.problem, self.members = problem, members
        self.scores = similarity(problem.weighted, problem.initial).copy()
        self.choice = np.full(len(problem.initial), -1)
        self.start, self.start_value = self.correct, self.value = self.judge(self.scores, members)
        self.trace: list[Step] = []
        self._counts = [np.array([self.start], np.int32)]

    def judge(self, scores: np.ndarray, members: np.ndarray) -> tuple[int, float]:
        """Samples of `members` right with `scores` [N, C], and the objective."""
        labels, scores = self.problem.labels[members], scores[members]
        hits = scores.argmax(axis=1) == labels
        if self.problem.objective == "negative_log_likelihood":
            value = -negative_log_likelihood(self.problem.logit_scale * scores.astype(np.float64), labels)
        else:
            value = share_right(hits, labels, objective=self.problem.objective)
        return int(hits.sum()), value

    def visit(self, block: np.ndarray, *, sweep: int, class_index: int, first: int, length: int) -> None:
        """Take `length` candidates of one class from `first` on, as the loop would.

        Their scores are block[:N, :length]; what lies beyond is filling.
        """
        correct, values = (column[:length] for column in self._evaluate(block, class_index))
        self._counts.append(correct)
        best = None
        for j in np.flatnonzero(values > self.value + MARGIN):
            if values[j] > self.value + MARGIN:
                best, self.value, self.correct = j, float(values[j]), int(correct[j])
                self.trace.append(Step(sweep, class_index, first + int(j), self.correct, self.value))
        if best is not None:
            self.choice[class_index] = first + best
            self.scores[:, class_index] = block[: len(self.scores), best]

    def result(self, candidates: Candidates) -> PromptChoice:
        """The search's end."""
        chosen = np.flatnonzero(self.choice >= 0)
        text = self.problem.initial.copy()
        text[chosen] = unit_text(candidates.features[candidates.prompt_ids(self.choice)[chosen]], source="candidates")
        return PromptChoice(
            self.choice,
            text,
            self.start,
            self.correct,
            self.start_value,
            self.value,
            tuple(self.trace),
            np.concatenate(self._counts),
        )

    def _evaluate(self, block: np.ndarray, class_index: int) -> tuple[np.ndarray, np.ndarray]:
        problem = self.problem
        low, high = right_between(self.scores, problem.labels, class_index=class_index)
        low[~self.members] = NEVER
        correct, values = np.zeros(block.shape[1], np.int32), np.zeros(block.shape[1])
        _add_inside(block, low, high, np.ones(len(low), np.int32), correct)
        members = np.count_nonzero(self.members)
        if problem.objective == "accuracy":
            return correct, correct / members
        if problem.objective == "mean_class_accuracy":
            shares = np.zeros(len(low))
            shares[self.members] = sample_shares(problem.labels[self.members])
            _add_inside(block, low, high, shares, values)
            return correct, values
        logits = problem.logit_scale * self.scores[self.members].astype(np.float64)
        labels = problem.labels[self.members]
        rest, constant = _rest(logits, labels, class_index)
        _add_softplus(block, np.flatnonzero(self.members), rest, labels == class_index, problem.logit_scale, values)
        return correct, (constant - values) / members


def sweep_classes(runs: list[Run], problem: Problem, candidates: Candidates, *, sweeps: int, memory: int) -> None:
    """`sweeps` times through all classes and candidates in order; the runs go side by side and share the scores."""
    kept: dict[tuple[int, int], np.ndarray] = {}
    filled = fill_up(problem.weighted)
    for sweep in range(sweeps):
        for class_index, first, rows in _blocks(candidates, samples=len(filled)):
            block = kept.get((class_index, first))
            if block is None:
                text = unit_text(candidates.features[rows], source=f"candidates of class {class_index}")
                block = filled @ fill_up(text).T
                if sweep + 1 < sweeps and block.nbytes <= memory:
                    kept[class_index, first] = block
                    memory -= block.nbytes
            for run in runs:
                run.visit(block, sweep=sweep, class_index=class_index, first=first, length=len(rows))


def right_between(scores: np.ndarray, labels: np.ndarray, *, class_index: int) -> tuple[np.ndarray, np.ndarray]:
    """Ends (low, high) f4 [N] of the closed interval of scores of class `class_index` at which each sample is right.

    The other classes keep their `scores` [N, C]. An own sample is right from the best of the others on, strictly above
    it where that class has the lower index and would win the tie. Any other sample stays right up to the score of its
    label, if that is the best of the others. An interval that starts at infinity is empty.
    """
    others = scores.copy()
    others[:, class_index] = -np.inf
    down, up = np.float32(-np.inf), np.float32(np.inf)
    before = others[:, :class_index].max(axis=1, initial=down)
    after = others[:, class_index + 1 :].max(axis=1, initial=down)
    own_score = np.take_along_axis(others, labels[:, None], axis=1)[:, 0]
    own, stays = labels == class_index, others.argmax(axis=1) == labels
    low = np.where(own, np.maximum(np.nextafter(before, up), after), np.where(stays, ALWAYS, NEVER))
    high = np.where(own, up, np.where(labels < class_index, own_score, np.nextafter(own_score, down)))
    return low, high


def share_right(hits: np.ndarray, labels: np.ndarray, *, objective: Objective) -> float:
    """Accuracy or mean class accuracy of `hits` bool [N]."""
    return float(hits.mean()) if objective == "accuracy" else float(hits @ sample_shares(labels))


def sample_shares(labels: np.ndarray) -> np.ndarray:
    """What a right sample adds to the mean class accuracy, f8 [N]: 1 / (classes that occur * samples of its class)."""
    _, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return 1 / (len(counts) * counts[place])


def _blocks(candidates: Candidates, *, samples: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """(class, first candidate, rows) of consecutive candidates whose scores fit into BLOCK bytes, in loop order."""
    length = max(1, BLOCK // (4 * samples))
    for class_index in range(candidates.classes):
        rows = candidates.of_class(class_index)
        for first in range(0, len(rows), length):
            yield class_index, first, rows[first : first + length]


def _rest(logits: np.ndarray, labels: np.ndarray, class_index: int) -> tuple[np.ndarray, float]:
    """Log of the other classes' summed exponentials f8 [N], and the log likelihood that the class has no part in."""
    logits[:, class_index] = -np.inf
    top = logits.max(axis=1)
    rest = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    others = labels != class_index
    return rest, float((logits[others, labels[others]] - rest[others]).sum())


@njit(cache=True, nogil=True)
def _add_inside(block, low, high, shares, totals):
    """Add shares[i] to totals[m] wherever block[i, m] lies in [low[i], high[i]]."""
    nothing = shares.dtype.type(0)
    for i in range(low.size):
        if low[i] == np.inf:
            continue
        least, most, share, row = low[i], high[i], shares[i], block[i]
        for m in range(row.size):
            totals[m] += share if (row[m] >= least) & (row[m] <= most) else nothing


@njit(cache=True, nogil=True)
def _add_softplus(block, rows, rest, own, scale, totals):
    """Add to totals[m] over the rows i the sum of log(1 + exp(x)), less x for an own sample, x = scale * block - rest.

    log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)); 512 of the last factors, each 1 to 2, multiply without overflow.
    """
    product = np.ones(totals.size)
    for k in range(rows.size):
        row, inside = block[rows[k]], own[k]
        for m in range(row.size):
            x = scale * row[m] - rest[k]
            totals[m] += max(x, 0.0) - x if inside else max(x, 0.0)
            product[m] *= 1 + np.exp(-abs(x))
        if k % 512 == 511 or k == rows.size - 1:
            totals += np.log(product)
            product[:] = 1
