"""Prompt search that is honest on the split it searches: a sentence stays only where held-out folds agree.

N samples, C classes, K folds.
"""

from dataclasses import dataclass

import numpy as np

from stages.core.errors import InputError
from stages.prompt_search.candidates import Candidates
from stages.prompt_search.greedy import MARGIN, MEMORY, Objective, Problem, PromptChoice, Run, sweep_classes


@dataclass(frozen=True)
class CrossFitChoice:
    """What cross-fitting ends with.

    `found` is the last search, over the whole split and the confirmed sentences (its counts are theirs); folds i8 [N];
    gains f8 [K, C]: what the sentence found for a class without fold k adds to the objective on fold k;
    `held_out_start` and `held_out_correct` samples right, each judged by the search that did not see it, before and
    after.
    """

    found: PromptChoice
    folds: np.ndarray
    gains: np.ndarray
    held_out_start: int
    held_out_correct: int


def search_cross_fitted(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    candidates: Candidates,
    initial: np.ndarray,
    view_weights: np.ndarray,
    folds: int = 5,
    seed: int = 0,
    sweeps: int = 2,
    objective: Objective = "accuracy",
    logit_scale: float = 100.0,
    memory: int = MEMORY,
) -> CrossFitChoice:
    """Prompt search on a train split, features [N, V, D] and labels [N], that keeps what held-out folds confirm.

    1. One greedy search a fold, over the samples outside it.
    2. Each ends with a sentence a class; its gain on the fold held out is the objective with all that search's
       sentences less the objective with this class alone put back to the initial one.
    3. A class stays initial unless more folds gain by its sentences than lose. Otherwise the sentences whose own fold
       gained are confirmed.
    4. The greedy search runs over the whole split with the confirmed sentences for candidates.
    The arguments and errors are those of `search_prompts`; InputError also for other than 2..N folds.
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
    fold_of = stratified_folds(problem.labels, folds=folds, seed=seed)
    runs = [Run(problem, members=fold_of != k) for k in range(folds)]
    sweep_classes(runs, problem, candidates, sweeps=sweeps, memory=memory)
    before = Run(problem, members=np.ones(len(problem.labels), bool)).scores
    gains = np.stack([held_out_gains(run, before) for run in runs])
    confirmed = confirm(np.stack([run.choice for run in runs]), gains)
    found = _search_confirmed(problem, candidates, confirmed, sweeps=sweeps, memory=memory)
    judged = [(run.judge(before, ~run.members)[0], run.judge(run.scores, ~run.members)[0]) for run in runs]
    start, correct = np.sum(judged, axis=0)
    return CrossFitChoice(found, fold_of, gains, int(start), int(correct))


def stratified_folds(labels: np.ndarray, *, folds: int, seed: int) -> np.ndarray:
    """Fold i8 [N] of every sample: each class is dealt out evenly, in an order drawn by `seed`."""
    if not 2 <= folds <= len(labels):
        raise InputError(f"folds: {folds}, expected 2 to {len(labels)}, the number of samples")
    drawn = np.random.default_rng(seed).permutation(len(labels))
    by_class = drawn[np.argsort(labels[drawn], kind="stable")]
    fold_of = np.empty(len(labels), np.int64)
    fold_of[by_class] = np.arange(len(labels)) % folds
    return fold_of


def held_out_gains(run: Run, before: np.ndarray) -> np.ndarray:
    """Gains f8 [C] of each class's sentence over the one in `before` [N, C], on the samples that `run` did not see."""
    held_out = ~run.members
    value = run.judge(run.scores, held_out)[1]
    gains = np.zeros(len(run.choice))
    for c in np.flatnonzero(run.choice >= 0):
        put_back = run.scores.copy()
        put_back[:, c] = before[:, c]
        gains[c] = value - run.judge(put_back, held_out)[1]
    return gains


def confirm(choices: np.ndarray, gains: np.ndarray) -> list[np.ndarray]:
    """Confirmed candidates of each class, in order, from what each fold's search chose [K, C] and gained [K, C]."""
    gained, lost = gains > MARGIN, gains < -MARGIN
    agreed = gained.sum(axis=0) > lost.sum(axis=0)
    return [np.unique(choices[gained[:, c] & agreed[c], c]) for c in range(len(agreed))]


def _search_confirmed(
    problem: Problem, candidates: Candidates, confirmed: list[np.ndarray], *, sweeps: int, memory: int
) -> PromptChoice:
    """The search over the whole split with the confirmed candidates, in terms of all candidates."""
    rows = np.concatenate([candidates.of_class(c)[few] for c, few in enumerate(confirmed)])
    few_offsets = np.concatenate([[0], np.cumsum([len(few) for few in confirmed])])
    fewer = Candidates(candidates.features, few_offsets, rows)
    run = Run(problem, members=np.ones(len(problem.labels), bool))
    sweep_classes([run], problem, fewer, sweeps=sweeps, memory=memory)
    found = run.result(fewer)
    choice = np.array([few[j] if j >= 0 else -1 for few, j in zip(confirmed, found.choice, strict=True)])
    trace = tuple(step._replace(candidate=int(confirmed[step.class_index][step.candidate])) for step in found.trace)
    return PromptChoice(
        choice, found.text, found.start, found.correct, found.start_value, found.value, trace, found.counts
    )
