"""Section `reproduce` of params.yaml."""

from typing import Annotated

from stages.config.section import Id, Key, NotNegative, Positive, Unique, section


@section
class Reproduce:
    """The published selection: what `make paper` sets (key of params.yaml -> value), and which sweeps it runs then.

    `weights_gb` and `maps_per_second` are for its estimates: a backbone's download, and how fast one encodes maps.
    """

    overrides: dict[Key, bool | str | int | float | tuple[str | int | tuple[str, ...], ...]]
    sweeps: Annotated[tuple[Id, ...], Unique]
    weights_gb: NotNegative
    maps_per_second: Positive
