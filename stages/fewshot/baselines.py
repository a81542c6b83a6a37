"""The baselines that need no gradient steps through a network: the cache model and the linear probe.

Every number they leave open is chosen by the loss on the validation set.
"""

import itertools

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax

from stages.fewshot.classifiers import CacheClassifier, LinearClassifier, ZeroShot, cache_keys
from stages.fewshot.losses import smoothed_cross_entropy
from stages.fewshot.training import Labelled, predict

# Of CLIP's logit scale: Tip-Adapter's alpha of 1 to 3 is made for a logit scale of 100.
ALPHAS = tuple(np.geomspace(0.003, 1, 8))
BETAS = (1.0, 2.0, 4.0, 5.5, 8.0, 12.0, 20.0)
PENALTIES = tuple(np.geomspace(1e-4, 10, 6)[::-1])


def tip_adapter(
    support: Labelled, validation: Labelled, zero_shot: ZeroShot, *, trained: bool = False
) -> CacheClassifier:
    """The cache model with the alpha and beta of the lowest validation loss; `trained` leaves its keys to be learnt."""
    model = CacheClassifier(support.inputs, support.labels, zero_shot, alpha=0.0, beta=0.0, trained=trained)
    choices = itertools.product((zero_shot.logit_scale * alpha for alpha in ALPHAS), BETAS)
    losses = {choice: _loss_with(model, choice, validation) for choice in choices}
    _loss_with(model, min(losses, key=losses.get), validation)
    return model


def linear_probe(support: Labelled, validation: Labelled, zero_shot: ZeroShot, *, start: str) -> LinearClassifier:
    """Softmax regression on the features of all views, with the ridge penalty of the lowest validation loss.

    From `zero` it is CLIP's linear probe; from `text` it is added to the zero-shot logits, so that the penalty draws it
    to the zero-shot classifier instead of to nothing.
    """
    beside = zero_shot if start == "text" else None
    features = zero_shot.logit_scale * cache_keys(support.inputs).double().cpu().numpy()
    offset = zero_shot.logits(support.inputs).double().cpu().numpy() if beside else 0.0
    classes, best, least = len(zero_shot.text), None, np.inf
    # the solution lies in the span of the support set: as many unknowns a class as samples, whatever the width
    basis, singular, rotation = np.linalg.svd(features, full_matrices=False)
    reduced, found = basis * singular, np.zeros((classes, len(singular) + 1))
    for penalty in PENALTIES:  # from the strongest, each starting at the one before
        found = _regress(reduced, support.labels.cpu().numpy(), offset, penalty, found)
        weight = zero_shot.logit_scale * found[:, :-1] @ rotation
        tensors = (torch.from_numpy(part).float().to(support.inputs.device) for part in (weight, found[:, -1]))
        model = LinearClassifier(*tensors, beside)
        loss = validation_loss(model, validation)
        if loss < least:
            best, least = model, loss
    return best


def validation_loss(model: torch.nn.Module, validation: Labelled) -> float:
    """Cross entropy on the validation set."""
    logits = predict(model, validation.inputs, at_once=len(validation.labels))
    return smoothed_cross_entropy(logits, validation.labels, smoothing=0.0).item()


def _loss_with(model: CacheClassifier, choice: tuple[float, float], validation: Labelled) -> float:
    for scalar, value in zip((model.alpha, model.beta), choice, strict=True):
        scalar.fill_(value)
    return validation_loss(model, validation)


def _regress(features: np.ndarray, labels: np.ndarray, offset, penalty: float, start: np.ndarray) -> np.ndarray:
    """Weights and bias f8 [C, R + 1] of features f8 [S, R] that minimise the mean loss + penalty / 2 |weights|^2."""
    extended = np.column_stack([features, np.ones(len(features))])
    target = np.eye(len(start))[labels]

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        matrix = flat.reshape(start.shape)
        logs = log_softmax(extended @ matrix.T + offset, axis=1)
        ridge = penalty * np.column_stack([matrix[:, :-1], np.zeros(len(matrix))])
        gradient = (np.exp(logs) - target).T @ extended / len(labels) + ridge
        return -(logs * target).sum() / len(labels) + (ridge * matrix).sum() / 2, gradient.ravel()

    return minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 100}).x.reshape(
        start.shape
    )
