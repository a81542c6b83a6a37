"""Greedy prompt search: every decision of the published loop, at the cost of one comparison a sample and candidate.

N samples, V views, D embedding, C classes, T candidates of all classes, M of one block, S sweeps.
While one class is searched the other classes' scores do not change. So sample i is right exactly while the new score of
that class lies in one interval [low_i, high_i], whatever the candidate, and the number right with a candidate is the
number of its scores that lie inside. Accepting a candidate moves no interval of its own class: the accepted sequence is
the running maximum of these counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import logsumexp

from stages.config.search import Objective
from stages.prompt_search.candidates import Candidates, candidates_at_once, padded_similarity, similarity, unit_text
from stages.prompt_search.task import SearchSettings, SearchTask
from stages.zeroshot.metrics import negative_log_likelihood

MARGIN = 1e-9  # an objective is better by more than this: sums of shares differ by rounding below it
NEVER, ALWAYS = np.float32(np.inf), np.float32(-np.inf)  # as the low end of an interval


class AcceptedStep(NamedTuple):
    """One accepted candidate: its place in the loop, then the samples right and the objective's value with it.

    `candidate` counts within the class.
    """

    sweep: int
    class_index: int
    candidate: int
    correct: int
    value: float


@dataclass(frozen=True)
class PromptSearchResult:
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
    trace: tuple[AcceptedStep, ...]
    counts: np.ndarray


def search_prompts(task: SearchTask, settings: SearchSettings) -> PromptSearchResult:
    """Greedy search of a sentence a class, as published (PointCLIP V2, section 3.2).

    It starts from the task's initial sentences, goes through the classes and their candidates in order, and takes a
    candidate at once when the objective gets strictly better. A tie between classes goes to the lower index.
    """
    greedy = GreedySearch(task, settings.objective, members=task.all_samples)
    sweep_classes([greedy], task, task.candidates, settings)
    return greedy.result(task.candidates)


class GreedySearch:
    """A search over the samples in `members` bool [N]: scores [N, C] of the sentences so far and the accepted steps."""

    def __init__(self, task: SearchTask, objective: Objective, *, members: np.ndarray):
        self.task, self.objective, self.members = task, objective, members
        self.scores = similarity(task.weighted, task.initial).copy()
        self.choice = np.full(len(task.initial), -1)
        self.start, self.start_value = self.correct, self.value = self.evaluate(self.scores, members)
        self.trace: list[AcceptedStep] = []
        self._counts = [np.array([self.start], np.int32)]

    def evaluate(self, scores: np.ndarray, members: np.ndarray) -> tuple[int, float]:
        """Samples of `members` right with `scores` [N, C], and the objective."""
        labels, scores = self.task.labels[members], scores[members]
        hits = scores.argmax(axis=1) == labels
        if self.objective == "negative_log_likelihood":
            value = -negative_log_likelihood(self.task.logit_scale * scores.astype(np.float64), labels)
        else:
            value = share_right(hits, labels, objective=self.objective)
        return int(hits.sum()), value

    def visit(self, block: np.ndarray, *, sweep: int, class_index: int, first: int, length: int) -> None:
        """Try `length` candidates of one class from `first` on and accept those that the loop would.

        Their scores are block[:, :length]; the rest of `block` is padding.
        """
        correct, values = (column[:length] for column in self._evaluate_candidates(block, class_index))
        self._counts.append(correct)
        best = None
        for j in np.flatnonzero(values > self.value + MARGIN):
            if values[j] > self.value + MARGIN:
                best, self.value, self.correct = j, float(values[j]), int(correct[j])
                self.trace.append(AcceptedStep(sweep, class_index, first + int(j), self.correct, self.value))
        if best is not None:
            self.choice[class_index] = first + best
            self.scores[:, class_index] = block[:, best]

    def result(self, candidates: Candidates) -> PromptSearchResult:
        """What was chosen; `candidates` are those that the search went through."""
        chosen = np.flatnonzero(self.choice >= 0)
        text = self.task.initial.copy()
        text[chosen] = unit_text(candidates.features[candidates.prompt_ids(self.choice)[chosen]], source="candidates")
        return PromptSearchResult(
            self.choice,
            text,
            self.start,
            self.correct,
            self.start_value,
            self.value,
            tuple(self.trace),
            np.concatenate(self._counts),
        )

    def _evaluate_candidates(self, block: np.ndarray, class_index: int) -> tuple[np.ndarray, np.ndarray]:
        """Samples right i4 [M] and the objective f8 [M] with each candidate of a class in turn."""
        task, members = self.task, np.count_nonzero(self.members)
        low, high = right_between(self.scores, task.labels, class_index=class_index)
        low[~self.members] = NEVER
        correct, values = np.zeros(block.shape[1], np.int32), np.zeros(block.shape[1])
        _add_inside(block, low, high, np.ones(len(low), np.int32), correct)
        if self.objective == "accuracy":
            return correct, correct / members
        labels = task.labels[self.members]
        if self.objective == "mean_class_accuracy":
            shares = np.zeros(len(low))
            shares[self.members] = sample_shares(labels)
            _add_inside(block, low, high, shares, values)
            return correct, values
        logits = task.logit_scale * self.scores[self.members].astype(np.float64)
        rest, constant = _without_class(logits, labels, class_index)
        _add_softplus(block, np.flatnonzero(self.members), rest, labels == class_index, task.logit_scale, values)
        return correct, (constant - values) / members


def sweep_classes(
    searches: list[GreedySearch], task: SearchTask, candidates: Candidates, settings: SearchSettings
) -> None:
    """`sweeps` times through all classes and `candidates` in order; the searches go side by side and share the scores.

    `candidates` may be fewer than the task's, also none for a class.
    """
    stored: dict[tuple[int, int], np.ndarray] = {}
    memory = settings.memory
    for sweep in range(settings.sweeps):
        for class_index, first, rows in _blocks(candidates, samples=len(task.labels)):
            block = stored.get((class_index, first))
            if block is None:
                text = unit_text(candidates.features[rows], source=f"candidates of class {class_index}")
                block = padded_similarity(task.weighted, text)
                if sweep + 1 < settings.sweeps and block.nbytes <= memory:
                    stored[class_index, first] = block
                    memory -= block.nbytes
            for search in searches:
                search.visit(block, sweep=sweep, class_index=class_index, first=first, length=len(rows))


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
    """(class, first candidate, rows) of consecutive candidates whose scores are computed at a time, in loop order."""
    length = candidates_at_once(samples)
    for class_index in range(candidates.classes):
        rows = candidates.of_class(class_index)
        for first in range(0, len(rows), length):
            yield class_index, first, rows[first : first + length]


def _without_class(logits: np.ndarray, labels: np.ndarray, class_index: int) -> tuple[np.ndarray, float]:
    """Log of the other classes' summed exponentials f8 [N], and the log likelihood that the class has no part in."""
    logits[:, class_index] = -np.inf
    rest = logsumexp(logits, axis=1)
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
