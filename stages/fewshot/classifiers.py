"""Models of depth-map features or point clouds -> class logits; what they learn is all that their state holds.

N samples, V views, D embedding, C classes, S support samples.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from stages.fewshot.smoothing import LearnableSmoothing
from stages.projection.differentiable import render
from stages.projection.presets import Projection


class ZeroShot(NamedTuple):
    """The classifier that every method starts from: text f4 [C, D], view weights f4 [V] that sum to 1, logit scale."""

    text: Tensor
    view_weights: Tensor
    logit_scale: float

    def logits(self, features: Tensor) -> Tensor:
        """Logits [N, C] of features [N, V, D] (PointCLIP V2, eq. 3)."""
        return self.logit_scale * torch.einsum("nvd,v->nd", features, self.view_weights) @ self.text.T


class AdapterClassifier(nn.Module):
    """Adapted features, brought back to unit norm on average over the views, and the zero-shot logits of them.

    In training every feature is first moved by a normal of `noise` times its length, and brought back to it: a frozen
    tower that knows the support set by heart tells it apart without fault, and nothing would be left to learn from it.
    """

    def __init__(self, adapter: nn.Module, zero_shot: ZeroShot, *, noise: float = 0.0):
        super().__init__()
        self.adapter, self.zero_shot, self.noise = adapter, zero_shot, noise

    def forward(self, features: Tensor) -> Tensor:
        """Logits [N, C] of features [N, V, D]."""
        if self.training and self.noise:
            moves = torch.randn_like(features) * (self.noise / math.sqrt(features.shape[2]))
            features = normalize(features + moves, dim=2)
        return self.judge(self.adapter(features))

    def judge(self, adapted: Tensor) -> Tensor:
        """Logits [N, C] of adapted features [N, V, D]."""
        scale = math.sqrt(adapted.shape[1]) / adapted.flatten(1).norm(dim=1)
        return scale[:, None] * self.zero_shot.logits(adapted)


class CacheClassifier(nn.Module):
    """Tip-Adapter: zero-shot logits + alpha exp(-beta (1 - affinity)) L over the support set, L its one-hot labels.

    Affinity is the cosine of the features of all views together. With `trained` the keys [S, V·D] are parameters
    (Tip-Adapter-F).
    """

    def __init__(
        self, support: Tensor, labels: Tensor, zero_shot: ZeroShot, *, alpha: float, beta: float, trained: bool
    ):
        super().__init__()
        self.keys = nn.Parameter(cache_keys(support), requires_grad=trained)
        self.register_buffer("values", nn.functional.one_hot(labels, len(zero_shot.text)).float())
        self.register_buffer("alpha", torch.tensor(alpha, device=support.device))
        self.register_buffer("beta", torch.tensor(beta, device=support.device))
        self.zero_shot = zero_shot

    def forward(self, features: Tensor) -> Tensor:
        """Logits [N, C] of features [N, V, D]."""
        affinity = cache_keys(features) @ normalize(self.keys, dim=1).T
        return self.zero_shot.logits(features) + self.alpha * (-self.beta * (1 - affinity)).exp() @ self.values


class LinearClassifier(nn.Module):
    """A matrix over the features of all views, added to the zero-shot logits when it was trained beside them."""

    def __init__(self, weight: Tensor, bias: Tensor, zero_shot: ZeroShot | None):
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self.zero_shot = zero_shot

    def forward(self, features: Tensor) -> Tensor:
        """Logits [N, C] of features [N, V, D]."""
        own = cache_keys(features) @ self.weight.T + self.bias
        return own if self.zero_shot is None else own + self.zero_shot.logits(features)


class CloudClassifier(nn.Module):
    """Learnable smoothing, the frozen image tower, and a classifier of its features.

    `encode` gives unit features [N·V, D] of maps [N·V, R, R] and passes gradients to them.
    """

    def __init__(
        self, classify: nn.Module, projection: Projection, encode: Callable[[Tensor], Tensor], *, channels: int
    ):
        super().__init__()
        self.smoothing = LearnableSmoothing(channels=channels)
        self.classify, self.projection, self.encode = classify, projection, encode

    def forward(self, clouds: Tensor) -> Tensor:
        """Logits [N, C] of clouds [N, P, 3], y up."""
        maps = render(clouds, self.projection, refine=self.smoothing)
        return self.classify(self.encode(maps.flatten(0, 1)).unflatten(0, maps.shape[:2]))


def cache_keys(features: Tensor) -> Tensor:
    """Features [N, V, D] of unit norm laid end to end, of unit norm again: [N, V·D]."""
    return features.flatten(1) / math.sqrt(features.shape[1])
