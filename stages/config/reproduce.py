"""Section `reproduce` of params.yaml."""

from typing import Annotated

from stages.config.section import Id, Key, Name, Unique, section

Value = bool | str | int | float | tuple[str | int | tuple[str, ...], ...]


@section
class Reproduce:
    """The published selection: what `make paper` sets (key of params.yaml -> value), and which sweeps it runs then."""

    overrides: dict[Key, Value | dict[Name, Value]]
    sweeps: Annotated[tuple[Id, ...], Unique]
