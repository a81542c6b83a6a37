"""Sentences and view weights without any label: what agrees, with confidence, across the views of the same object.

N samples, V views, D embedding, C classes, T candidates of all classes.

The rule. Each class starts as the average of all its candidates; p[v, n] is the class distribution of view v of
sample n.
1. A view weighs its agreement with the other views beyond chance: Cohen's kappa (1960) on probabilities, so that
   confidence counts, and a view that always says the same gains nothing. Where errors are independent, agreement
   estimates accuracy without labels (Platanios et al. 2014); views of one object are only roughly so.
2. The consensus q[n, c] is the weighted mean of p over views. It is near 0 or 1 only where views agree and are
   confident: its entropy is the sum of the views' own doubt and of their disagreement (the split that BALD uses,
   Houlsby et al. 2011).
3. A sentence is worth the correlation over samples of its score with the consensus of its class. As in zero-shot
   prompt ensembling (Allingham et al. 2023) a sentence is weighed by its scores on unlabelled images after its bias is
   taken off, since one that is high for everything says nothing; here its spread is taken off too.
4. The best share of each class's sentences is averaged.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from stages.core.blocks import in_blocks
from stages.core.errors import InputError
from stages.core.text import ensemble
from stages.prompt_search.candidates import (
    Candidates,
    candidates_at_once,
    similarity,
    unit_text,
    view_similarity,
    weighted_features,
)


@dataclass(frozen=True)
class LabelFreeResult:
    """What the rule picks.

    text f4 [C, D] of unit norm; view weights f4 [V] of mean 1; kept i8 per class: its candidates, best first; worth
    f4 [T] of every candidate, -1..1.
    """

    text: np.ndarray
    view_weights: np.ndarray
    kept: tuple[np.ndarray, ...]
    worth: np.ndarray


def choose_label_free(
    features: np.ndarray, *, candidates: Candidates, logit_scale: float = 100.0, keep_fraction: float = 0.25
) -> LabelFreeResult:
    """Sentences and view weights by the module's rule from unlabelled `features` f4 [N, V, D].

    The share `keep_fraction` of each class's candidates is averaged, at least one (ties: the earlier). It takes no
    labels, so it may look at any split. InputError on an empty split, features that are not finite, a class without
    candidates.
    """
    candidates.require_all()
    if not 0 < keep_fraction <= 1:
        raise InputError(f"label free: keep_fraction {keep_fraction}, expected above 0 and at most 1")
    all_averaged = average_candidates(candidates, tuple(np.arange(count) for count in np.diff(candidates.offsets)))
    by_view = view_probabilities(features, text=all_averaged, logit_scale=logit_scale)
    view_weights = view_agreement(by_view)
    consensus = np.einsum("vnc,v->nc", by_view, view_weights / view_weights.sum())
    weighted = weighted_features(features, view_weights=view_weights)
    worth = [
        _worth(weighted, candidates.features[candidates.of_class(c)], consensus[:, c])
        for c in range(candidates.classes)
    ]
    kept = tuple(
        np.argsort(-of_class, kind="stable")[: max(1, round(keep_fraction * len(of_class)))] for of_class in worth
    )
    return LabelFreeResult(average_candidates(candidates, kept), view_weights, kept, np.concatenate(worth))


def average_candidates(candidates: Candidates, kept: tuple[np.ndarray, ...]) -> np.ndarray:
    """Text features f4 [C, D]: the kept candidates of each class, normalised, averaged and normalised again."""
    by_class = [
        unit_text(candidates.features[candidates.of_class(c)[places]], source=f"candidates of class {c}")
        for c, places in enumerate(kept)
    ]
    ends = np.cumsum([len(features) for features in by_class])
    return ensemble(np.concatenate(by_class), np.split(np.arange(ends[-1]), ends[:-1]))


def view_probabilities(features: np.ndarray, *, text: np.ndarray, logit_scale: float) -> np.ndarray:
    """Softmax f4 [V, N, C] of each view's own logits."""
    return softmax(np.float32(logit_scale) * view_similarity(features, text=text), axis=2)


def view_agreement(by_view: np.ndarray) -> np.ndarray:
    """View weights f4 [V] of mean 1: kappa of each view's probabilities [V, N, C] with the mean of the other views'.

    Kappa is (agreement - chance) / (1 - chance), below 0 counted as 0; chance is the agreement of their mean
    distributions over classes. All 1 when no view agrees with another, or there is one view.
    """
    views = len(by_view)
    if views == 1:
        return np.ones(1, np.float32)
    others = (by_view.sum(axis=0) - by_view) / (views - 1)
    agreement = np.einsum("vnc,vnc->v", by_view, others) / by_view.shape[1]
    chance = np.einsum("vc,vc->v", by_view.mean(axis=1), others.mean(axis=1))
    kappa = np.maximum(0, (agreement - chance) / np.maximum(1 - chance, 1e-6))
    return (kappa / kappa.mean()).astype(np.float32) if kappa.any() else np.ones(views, np.float32)


def _worth(weighted: np.ndarray, sentences: np.ndarray, consensus: np.ndarray) -> np.ndarray:
    """Correlation f4 [M] over samples of each sentence's score with the consensus [N] of its class; 0 if constant."""
    belief = consensus - consensus.mean()

    def worth(some: np.ndarray) -> np.ndarray:
        scores = similarity(weighted, unit_text(some, source="candidates"))
        centred = scores - scores.mean(axis=0)
        spread = np.linalg.norm(centred, axis=0) * np.linalg.norm(belief)
        return np.divide(belief @ centred, spread, out=np.zeros_like(spread), where=spread > 0).astype(np.float32)

    return in_blocks(worth, sentences, block=candidates_at_once(len(weighted)))
