"""Speed: what the benchmarks measured against the published arithmetic."""

from collections.abc import Sequence

from stages.artifacts.experiments import SpeedRow
from stages.reporting import curves
from stages.reporting.figures import picture
from stages.reporting.page import Section
from stages.reporting.tables import Table


def section(measured: Sequence[SpeedRow]) -> Section:
    """Seconds of both sides, their ratio and the command that measured them."""
    ratios = {row.what: row.plain / row.ours for row in measured}
    cells = tuple(
        (
            row.what,
            *(f"{float(f'{seconds:.3g}'):g} {row.unit}" for seconds in (row.plain, row.ours)),
            f"{ratios[row.what]:.0f} ×",
            row.command,
        )
        for row in measured
    )
    header = ("what", "published arithmetic", "ours", "ratio", "command")
    note = f"Each row in one run on {', '.join(sorted({row.machine for row in measured}))}."
    table = Table("speed", "Speed", header, cells, numeric_from=len(header), notes=(note,))
    words = "Each row is measured in one run, both sides on the same machine."
    shown = picture("speed", curves.speed_figure(ratios), "How many times faster than the published arithmetic")
    return Section("speed", "Speed", words, "make benchmarks", (table,), (shown,))
