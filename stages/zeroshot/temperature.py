"""Temperatures of the zero-shot classifier: how sharp its probabilities are, chosen by labels that are not scored.

A temperature divides logits (Guo et al. 2017, section 4.2), which is the same as dividing the view weights. N samples,
V views, C classes, K factors.
"""

import numpy as np
from scipy.special import log_softmax

from stages.artifacts.types import Features
from stages.config.evaluate import Temperature
from stages.core.errors import InputError
from stages.core.sampling import spread
from stages.zeroshot.classifier import class_logits
from stages.zeroshot.evaluation import Classifier

SHARPEST, SOFTEST = 1e-3, 1e3  # temperatures that are tried
MOST_SAMPLES = 16_384  # that choose them, evenly spread
WITHOUT_LABELS = ("none", "agreement")  # kinds that no label chooses


def calibrated(
    classifier: Classifier, *, kind: Temperature, labelled: Features | None, evaluated: Features
) -> Classifier:
    """The classifier with the temperatures of `kind`, chosen on `labelled`, or on `evaluated` without its labels.

    one: the same for all views, which changes no ranking, by the lowest negative log likelihood on `labelled`; by_view:
    one a view, which may be infinite; agreement: one, by how likely the other views hold what a view of an evaluated
    sample says; none: the classifier as it is. InputError where there is no sample.
    """
    if kind == "none":
        return classifier
    if kind == "agreement":
        return classifier._replace(view_weights=_agreeing(classifier, _some(evaluated)) * classifier.view_weights)
    if labelled is None or not len(labelled.labels):
        raise InputError("params.yaml: evaluate.temperature_split: no sample there, expected one or more")
    weights = np.asarray(classifier.view_weights, np.float64)
    groups = np.diag(weights) if kind == "by_view" else weights[None]
    labelled = _some(labelled)
    logits = [classifier._replace(view_weights=group).logits(labelled) for group in groups]
    return classifier._replace(view_weights=likeliest(np.stack(logits), labelled.labels) @ groups, labels_read="train")


def _some(features: Features) -> Features:
    samples = len(features.labels)
    return features if samples <= MOST_SAMPLES else features.rows(spread(samples, MOST_SAMPLES))


def _agreeing(classifier: Classifier, features: Features) -> float:
    """The factor by which the other views' logits tell best what each view says alone; 1 for a single view."""
    weights = np.asarray(classifier.view_weights, np.float64)
    if np.count_nonzero(weights) < 2:
        return 1.0
    left_out, said = [], []
    for view in np.flatnonzero(weights):
        alone = np.eye(len(weights))[view]
        others = weights * (1 - alone)
        scores = {"text": classifier.text, "logit_scale": features.logit_scale}
        said.append(class_logits(features.values, view_weights=alone, **scores).argmax(axis=1))
        left_out.append(class_logits(features.values, view_weights=others * weights.sum() / others.sum(), **scores))
    return float(likeliest(np.concatenate(left_out)[None], np.concatenate(said))[0])


def likeliest(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Factors f8 [K] whose sum of factor times `logits` [K, N, C] has the lowest negative log likelihood.

    A factor is a temperature's inverse: at least 1 / SOFTEST where it is the only one, else 0; at most 1 / SHARPEST.
    The loss is convex in them; where every sample is right it has no least value, and the search ends where it is flat.
    """
    from scipy.optimize import minimize  # here: it takes half a second, and stages that only classify do without it

    logits, samples, count = logits.astype(np.float64), np.arange(len(labels)), len(logits)

    def loss(factors: np.ndarray) -> tuple[float, np.ndarray]:
        logs = log_softmax(np.einsum("k,knc->nc", factors, logits), axis=1)
        excess = np.exp(logs)
        excess[samples, labels] -= 1
        return -logs[samples, labels].mean(), np.einsum("nc,knc->k", excess, logits) / len(labels)

    bounds = [(1 / SOFTEST if count == 1 else 0.0, 1 / SHARPEST)] * count
    return minimize(loss, np.ones(count), jac=True, method="L-BFGS-B", bounds=bounds).x
