"""Tables of classification: every protocol with its interval, and ours beside the published figures.

`runs` are metrics files by (dataset, backbone); accuracies are in percent.
"""

from collections.abc import Iterable, Sequence

from stages.reporting.comparison import Beside, Cited, Figures, Key, beside, comparison_cells, comparison_header
from stages.reporting.published import Accuracy, Published
from stages.reporting.tables import DAGGER, ORACLE_NOTE, Table, marked, number

Runs = dict[Key, dict]
ORACLES = ("largest_part", "search_test")
LABELS_READ = {"search_train": "train", "search_test": "test", "largest_part": "test"}
AFTER = f"after {DAGGER}"
HONEST = "after, train labels"


def protocols_table(runs: Runs, *, protocols: Sequence[str], baseline: str) -> Table:
    """One row per run and protocol: accuracies with a bootstrap interval, McNemar's p, and what labels were read.

    The protocols of `protocols` come first, in that order, then the searched ones; an oracle bears a dagger.
    """
    rows = [
        _protocol_row(key, protocol, metrics, baseline=baseline)
        for key, metrics in runs.items()
        for protocol in ordered_protocols(protocols_of(metrics), first=protocols)
    ]
    header = ("dataset", "backbone", "protocol", "labels read", "top-1 %", "95 % interval", "top-5 %", "class mean %")
    leakage = [
        f"Leakage on {dataset} with {backbone} (search_test less search_train): {metrics['leakage']:+.2f} points."
        for (dataset, backbone), metrics in runs.items()
    ]
    return Table(
        "protocols",
        "Zero-shot classification: every protocol",
        (*header, f"p against {baseline}", "samples", "chance %"),
        tuple(rows),
        numeric_from=4,
        notes=(*leakage, ORACLE_NOTE),
    )


def zeroshot_rows(runs: Runs, published: Published, *, baseline: str) -> list[Beside]:
    """Before and after the searches, by (dataset, backbone)."""
    ours = {
        key: {
            "before": metrics[baseline]["top1"],
            HONEST: metrics["search_train"]["top1"],
            AFTER: metrics["search_test"]["top1"],
        }
        for key, metrics in runs.items()
    }
    cited = [Cited((one.dataset, one.backbone), before_after(one), one.source) for one in published.zeroshot]
    return beside(ours, cited)


def comparison_table(
    name: str,
    title: str,
    keys: Sequence[str],
    columns: Sequence[str],
    rows: Iterable[Beside],
    *,
    alone: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Table:
    """Rows of `beside` as a table: the key's columns, the source, then ours, published and difference of every figure.

    Columns without a value are left out.
    """
    cells = tuple((*row.key, *comparison_cells(row, columns, alone=alone)) for row in rows)
    header = (*keys, *comparison_header(columns, alone=alone))
    return Table(name, title, header, cells, numeric_from=len(keys) + 1, notes=tuple(notes)).without_empty_columns()


def ordered_protocols(names: Iterable[str], *, first: Sequence[str]) -> list[str]:
    """Protocol names: those of `first` in that order, then the others by name, searched ones and oracles last."""
    others = [name for name in names if name not in first]
    return [*first, *sorted(others, key=lambda name: (name in ORACLES, name in LABELS_READ, name))]


def protocols_of(metrics: dict) -> list[str]:
    """Names of the protocols among a metrics file's keys."""
    return [name for name, figures in metrics.items() if isinstance(figures, dict) and "top1" in figures]


def before_after(one: Accuracy) -> Figures:
    """A published accuracy before and after the search."""
    return {"before": one.before, AFTER: one.after}


def _protocol_row(key: Key, protocol: str, metrics: dict, *, baseline: str) -> tuple[str, ...]:
    figures = metrics[protocol]
    return (
        *key,
        marked(protocol, oracle=protocol in ORACLES),
        LABELS_READ.get(protocol, "none"),
        number(figures["top1"]),
        f"{figures['top1_low']:.1f} to {figures['top1_high']:.1f}",
        number(figures["top5"]),
        number(figures["mean_class_accuracy"]),
        "" if protocol == baseline else _p(figures["mcnemar_p"]),
        str(metrics["samples"]),
        number(100 / metrics["classes"], digits=1),
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value, digits=3)
