"""Section `evaluate` of params.yaml."""

from typing import Literal

from stages.config.section import section


@section
class Evaluate:
    """Protocols by name -> the prompt set they average; the search's come after; `view_weights` [V] or null for equal.

    Every protocol is compared with `baseline` by McNemar's test.
    """

    split: Literal["train", "test"]
    protocols: dict[str, str]
    baseline: str
    view_weights: tuple[float, ...] | None
    bootstrap_samples: int
    bootstrap_seed: int
