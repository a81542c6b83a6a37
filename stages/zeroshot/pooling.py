"""How the views of one object become one decision, without labels and object by object.

N samples, V views, C classes. Scores f4 [N, V, C] are the views' logits; view weights f8 [V] sum to 1.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import entr, logsumexp, softmax

from stages.config.evaluate import ViewPooling
from stages.zeroshot.classifier import class_logits

LEAST = 1e-9  # weight of a view that has earned none, so that an object whose views all have none keeps their mean


def largest(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A class's largest score over the views that weigh anything, [N, C]."""
    return scores[:, weights > 0].max(axis=1)


def log_mean_exp(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The log of the weighted mean of exp(score), [N, C]: between the mean and the largest."""
    return logsumexp(scores, axis=1, b=weights[:, None])


def by_entropy(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean [N, C] in which a view weighs how certain it is: 1 less the entropy of its classes by its largest."""
    certainty = 1 - entr(softmax(scores, axis=2)).sum(axis=2) / np.log(max(scores.shape[2], 2))
    return _mean(scores, weights * (certainty + LEAST))


def by_agreement(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean [N, C] in which a view weighs how likely it and the mean of the others name the same class."""
    said = softmax(scores, axis=2)
    others = np.einsum("nvc,v->nc", said, weights)[:, None] - weights[:, None] * said
    return _mean(scores, weights * (np.einsum("nvc,nvc->nv", said, others) / np.maximum(1 - weights, LEAST) + LEAST))


POOLINGS: dict[ViewPooling, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "max": largest,
    "logsumexp": log_mean_exp,
    "entropy": by_entropy,
    "agreement": by_agreement,
}


def pooled_logits(
    features: np.ndarray, text: np.ndarray, *, view_weights: np.ndarray, logit_scale: float, pooling: ViewPooling
) -> np.ndarray:
    """Logits f4 [N, C] of `features` [N, V, D] against `text` [C, D]; what the weights sum to multiplies them.

    Pooling mean is `class_logits`, PointCLIP's.
    """
    if pooling == "mean":
        return class_logits(features, text, view_weights=view_weights, logit_scale=logit_scale)
    weights = np.asarray(view_weights, np.float64)
    scores = np.float32(logit_scale) * features @ text.T
    return (weights.sum() * POOLINGS[pooling](scores, weights / weights.sum())).astype(np.float32)


def _mean(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean [N, C] of scores [N, V, C] with weights [N, V] of any sum."""
    return np.einsum("nvc,nv->nc", scores, weights / weights.sum(axis=1, keepdims=True))
