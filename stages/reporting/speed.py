"""Speed: what the benchmarks measured, each beside what it is compared with."""

from collections.abc import Sequence
from pathlib import Path

from stages.artifacts.experiments import SpeedRow
from stages.reporting import curves
from stages.reporting.figures import picture
from stages.reporting.page import Section
from stages.reporting.tables import Table


def section(measured: Sequence[SpeedRow]) -> Section:
    """Times of both sides, the first over the second, and the command that measured them."""
    cells = tuple(
        (
            row.what,
            row.against,
            *(f"{float(f'{time:.3g}'):g} {row.unit}" for time in (row.plain, row.ours)),
            curves.times(row.plain / row.ours),
            Path(row.command.split()[1]).stem,
            row.machine,
        )
        for row in measured
    )
    header = ("what", "compared with", "which takes", "ours", "ratio", "script", "machine")
    note = "Each row in one run of a script in tests/benchmarks."
    table = Table("speed", "Speed", header, cells, numeric_from=len(header), notes=(note,))
    words = "Each row is measured in one run, both sides on the same machine; a ratio above 1 says that ours is faster."
    ratios = {f"{row.what}\n({row.against})": row.plain / row.ours for row in measured}
    shown = picture("speed", curves.speed_figure(ratios), "How many times faster than what it is compared with")
    return Section("speed", "Speed", words, "make benchmarks", (table,), (shown,))
