"""Section `sweep` of params.yaml."""

import itertools
from dataclasses import field
from typing import Annotated

from stages.config.section import Key, Some, section
from stages.core.errors import InconsistentError

Swept = str | int | float | tuple[str, ...]


@section
class Sweep:
    """One parameter's values, an experiment each, while those of `fixed` (key of params.yaml -> value) hold.

    `cross` has values of further parameters (key -> values): then an experiment is one value of each. The first
    experiment is the one that the others are compared with.
    """

    param: Key
    values: Annotated[tuple[Swept, ...], Some]
    fixed: dict[Key, bool | str | int | float | tuple[str | int, ...] | None]
    cross: dict[Key, Annotated[tuple[Swept, ...], Some]] = field(default_factory=dict)

    def __post_init__(self):
        if twice := [key for key in self.params if self.params.count(key) > 1 or key in self.fixed]:
            raise InconsistentError(f"cross {twice[0]}: expected every key once in param, cross and fixed")

    @property
    def params(self) -> tuple[str, ...]:
        """The keys whose values vary."""
        return (self.param, *self.cross)

    def experiments(self) -> list[dict[str, Swept]]:
        """The values of `params` in every experiment, by key; those of `param` change last."""
        values = itertools.product(self.values, *self.cross.values())
        return [dict(zip(self.params, chosen, strict=True)) for chosen in values]
