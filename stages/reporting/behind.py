"""What stands behind the numbers: weights, verdicts on the published cells, speed and the cost of prompts."""

from collections.abc import Mapping, Sequence

from stages.config.backbone import Backbone
from stages.reporting import curves
from stages.reporting.comparison import TOLERANCE, Beside, verdicts
from stages.reporting.experiments import csv_rows
from stages.reporting.figures import picture
from stages.reporting.page import Section
from stages.reporting.published import Published
from stages.reporting.tables import Table, number

SPEED_COLUMNS = ("what", "plain", "ours", "unit", "command", "machine")


def weights_table(backbones: Mapping[str, Backbone]) -> Table:
    """Architecture, weights and preprocessing of every backbone that was run."""
    rows = tuple((name, one.architecture, one.pretrained, one.normalise) for name, one in backbones.items())
    header = ("backbone", "architecture", "weights", "normalise")
    return Table("weights", "Weights", header, rows, numeric_from=len(header))


def verdict_section(compared: Mapping[str, tuple[Sequence[Beside], Sequence[str]]]) -> Section:
    """Every published cell that was run: met within the tolerance, or by how much not."""
    rows = tuple(row for title, (cells, columns) in compared.items() for row in verdicts(title, cells, columns))
    cells = sum(
        value is not None
        for beside, columns in compared.values()
        for row in beside
        if row.cited
        for value in (row.cited.figures.get(name) for name in columns)
    )
    note = f"{len(rows)} of {cells} published figures have a run here; the others need CLIP's weights and the datasets."
    header = ("table", "cell", "ours", "published", "verdict")
    table = Table("verdicts", "Verdict on the published figures", header, rows, numeric_from=len(header), notes=(note,))
    text = f"A published figure counts as met within {TOLERANCE} points."
    return Section("verdicts", "Verdicts", text, "make paper", (table,))


def peers_section(published: Published) -> Section:
    """Figures of other methods, each as its authors or a re-run report it."""
    rows = tuple(
        (one.method, one.dataset, one.setting, number(one.accuracy), published.sources[one.source])
        for one in published.peers
    )
    table = Table(
        "peers",
        "Peers, top-1 %, as published",
        ("method", "dataset", "setting", "top-1 %", "source"),
        rows,
        numeric_from=len(rows[0]),
    )
    text = "None of these was measured here. 3D-pretrained methods have seen 3D data, ours has not."
    return Section("peers", "Peers", text, "reports/published.yaml", (table,))


def speed_section(text: str, *, source: str) -> Section:
    """What the benchmarks measured against the plain arithmetic, from their CSV."""
    found = csv_rows(text, SPEED_COLUMNS, source=source)
    ratios = {row["what"]: float(row["plain"]) / float(row["ours"]) for row in found}
    cells = tuple(
        (
            row["what"],
            *(f"{float(f'{float(row[side]):.3g}'):g} {row['unit']}" for side in ("plain", "ours")),
            f"{ratios[row['what']]:.0f} ×",
            row["command"],
        )
        for row in found
    )
    header = ("what", "published arithmetic", "ours", "ratio", "command")
    note = f"Each row in one run on {', '.join(sorted({row['machine'] for row in found}))}."
    table = Table("speed", "Speed", header, cells, numeric_from=len(header), notes=(note,))
    words = "Each row is measured in one run, both sides on the same machine."
    shown = picture("speed", curves.speed_figure(ratios), "How many times faster than the published arithmetic")
    return Section("speed", "Speed", words, "make benchmarks", (table,), (shown,))


def prompts_section(written: Mapping[str, dict]) -> Section:
    """What the prompt sets of every dataset consist of and cost, from the metrics of `generate`."""
    rows = tuple(
        (
            dataset,
            name,
            str(one["requests"]),
            str(one["sentences"]),
            str(one["dropped"]["all"]),
            str(one["prompt_tokens"] + one["completion_tokens"]),
            number(one["dollars"]),
        )
        for dataset, sets in written.items()
        for name, one in sets.items()
        if "requests" in one
    )
    header = ("dataset", "prompt set", "requests", "sentences kept", "dropped", "tokens", "cost, $")
    table = Table("prompts", "Cost of prompts", header, rows, numeric_from=2)
    text = "Every answer of the language model is in prompts/recorded; answers of the model `bundled` cost nothing."
    return Section("prompts", "Prompts", text, "dvc repro generate", (table,))
