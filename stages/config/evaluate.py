"""Section `evaluate` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.config.section import Count, Name, NotNegative, PositiveShare, Seed, SetName, Some, section
from stages.core.errors import InconsistentError, shown

ViewPooling = Literal["mean", "max", "logsumexp", "entropy", "agreement"]
Temperature = Literal["none", "one", "by_view", "agreement"]


@section
class NoneOfThese:
    """Classes are left out in `folds` groups; a threshold keeps the share `keep` of the known labelled objects."""

    folds: Annotated[int, Field(ge=2, le=1000)]
    seed: Seed
    keep: PositiveShare


@section
class Evaluate:
    """Protocols by name -> the prompt set they average; the search's come after; `view_weights` [V] or null for equal.

    Weights are relative to each other, 0 or more. Every protocol is compared with `baseline` by McNemar's test.
    `temperature` of these protocols is chosen by the labels of `temperature_split`, or by none, never the test labels.
    """

    split: Literal["train", "test"]
    protocols: Annotated[dict[Name, SetName], Some]
    baseline: Name
    view_weights: Annotated[tuple[NotNegative, ...], Some] | None
    view_pooling: ViewPooling
    temperature: Temperature
    temperature_split: Literal["train", "val"]
    none_of_these: NoneOfThese
    bootstrap_samples: Count
    bootstrap_seed: Seed

    def __post_init__(self):
        wrong = []
        if self.baseline not in self.protocols:
            wrong.append(f"baseline {shown(self.baseline)}: expected one of {', '.join(self.protocols)}")
        if self.view_weights is not None and not any(self.view_weights):
            wrong.append("view_weights: all 0, expected one above 0 or null")
        if self.view_pooling != "mean" and self.temperature in ("by_view", "agreement"):
            wrong.append(f"temperature {self.temperature}: expected none or one with view_pooling {self.view_pooling}")
        if wrong:
            raise InconsistentError(*wrong)
