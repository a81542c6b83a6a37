"""What a few-shot method is given: one dataset with one backbone; test labels only for the published protocol.

N, M samples of the train and the test split, V views, D embedding, C classes, P points. CLIP is frozen throughout.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor

from stages.config.train import Train
from stages.core.errors import InputError
from stages.fewshot.checkpoints import source_code
from stages.fewshot.classifiers import ZeroShot
from stages.projection.differentiable import check
from stages.projection.presets import Projection

InputKind = Literal["features", "clouds"]


class CloudTask(NamedTuple):
    """Oriented clouds f4 [N, P, 3] and [M, P, 3], and how they become features, for methods that learn from clouds.

    `encode` gives unit features [B, D] of maps [B, R, R] and passes gradients to the maps; `encoder` is a fingerprint
    of everything that the features depend on.
    """

    train: Tensor
    test: Tensor
    projection: Projection
    encode: Callable[[Tensor], Tensor]
    encoder: str


class Published(NamedTuple):
    """What runs by the published protocol are given besides: their own start, and the test labels i8 [M]."""

    zero_shot: ZeroShot
    test_labels: Tensor


@dataclass(frozen=True)
class Task:
    """Features f4 [N, V, D] and [M, V, D] of the two splits, train labels i8 [N], class names [C]."""

    train: Tensor
    labels: Tensor
    test: Tensor
    class_names: tuple[str, ...]
    zero_shot: ZeroShot
    clouds: CloudTask | None = None
    published: Published | None = None

    def __post_init__(self):
        views, width = self.train.shape[1:]
        shapes = {
            "test features": (self.test.shape[1:], (views, width)),
            "text": (self.zero_shot.text.shape, (len(self.class_names), width)),
            "view weights": (self.zero_shot.view_weights.shape, (views,)),
        }
        for name, (shape, expected) in shapes.items():
            if tuple(shape) != expected:
                raise InputError(f"features of another backbone: {name} {list(shape)}, expected {list(expected)}")
        if self.clouds and (len(self.clouds.train), len(self.clouds.test)) != (len(self.train), len(self.test)):
            raise InputError("points and features differ in their number of samples; run `dvc repro`")
        if self.clouds and self.clouds.projection.views != views:
            raise InputError(f"features have {views} views, params.yaml: render {self.clouds.projection.views}")
        for clouds in (self.clouds.train, self.clouds.test) if self.clouds else ():
            check(clouds, self.clouds.projection)

    def inputs(self, kind: InputKind) -> tuple[Tensor, Tensor]:
        """The train and the test split as features or as clouds."""
        source = self.clouds if kind == "clouds" else self
        return source.train, source.test

    def fingerprint(self, settings: Train) -> str:
        """A name for everything that training depends on, the code of this package included."""
        known = (settings, self.class_names, self.zero_shot.logit_scale)
        known += (self.clouds.projection, self.clouds.encoder) if self.clouds else ()
        digest = hashlib.sha256(repr(known).encode() + source_code())
        tensors = [self.train, self.labels, self.test, self.zero_shot.text, self.zero_shot.view_weights]
        tensors += [self.clouds.train, self.clouds.test] if self.clouds else []
        if self.published:
            start, labels = self.published
            tensors += [start.text, start.view_weights, labels]
        for tensor in tensors:
            digest.update(tensor.cpu().numpy().tobytes())
        return digest.hexdigest()[:16]
