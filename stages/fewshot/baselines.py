"""The baselines that need no gradient steps through a network: the cache model and the linear probe.

Every number they leave open is chosen by the loss on the validation set.
"""

import itertools
import math

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax
from torch import Tensor
from torch.nn.functional import cross_entropy

from stages.fewshot.classifiers import CacheClassifier, LinearClassifier, ZeroShot, cache_keys
from stages.fewshot.training import Labelled, predict

# Of CLIP's logit scale: Tip-Adapter's alpha of 1 to 3 is made for a logit scale of 100.
ALPHAS = tuple(np.geomspace(0.003, 1, 8))
BETAS = (1.0, 2.0, 4.0, 5.5, 8.0, 12.0, 20.0)
PENALTIES = tuple(np.geomspace(1e-4, 1e3, 8)[::-1])


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
    """Softmax regression on the features of all views, its ridge penalty chosen by the one-standard-error rule.

    From `zero` it is CLIP's linear probe; from `text` it is added to the zero-shot logits and has no bias, so that the
    penalty draws it to the zero-shot classifier instead of to nothing.
    """
    beside = zero_shot if start == "text" else None
    features = zero_shot.logit_scale * cache_keys(support.inputs).double().cpu().numpy()
    offset = zero_shot.logits(support.inputs).double().cpu().numpy() if beside else 0.0
    # the solution lies in the span of the support set: as many unknowns a class as samples, whatever the width
    basis, singular, rotation = np.linalg.svd(features, full_matrices=False)
    reduced, found, models = basis * singular, np.zeros((len(zero_shot.text), len(singular) + 1)), []
    for penalty in PENALTIES:  # from the strongest, each starting at the one before
        found = _regress(reduced, support.labels.cpu().numpy(), offset, penalty, found, biased=beside is None)
        weight = zero_shot.logit_scale * found[:, :-1] @ rotation
        tensors = (torch.from_numpy(part).float().to(support.inputs.device) for part in (weight, found[:, -1]))
        models.append(LinearClassifier(*tensors, beside))
    return models[within_one_error(torch.stack([validation_losses(model, validation) for model in models]))]


def within_one_error(losses: Tensor) -> int:
    """The first row of losses [K, N] of the same N samples that is as good as the best by what they can tell.

    Its mean is above the lowest by no more than the standard error of the difference (Breiman's rule, paired): with
    rows from the simplest model on, a few samples that happen to agree do not buy a complicated one.
    """
    excess = losses - losses[losses.mean(1).argmin()]
    error = excess.std(1, correction=0) / math.sqrt(losses.shape[1])
    return int((excess.mean(1) <= error).nonzero()[0])


def validation_losses(model: torch.nn.Module, validation: Labelled) -> Tensor:
    """Cross entropy f4 [N] of every sample of the validation set."""
    logits = predict(model, validation.inputs, at_once=len(validation.labels))
    return cross_entropy(logits, validation.labels, reduction="none").cpu()


def _loss_with(model: CacheClassifier, choice: tuple[float, float], validation: Labelled) -> float:
    for scalar, value in zip((model.alpha, model.beta), choice, strict=True):
        scalar.fill_(value)
    return validation_losses(model, validation).mean().item()


def _regress(
    features: np.ndarray, labels: np.ndarray, offset, penalty: float, start: np.ndarray, *, biased: bool
) -> np.ndarray:
    """Weights and bias f8 [C, R + 1] of features f8 [S, R] that minimise the mean loss + penalty / 2 |weights|^2.

    The bias is 0 where none is asked for.
    """
    extended = np.column_stack([features, np.full(len(features), float(biased))])
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
