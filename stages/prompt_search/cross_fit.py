"""Prompt search that is honest on the split it searches: a sentence stays only where held-out folds agree.

N samples, C classes, K folds.
"""

from dataclasses import dataclass, replace

import numpy as np

from stages.core.errors import InputError
from stages.prompt_search.candidates import Candidates
from stages.prompt_search.greedy import MARGIN, GreedySearch, PromptSearchResult, sweep_classes
from stages.prompt_search.task import SearchSettings, SearchTask


@dataclass(frozen=True)
class CrossFitResult:
    """What cross-fitting ends with.

    `final` is the last search, over the whole split and the confirmed sentences (its counts are theirs); folds i8 [N];
    gains f8 [K, C]: what the sentence found for a class without fold k adds to the objective on fold k;
    `held_out_start` and `held_out_correct` samples right before and after, each sample counted in the search that did
    not see it.
    """

    final: PromptSearchResult
    folds: np.ndarray
    gains: np.ndarray
    held_out_start: int
    held_out_correct: int


def search_cross_fitted(task: SearchTask, settings: SearchSettings, *, folds: int = 5, seed: int = 0) -> CrossFitResult:
    """Prompt search on a train split that keeps only what held-out folds confirm.

    1. One greedy search a fold, over the samples outside it.
    2. Each ends with a sentence a class; its gain on the fold held out is the objective with all that search's
       sentences less the objective with this class alone put back to the initial one.
    3. A class stays initial unless more folds gain by its sentences than lose. Otherwise the sentences whose own fold
       gained are confirmed.
    4. The greedy search runs over the whole split with the confirmed sentences for candidates.
    InputError for other than 2..N folds.
    """
    fold_of = stratified_folds(task.labels, folds=folds, seed=seed)
    searches = [GreedySearch(task, settings.objective, members=fold_of != k) for k in range(folds)]
    initial_scores = searches[0].scores.copy()
    sweep_classes(searches, task, task.candidates, settings)
    gains = np.stack([held_out_gains(search, initial_scores) for search in searches])
    confirmed = confirm(np.stack([search.choice for search in searches]), gains)
    final = _search_confirmed(task, settings, confirmed)
    held_out_counts = [
        [search.evaluate(scores, ~search.members)[0] for scores in (initial_scores, search.scores)]
        for search in searches
    ]
    start, correct = np.sum(held_out_counts, axis=0)
    return CrossFitResult(final, fold_of, gains, int(start), int(correct))


def stratified_folds(labels: np.ndarray, *, folds: int, seed: int) -> np.ndarray:
    """Fold i8 [N] of every sample: each class is spread evenly over the folds, in an order drawn by `seed`.

    sklearn's StratifiedKFold refuses labels of which every class has fewer samples than there are folds.
    """
    if not 2 <= folds <= len(labels):
        raise InputError(f"folds: {folds}, expected 2 to {len(labels)}, the number of samples")
    drawn = np.random.default_rng(seed).permutation(len(labels))
    by_class = drawn[np.argsort(labels[drawn], kind="stable")]
    fold_of = np.empty(len(labels), np.int64)
    fold_of[by_class] = np.arange(len(labels)) % folds
    return fold_of


def held_out_gains(search: GreedySearch, initial_scores: np.ndarray) -> np.ndarray:
    """Gains f8 [C] of each class's sentence over the initial one, on the samples that `search` did not see.

    `initial_scores` [N, C] are those of the initial sentences.
    """
    held_out = ~search.members
    value = search.evaluate(search.scores, held_out)[1]
    gains = np.zeros(len(search.choice))
    for c in np.flatnonzero(search.choice >= 0):
        put_back = search.scores.copy()
        put_back[:, c] = initial_scores[:, c]
        gains[c] = value - search.evaluate(put_back, held_out)[1]
    return gains


def confirm(choices: np.ndarray, gains: np.ndarray) -> list[np.ndarray]:
    """Confirmed candidates of each class, in order, from what each fold's search chose [K, C] and gained [K, C]."""
    gained, lost = gains > MARGIN, gains < -MARGIN
    agreed = gained.sum(axis=0) > lost.sum(axis=0)
    return [np.unique(choices[gained[:, c] & agreed[c], c]) for c in range(len(agreed))]


def _search_confirmed(task: SearchTask, settings: SearchSettings, confirmed: list[np.ndarray]) -> PromptSearchResult:
    """The search over the whole split with the confirmed candidates; its choice and trace count all candidates."""
    rows = np.concatenate([task.candidates.of_class(c)[places] for c, places in enumerate(confirmed)])
    offsets = np.concatenate([[0], np.cumsum([len(places) for places in confirmed])])
    fewer = Candidates(task.candidates.features, offsets, rows)
    greedy = GreedySearch(task, settings.objective, members=task.all_samples)
    sweep_classes([greedy], task, fewer, settings)
    result = greedy.result(fewer)
    choice = np.array([places[j] if j >= 0 else -1 for places, j in zip(confirmed, result.choice, strict=True)])
    trace = tuple(step._replace(candidate=int(confirmed[step.class_index][step.candidate])) for step in result.trace)
    return replace(result, choice=choice, trace=trace)
