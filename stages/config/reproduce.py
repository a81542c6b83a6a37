"""Section `reproduce` of params.yaml."""

from stages.config.section import section


@section
class Reproduce:
    """The published selection: what `make paper` sets (key of params.yaml -> value), and which sweeps it runs then.

    `weights_gb` and `maps_per_second` are for its estimates: a backbone's download, and how fast one encodes maps.
    """

    overrides: dict[str, bool | str | int | float | tuple[str | int | tuple[str, ...], ...]]
    sweeps: tuple[str, ...]
    weights_gb: float
    maps_per_second: float
