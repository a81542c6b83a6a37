"""Section `sweep` of params.yaml."""

from typing import Annotated

from stages.config.section import Key, Some, section


@section
class Sweep:
    """One parameter's values, an experiment each, while those of `fixed` (key of params.yaml -> value) hold."""

    param: Key
    values: Annotated[tuple[str | int | float | tuple[str, ...], ...], Some]
    fixed: dict[Key, bool | str | int | float | tuple[str | int, ...]]
