"""Section `sweep` of params.yaml."""

from stages.config.section import section


@section
class Sweep:
    """One parameter's values, an experiment each, while those of `fixed` (key of params.yaml -> value) hold."""

    param: str
    values: tuple[str | int | float | tuple[str, ...], ...]
    fixed: dict[str, bool | str | int | float | tuple[str | int, ...]]
