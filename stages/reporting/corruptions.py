"""Table of corrupted copies: what each corruption leaves of the accuracy, by severity, and of the calibration."""

from stages.artifacts.figures import CorruptedAccuracy, CorruptionFigures
from stages.core.corruptions import CORRUPTIONS, FAMILIES, SEVERITIES
from stages.reporting.classification import Runs
from stages.reporting.comparison import Key
from stages.reporting.tables import Table, number

FAMILY = {name: family for family, names in FAMILIES.items() for name in names}


def corruptions_table(runs: Runs) -> Table | None:
    """One row per run and corruption, after the same objects as they are, before the mean; None without such runs."""
    found = {key: metrics.corruptions for key, metrics in runs.items() if metrics.corruptions is not None}
    if not found:
        return None
    by_severity = (f"severity {severity}, %" for severity in SEVERITIES)
    table = Table(
        "corruptions",
        "Zero-shot classification of corrupted objects, top-1 %",
        ("dataset", "backbone", "family", "corruption", *by_severity, "mean %", "95 % interval", "calibration error %"),
        tuple(row for key, figures in found.items() for row in _rows(key, figures)),
        numeric_from=4,
        notes=(
            *(_what(key, figures) for key, figures in found.items()),
            "Intervals are over objects, whose copies are drawn together. Every corruption is of Sun et al. 2022; of "
            "home_objects they are written anew from their description, and not the published copies.",
        ),
    )
    return table.without_empty_columns()


def _rows(key: Key, figures: CorruptionFigures) -> list[tuple[str, ...]]:
    corrupted = [
        _row(key, FAMILY[name], name, figures.by_corruption[name], figures.by_severity[name])
        for name in CORRUPTIONS
        if name in figures.by_severity
    ]
    return [_row(key, "", "none", figures.clean, {}), *corrupted, _row(key, "", "mean of all", figures.mean, {})]


def _row(
    key: Key, family: str, name: str, mean: CorruptedAccuracy, by_severity: dict[int, CorruptedAccuracy]
) -> tuple[str, ...]:
    cells = [number(by_severity[one].top1) if one in by_severity else "" for one in SEVERITIES]
    interval = f"{mean.top1_low:.1f} to {mean.top1_high:.1f}"
    return (*key, family, name, *cells, number(mean.top1), interval, number(mean.expected_calibration_error))


def _what(key: Key, figures: CorruptionFigures) -> str:
    kinds = len(figures.by_severity)
    severities = sorted({severity for by_severity in figures.by_severity.values() for severity in by_severity})
    return (
        f"{key[0]} with {key[1]}: {figures.objects} objects of the test split, {kinds} corruptions at severity "
        f"{', '.join(map(str, severities))} of 5; labels read: {figures.labels_read}."
    )
