"""Random augmentation of the point clouds that a method learns from."""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Augmentation(NamedTuple):
    """How clouds are changed at random: see `augment`."""

    turn: float
    scale: tuple[float, float]
    shift: float
    jitter: float
    dropout: float


def augment(clouds: Tensor, settings: Augmentation) -> Tensor:
    """Clouds [B, P, 3], y up, each rotated, scaled, shifted, jittered and thinned at random, from torch's generator.

    Rotation about y by up to ± `turn` degrees; each axis scaled by a factor between the two of `scale`; a shift of up
    to ± `shift` along each axis (the projection centres every cloud again); normal noise of standard deviation `jitter`
    on every point; a share of the points, drawn from 0 to `dropout`, replaced by the cloud's first point.
    """
    samples, points, _ = clouds.shape
    options = {"device": clouds.device}
    angle = math.radians(settings.turn) * _between(-1, 1, (samples,), options)
    cosine, sine = angle.cos()[:, None], angle.sin()[:, None]
    x, y, z = clouds.unbind(-1)
    turned = torch.stack((cosine * x + sine * z, y, cosine * z - sine * x), -1)
    scale = _between(*settings.scale, (samples, 1, 3), options)
    shift = settings.shift * _between(-1, 1, (samples, 1, 3), options)
    moved = turned * scale + shift + settings.jitter * torch.randn(clouds.shape, **options)
    dropped = torch.rand(samples, points, **options) < settings.dropout * torch.rand(samples, 1, **options)
    return torch.where(dropped[..., None], moved[:, :1], moved)


def _between(low: float, high: float, shape: tuple, options: dict) -> Tensor:
    return low + (high - low) * torch.rand(shape, **options)
