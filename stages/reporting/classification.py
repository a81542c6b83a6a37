"""Tables of zero-shot classification: every protocol with its interval, and ours compared with the published figures.

`runs` are metrics by (dataset, backbone); accuracies are in percent.
"""

from collections.abc import Mapping, Sequence

from stages.artifacts.figures import AccuracyFigures, ClassificationMetrics
from stages.artifacts.figures import Figures as WithLabels
from stages.reporting.comparison import ComparisonRow, Figures, Key, PublishedResult, compare
from stages.reporting.published import Accuracy, Published
from stages.reporting.tables import DAGGER, ORACLE_NOTE, Table, marked, number

Runs = Mapping[Key, ClassificationMetrics]
AFTER = f"after {DAGGER}"
HONEST = "after, train labels"


def protocols_table(runs: Runs, *, protocols: Sequence[str], baseline: str) -> Table:
    """One row per run and protocol: accuracies with a bootstrap interval, McNemar's p, and what labels were read.

    The protocols of `protocols` come first, in that order, then the searched ones; an oracle bears a dagger.
    """
    rows = [
        _protocol_row(key, protocol, metrics, baseline=baseline)
        for key, metrics in runs.items()
        for protocol in ordered_protocols(metrics.protocols, first=protocols)
    ]
    header = ("dataset", "backbone", "protocol", "labels read", "top-1 %", "95 % interval", "top-5 %", "class mean %")
    leakage = [
        f"Leakage on {dataset} with {backbone} (search_test less search_train): {metrics.leakage:+.2f} points."
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


def zeroshot_rows(runs: Runs, published: Published, *, baseline: str) -> list[ComparisonRow]:
    """Before and after the searches, by (dataset, backbone)."""
    ours = {
        key: {
            "before": metrics.protocols[baseline].top1,
            HONEST: metrics.protocols["search_train"].top1,
            AFTER: metrics.protocols["search_test"].top1,
        }
        for key, metrics in runs.items()
    }
    results = [
        PublishedResult((accuracy.dataset, accuracy.backbone), before_after(accuracy), accuracy.source)
        for accuracy in published.zeroshot
    ]
    return compare(ours, results)


def ordered_protocols(protocols: Mapping[str, WithLabels], *, first: Sequence[str]) -> list[str]:
    """Names of `protocols`: those of `first` in that order, then the others by name; what read labels comes last."""
    others = [name for name in protocols if name not in first]
    read = {"none": 0, "train": 1, "test": 2}
    return [*first, *sorted(others, key=lambda name: (read[protocols[name].labels_read], name))]


def before_after(accuracy: Accuracy) -> Figures:
    """A published accuracy before and after the search."""
    return {"before": accuracy.before, AFTER: accuracy.after}


def _protocol_row(key: Key, protocol: str, metrics: ClassificationMetrics, *, baseline: str) -> tuple[str, ...]:
    figures: AccuracyFigures = metrics.protocols[protocol]
    return (
        *key,
        marked(protocol, oracle=figures.oracle),
        figures.labels_read,
        number(figures.top1),
        f"{figures.top1_low:.1f} to {figures.top1_high:.1f}",
        number(figures.top5),
        number(figures.mean_class_accuracy),
        "" if protocol == baseline else _p(figures.mcnemar_p),
        str(metrics.samples),
        number(100 / metrics.classes, digits=1),
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value, digits=3)
