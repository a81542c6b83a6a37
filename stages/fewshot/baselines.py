"""The baselines that need no gradient steps through a network: cache model, linear probe, Gaussian discriminant.

Their hyperparameters are chosen on the validation set. N samples of it, S of the support set, C classes.
"""

import math
from itertools import product

import numpy as np
import torch
from scipy.special import log_softmax
from torch import Tensor
from torch.nn.functional import cross_entropy

from stages.fewshot.classifiers import CacheClassifier, LinearClassifier, ZeroShot, cache_keys
from stages.fewshot.training import Labelled, predict

# Of CLIP's logit scale: Tip-Adapter's alpha of 1 to 3 is made for a logit scale of 100.
ALPHAS = tuple(np.geomspace(0.003, 1, 8).tolist())
BETAS = (1.0, 2.0, 4.0, 5.5, 8.0, 12.0, 20.0)
START_ALPHA, START_BETA = 0.05, 1.0  # Tip-Adapter-F is trained with: as released for FGVC, whose alpha is 5
PENALTIES = tuple(np.geomspace(1e3, 1e-4, 8).tolist())
GAUSSIAN_ALPHAS = (1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0, 100.0)  # as released


def tip_adapter(support: Labelled, validation: Labelled, zero_shot: ZeroShot) -> CacheClassifier:
    """The cache model, its alpha and beta chosen by `weigh_cache`."""
    model = CacheClassifier(support.inputs, support.labels, zero_shot, alpha=0.0, beta=0.0, trained=False)
    weigh_cache(model, validation)
    return model


def tip_adapter_f(support: Labelled, zero_shot: ZeroShot) -> CacheClassifier:
    """The cache model with keys to train; as published, `weigh_cache` chooses alpha and beta after the training."""
    alpha = START_ALPHA * zero_shot.logit_scale
    return CacheClassifier(support.inputs, support.labels, zero_shot, alpha=alpha, beta=START_BETA, trained=True)


@torch.no_grad()
def weigh_cache(model: CacheClassifier, validation: Labelled) -> None:
    """Set alpha and beta to those of the best validation accuracy, as published, and of equals to the lowest loss."""
    zero_shot, labels = model.zero_shot, validation.labels
    start, affinity = zero_shot.logits(validation.inputs), model.affinity(validation.inputs)

    def errors_and_loss(pair: tuple[float, float]) -> tuple[int, float]:
        alpha, beta = pair
        logits = start + alpha * model.cache_logits(affinity, beta)
        return int((logits.argmax(1) != labels).sum()), cross_entropy(logits, labels).item()

    alpha, beta = min(product([zero_shot.logit_scale * share for share in ALPHAS], BETAS), key=errors_and_loss)
    model.alpha.fill_(alpha)
    model.beta.fill_(beta)


def linear_probe(support: Labelled, validation: Labelled, zero_shot: ZeroShot, *, start: str) -> LinearClassifier:
    """Softmax regression on the features of all views, its ridge penalty chosen by the one-standard-error rule.

    With `start` zero it is CLIP's linear probe. With text it is added to the zero-shot logits and has no bias, so that
    the penalty shrinks it towards the zero-shot classifier.
    """
    added_to = zero_shot if start == "text" else None
    features = zero_shot.logit_scale * cache_keys(support.inputs).double().cpu().numpy()
    offset = zero_shot.logits(support.inputs).double().cpu().numpy() if added_to else 0.0
    # the solution is a combination of the support features: S unknowns a class, whatever the width of a feature
    basis, singular, rotation = np.linalg.svd(features, full_matrices=False)
    reduced, labels = basis * singular, support.labels.cpu().numpy()
    solution, models = np.zeros((len(zero_shot.text), len(singular) + 1)), []
    for penalty in PENALTIES:  # from the strongest, each starting at the solution before
        solution = _regress(reduced, labels, offset, penalty, solution, biased=added_to is None)
        weight = zero_shot.logit_scale * solution[:, :-1] @ rotation
        tensors = (torch.from_numpy(part).float().to(support.inputs.device) for part in (weight, solution[:, -1]))
        models.append(LinearClassifier(*tensors, added_to))
    losses = torch.stack([_sample_losses(model, validation) for model in models])
    return models[within_one_error(losses)]


def gaussian_discriminant(support: Labelled, validation: Labelled, zero_shot: ZeroShot) -> LinearClassifier:
    """Zero-shot logits + alpha times the log odds of Gaussian classes of one covariance (Wang et al., ICLR 2024).

    The views are the samples that mean and covariance are estimated from, as there the augmentations of an image, so
    that one shot gives a covariance; an object's log odds are the weighted mean over its views. Alpha has the lowest
    validation loss of the released values.
    """
    views = support.inputs.shape[1]
    samples = support.inputs.flatten(0, 1).double().cpu().numpy()
    labels = support.labels.repeat_interleave(views).cpu().numpy()
    parts = discriminant(samples, labels)
    coefficients, bias = (torch.from_numpy(part).float().to(support.inputs.device) for part in parts)
    weight = math.sqrt(views) * (zero_shot.view_weights[:, None] * coefficients[:, None]).flatten(1)  # of `cache_keys`
    models = [LinearClassifier(alpha * weight, alpha * bias, zero_shot) for alpha in GAUSSIAN_ALPHAS]
    losses = torch.stack([_sample_losses(model, validation) for model in models])
    return models[int(losses.mean(1).argmin())]


def discriminant(samples: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients f8 [C, D] and bias f8 [C] of equally likely Gaussian classes from `samples` f8 [S, D], labels [S].

    The precision is the empirical Bayes ridge estimate D ((S - 1) K + tr(K) I)^-1 of the covariance K about the class
    means (Kubokawa and Srivastava 2008). It is S - 1 over S times a shrinkage, times the inverse of the covariance that
    is shrunk by it. Every label 0..C - 1 must occur. sklearn's LinearDiscriminantAnalysis would shrink alike, but gives
    two classes one row, and weighs their covariances by priors.
    """
    from sklearn.covariance import empirical_covariance, shrunk_covariance  # here: it takes a second

    means = np.stack([samples[labels == label].mean(0) for label in range(labels.max() + 1)])
    count, width = samples.shape
    shrinkage = width / (count - 1 + width)
    covariance = empirical_covariance(samples - means[labels], assume_centered=True)
    precision = np.linalg.pinv(shrunk_covariance(covariance, shrinkage=shrinkage), hermitian=True)
    coefficients = shrinkage * (count - 1) / count * means @ precision
    return coefficients, -(coefficients * means).sum(1) / 2


def within_one_error(losses: Tensor) -> int:
    """The first row of losses [K, N] of the same N samples that is within one standard error of the best row.

    Its mean exceeds the lowest by no more than the standard error of the paired difference (Breiman's rule): with rows
    ordered from the simplest model on, a few lucky samples do not select a complicated one.
    """
    excess = losses - losses[losses.mean(1).argmin()]
    error = excess.std(1, correction=0) / math.sqrt(losses.shape[1])
    return int((excess.mean(1) <= error).nonzero()[0])


def _sample_losses(model: torch.nn.Module, validation: Labelled) -> Tensor:
    """Cross entropy f4 [N] of every sample of the validation set."""
    logits = predict(model, validation.inputs, batch_size=len(validation.labels))
    return cross_entropy(logits, validation.labels, reduction="none").cpu()


def _regress(
    features: np.ndarray, labels: np.ndarray, offset, penalty: float, start: np.ndarray, *, biased: bool
) -> np.ndarray:
    """Weights and bias f8 [C, R + 1] that minimise the mean loss on features f8 [S, R] + penalty / 2 |weights|^2.

    The bias is 0 unless `biased`.
    """
    extended = np.column_stack([features, np.full(len(features), float(biased))])
    target = np.eye(len(start))[labels]

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        matrix = flat.reshape(start.shape)
        logs = log_softmax(extended @ matrix.T + offset, axis=1)
        ridge = penalty * np.column_stack([matrix[:, :-1], np.zeros(len(matrix))])
        gradient = (np.exp(logs) - target).T @ extended / len(labels) + ridge
        return -(logs * target).sum() / len(labels) + (ridge * matrix).sum() / 2, gradient.ravel()

    from scipy.optimize import minimize  # here: it takes half a second, and the other methods do without it

    return minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 100}).x.reshape(
        start.shape
    )
