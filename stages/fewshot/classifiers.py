"""Models of depth-map features or point clouds -> class logits; their state holds the trained tensors alone.

N samples, V views, D embedding, C classes, S support samples, P points.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from stages.fewshot.smoothing import LearnableSmoothing
from stages.projection.differentiable import render
from stages.projection.presets import Projection

SAME = 1 - 1e-5  # the cosine from which two features are of one sample: f4 rounds by less


class ZeroShot(NamedTuple):
    """The classifier that every method starts from: text f4 [C, D], view weights f4 [V] that sum to 1, logit scale."""

    text: Tensor
    view_weights: Tensor
    logit_scale: float

    def logits(self, features: Tensor) -> Tensor:
        """Logits [N, C] of features [N, V, D] (PointCLIP V2, eq. 3)."""
        return self.logit_scale * self.weighted(features) @ self.text.T

    def weighted(self, features: Tensor) -> Tensor:
        """The sum [N, D] over views of view weight times `features` [N, V, D]."""
        return torch.einsum("nvd,v->nd", features, self.view_weights)


class TextClassifier(nn.Module, ABC):
    """A classifier whose logits are products with the text: other sentences can be tried once it is trained."""

    @abstractmethod
    def features(self, inputs: Tensor) -> Tensor:
        """One feature [N, D] a sample: its products with the text features, times the logit scale, are the logits."""


class AdapterClassifier(TextClassifier):
    """Zero-shot logits of adapted features, which are scaled to unit norm on average over the views.

    In training, normal noise of `noise` times a feature's length is added to it, and its length is restored: an image
    tower that was itself trained on the support set classifies it without error, which leaves the adapter no gradient.
    """

    def __init__(self, adapter: nn.Module, zero_shot: ZeroShot, *, noise: float = 0.0):
        super().__init__()
        self.adapter, self.zero_shot, self.noise = adapter, zero_shot, noise

    def forward(self, features: Tensor) -> Tensor:
        """Logits [N, C] of features [N, V, D]."""
        if self.training and self.noise:
            noise = torch.randn_like(features) * (self.noise / math.sqrt(features.shape[2]))
            features = normalize(features + noise, dim=2)
        adapted = self.adapter(features)
        return _to_unit_norm(adapted) * self.zero_shot.logits(adapted)

    def features(self, inputs: Tensor) -> Tensor:
        """The view-weighted sum [N, D] of the adapted features."""
        adapted = self.adapter(inputs)
        return _to_unit_norm(adapted) * self.zero_shot.weighted(adapted)


class CacheClassifier(nn.Module):
    """Tip-Adapter: zero-shot logits + alpha exp(-beta (1 - affinity)) L over the support set, L its one-hot labels.

    Affinity is the cosine of the features of all views together. With `trained` the keys [S, V·D] are parameters
    (Tip-Adapter-F), and in training a support sample is classified without its own key: the published code crops every
    image anew, but a stored feature equals its key, which gives it its label and leaves the loss no gradient.
    """

    def __init__(
        self, support: Tensor, labels: Tensor, zero_shot: ZeroShot, *, alpha: float, beta: float, trained: bool
    ):
        super().__init__()
        self.keys = nn.Parameter(cache_keys(support), requires_grad=trained)
        self.register_buffer("values", nn.functional.one_hot(labels, len(zero_shot.text)).float())
        self.register_buffer("support", self.keys.detach().clone(), persistent=False)
        self.register_buffer("alpha", torch.tensor(alpha, device=support.device))
        self.register_buffer("beta", torch.tensor(beta, device=support.device))
        self.zero_shot = zero_shot

    def forward(self, features: Tensor) -> Tensor:
        """Logits [N, C] of features [N, V, D]."""
        affinity = self.affinity(features)
        if self.training:
            own = cache_keys(features) @ self.support.T > SAME
            affinity = affinity.masked_fill(own, -math.inf)
        return self.zero_shot.logits(features) + self.alpha * self.cache_logits(affinity, self.beta)

    def affinity(self, features: Tensor) -> Tensor:
        """Cosines [N, S] of features [N, V, D] and the keys."""
        return cache_keys(features) @ normalize(self.keys, dim=1).T

    def cache_logits(self, affinity: Tensor, beta: Tensor | float) -> Tensor:
        """exp(-beta (1 - affinity)) L, [N, C], of affinities [N, S]."""
        return (-beta * (1 - affinity)).exp() @ self.values


class LinearClassifier(nn.Module):
    """A linear layer on the features of all views; with `zero_shot`, its logits are added to the zero-shot ones."""

    def __init__(self, weight: Tensor, bias: Tensor, zero_shot: ZeroShot | None):
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self.zero_shot = zero_shot

    def forward(self, features: Tensor) -> Tensor:
        """Logits [N, C] of features [N, V, D]."""
        logits = cache_keys(features) @ self.weight.T + self.bias
        return logits if self.zero_shot is None else logits + self.zero_shot.logits(features)


class CloudClassifier(TextClassifier):
    """Learnable smoothing, the frozen image tower, and a classifier of its features.

    `encode` gives unit features [N·V, D] of maps [N·V, R, R] and passes gradients to them.
    """

    def __init__(
        self, classify: AdapterClassifier, projection: Projection, encode: Callable[[Tensor], Tensor], *, channels: int
    ):
        super().__init__()
        self.smoothing = LearnableSmoothing(channels=channels)
        self.classify, self.projection, self.encode = classify, projection, encode

    def forward(self, clouds: Tensor) -> Tensor:
        """Logits [N, C] of clouds [N, P, 3], y up, which the task has checked."""
        return self.classify(self._encoded(clouds))

    def features(self, inputs: Tensor) -> Tensor:
        """The view-weighted sum [N, D] of the adapted features of clouds [N, P, 3]."""
        return self.classify.features(self._encoded(inputs))

    def _encoded(self, clouds: Tensor) -> Tensor:
        maps = render(clouds, self.projection, refine=self.smoothing, checked=True)
        return self.encode(maps.flatten(0, 1)).unflatten(0, maps.shape[:2])


def _to_unit_norm(features: Tensor) -> Tensor:
    """What [N, 1] the features [N, V, D] of a sample are multiplied by to have unit norm on average over the views."""
    return (math.sqrt(features.shape[1]) / features.flatten(1).norm(dim=1))[:, None]


def cache_keys(features: Tensor) -> Tensor:
    """Unit features [N, V, D] of all views concatenated and scaled to unit norm: [N, V·D]."""
    return features.flatten(1) / math.sqrt(features.shape[1])
