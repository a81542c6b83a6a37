"""Whether an object is of none of the classes it is offered: scores of an object being known, and a threshold.

Every class is left out once, with the others of its fold; its objects should then be refused, and the others' kept. N
samples, V views, D embedding, C classes.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from stages.artifacts.figures import NoneOfTheseFigures
from stages.artifacts.types import Features
from stages.config.evaluate import Evaluate, NoneOfThese
from stages.core.blocks import blocks
from stages.zeroshot.evaluation import Classifier, best_classes
from stages.zeroshot.metrics import bootstrap_interval

LET_THROUGH = tuple(range(0, 101, 5))  # percent of the left-out objects, at which the curve is noted
PLAIN = "probability"


def probability(features: Features, classifier: Classifier) -> np.ndarray:
    """Probability f4 [N] of the best class (Hendrycks and Gimpel 2017)."""
    return softmax(classifier.logits(features), axis=1).max(axis=1)


def matching(features: Features, classifier: Classifier) -> np.ndarray:
    """The same with logit scale 1, of cosines alone: maximum concept matching (Ming et al. 2022)."""
    return softmax(classifier.logits(features) / np.float32(features.logit_scale), axis=1).max(axis=1)


def similarity(features: Features, classifier: Classifier) -> np.ndarray:
    """Largest logit f4 [N] (Hendrycks et al. 2022): how near the best class is, whatever the others are."""
    return classifier.logits(features).max(axis=1)


def agreement(features: Features, classifier: Classifier) -> np.ndarray:
    """Mean over views f4 [N] of the probability that each gives to the class that all together name."""
    best = best_classes(features, classifier)
    by_view = softmax(np.float32(features.logit_scale) * features.values @ classifier.text.T, axis=2)
    return np.take_along_axis(by_view, best[:, None, None], axis=2)[..., 0].mean(axis=1)


SCORES: dict[str, Callable[[Features, Classifier], np.ndarray]] = {
    PLAIN: probability,
    "matching": matching,
    "similarity": similarity,
    "agreement": agreement,
}


class _Fold(NamedTuple):
    """Scores of the known samples and of the left-out ones, and those of the known labelled ones."""

    known: np.ndarray
    left_out: np.ndarray
    labelled: np.ndarray


def none_of_these(
    features: Features, classifier: Classifier, *, labelled: Features | None, config: Evaluate
) -> dict[str, NoneOfTheseFigures]:
    """How well each score of SCORES tells known objects from left-out ones; empty where no fold has both, or no label.

    The threshold keeps the share `none_of_these.keep` of the known objects of `labelled`; `features` choose nothing.
    """
    chances, figures = {}, {}
    if labelled is None:
        return {}
    for name, score in SCORES.items():
        folds = list(_folds(features, classifier, labelled=labelled, score=score, config=config.none_of_these))
        if not folds:
            return {}
        chances[name] = np.concatenate([ranked_below(fold.left_out, fold.known) for fold in folds])
        low, high = _interval(chances[name], config)
        gain_low, gain_high = _interval(chances[name] - chances[PLAIN], config)
        kept, refused = _by_threshold(folds, keep=config.none_of_these.keep)
        figures[name] = NoneOfTheseFigures(
            auroc=_percent(chances[name].mean()),
            auroc_low=low,
            auroc_high=high,
            auroc_gain_low=gain_low,
            auroc_gain_high=gain_high,
            kept=kept,
            refused=refused,
            curve=_curve(folds),
        )
    return figures


def ranked_below(left_out: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Share f8 of `known` scores [K] above each of `left_out` [M], a tie counting half; its mean is the AUROC."""
    ordered = np.sort(known)
    at_most, below = np.searchsorted(ordered, left_out, "right"), np.searchsorted(ordered, left_out, "left")
    return 1 - (at_most + below) / (2 * len(known))


def class_folds(classes: int, *, folds: int, seed: int) -> list[np.ndarray]:
    """The classes 0..`classes` - 1 in `folds` groups of about the same size, shuffled by the seed; at most one each."""
    return np.array_split(np.random.default_rng(seed).permutation(classes), min(folds, classes))


def _folds(
    features: Features, classifier: Classifier, *, labelled: Features, score: Callable, config: NoneOfThese
) -> Iterator[_Fold]:
    """The scores of every fold that leaves classes, known samples of both splits and left-out ones."""
    classes = len(classifier.text)
    for hidden in class_folds(classes, folds=config.folds, seed=config.seed):
        offered = np.setdiff1d(np.arange(classes), hidden)
        if not len(offered):
            continue
        among = classifier._replace(text=classifier.text[offered])
        is_known, labelled_known = np.isin(features.labels, offered), np.isin(labelled.labels, offered)
        scores, labelled_scores = (_in_blocks(score, split, among) for split in (features, labelled))
        fold = _Fold(scores[is_known], scores[~is_known], labelled_scores[labelled_known])
        if all(map(len, fold)):
            yield fold


def _in_blocks(score: Callable, features: Features, classifier: Classifier) -> np.ndarray:
    return np.concatenate([score(features.rows(rows), classifier) for rows in blocks(len(features.labels))])


def _by_threshold(folds: list[_Fold], *, keep: float) -> tuple[float, float]:
    """Percent of the known samples kept and of the left-out ones refused, by each fold's threshold, over all folds."""
    kept, refused = [], []
    for fold in folds:
        threshold = np.quantile(fold.labelled, 1 - keep)
        kept.append(fold.known >= threshold)
        refused.append(fold.left_out < threshold)
    return _percent(np.concatenate(kept).mean()), _percent(np.concatenate(refused).mean())


def _curve(folds: list[_Fold]) -> dict[int, float]:
    """Percent of the known samples kept where so many percent of the left-out ones are let through, mean over folds."""
    from sklearn.metrics import roc_curve  # here: it takes a second

    curves = []
    for fold in folds:
        known = np.repeat([True, False], [len(fold.known), len(fold.left_out)])
        let_through, kept, _ = roc_curve(known, np.concatenate([fold.known, fold.left_out]))
        curves.append(np.interp(np.array(LET_THROUGH) / 100, let_through, kept))
    return {share: _percent(kept) for share, kept in zip(LET_THROUGH, np.mean(curves, axis=0), strict=True)}


def _interval(values: np.ndarray, config: Evaluate) -> tuple[float, float]:
    low, high = bootstrap_interval(values, samples=config.bootstrap_samples, seed=config.bootstrap_seed)
    return _percent(low), _percent(high)


def _percent(share: float) -> float:
    return round(100 * float(share), 2)
