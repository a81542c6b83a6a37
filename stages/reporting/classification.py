"""Tables of zero-shot classification: every protocol with its interval, and ours compared with the published figures.

`runs` are metrics by (dataset, backbone); accuracies are in percent.
"""

from collections.abc import Mapping, Sequence

from stages.artifacts.figures import AccuracyFigures, ClassificationMetrics
from stages.artifacts.figures import Figures as WithLabels
from stages.language.prompts.published import CORPUS, searched_set
from stages.reporting.comparison import Column, ComparisonRow, Key, PublishedResult, compare
from stages.reporting.published import Accuracy, Published, noted
from stages.reporting.tables import DAGGER, ORACLE_NOTE, Table, marked, number

Runs = Mapping[Key, ClassificationMetrics]
AFTER = f"after {DAGGER}"
HONEST = "after, train labels"
REPEATED_BEFORE, REPEATED_AFTER = "as_published_before", "as_published_after"  # protocols of the released code's steps
BEFORE_AFTER = (
    Column("before", REPEATED_BEFORE, f"before, as published {DAGGER}"),
    Column(AFTER, REPEATED_AFTER, f"after, as published {DAGGER}"),
)


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


def ablations_table(runs: Runs) -> Table:
    """One row per run, thing that is changed and its value: the baseline with that alone, against the plain one."""
    rows = [
        (
            *key,
            what,
            marked(value, oracle=figures.oracle),
            figures.labels_read,
            number(figures.top1),
            f"{figures.top1_low:.1f} to {figures.top1_high:.1f}",
            _p(figures.mcnemar_p),
            number(figures.expected_calibration_error),
            number(figures.negative_log_likelihood, digits=4),
            f"{figures.likelihood_change_low:+.4f} to {figures.likelihood_change_high:+.4f}",
        )
        for key, metrics in runs.items()
        for what, values in metrics.ablations.items()
        for value, figures in values.items()
    ]
    accuracies = ("top-1 %", "95 % interval", "p against plain")
    probabilities = ("calibration error %", "negative log likelihood", "its change: 95 % interval, above 0 is better")
    return Table(
        "ablations",
        "Zero-shot classification: the baseline with one thing changed",
        ("dataset", "backbone", "changed", "to", "labels read", *accuracies, *probabilities),
        tuple(rows),
        numeric_from=5,
        notes=(
            "p is McNemar's test, the last interval a paired bootstrap, both against the baseline as it is.",
            ORACLE_NOTE,
        ),
    )


def none_of_these_table(runs: Runs) -> Table:
    """One row per run and score: how well it tells objects of left-out classes, and what a threshold does."""
    rows = [
        (
            *key,
            score,
            number(figures.auroc),
            f"{figures.auroc_low:.1f} to {figures.auroc_high:.1f}",
            f"{figures.auroc_gain_low:+.1f} to {figures.auroc_gain_high:+.1f}",
            number(figures.kept),
            number(figures.refused),
        )
        for key, metrics in runs.items()
        for score, figures in metrics.none_of_these.items()
    ]
    header = ("dataset", "backbone", "score", "AUROC %", "95 % interval", "its change: 95 % interval")
    return Table(
        "none_of_these",
        "None of these: objects of classes that are left out",
        (*header, "known kept %", "left out refused %"),
        tuple(rows),
        numeric_from=3,
        notes=("The change is against the probability, a paired bootstrap over the left-out objects.",),
    )


def zeroshot_rows(runs: Runs, published: Published, *, baseline: str) -> list[ComparisonRow]:
    """Before and after the searches, by (dataset, backbone)."""
    ours = {
        key: {
            "before": metrics.protocols[baseline].top1,
            HONEST: metrics.protocols["search_train"].top1,
            AFTER: metrics.protocols["search_test"].top1,
            **{name: figures.top1 for name, figures in metrics.protocols.items() if is_repeating(name)},
        }
        for key, metrics in runs.items()
    }
    results = [published_accuracy(one, (one.dataset, one.backbone), published) for one in published.zeroshot]
    return compare(ours, results)


def published_accuracy(accuracy: Accuracy, key: Key, published: Published) -> PublishedResult:
    """A published accuracy before and after the search, under `key`."""
    return PublishedResult(
        key,
        {"before": accuracy.before, AFTER: accuracy.after},
        accuracy.source,
        repeated_by={AFTER: accuracy.protocol} if accuracy.protocol else {},
        **noted(accuracy, published),
    )


def is_repeating(protocol: str) -> bool:
    """Whether a protocol repeats the released code, so that its figures may be compared with published ones."""
    return protocol.startswith("as_published_")


def why_without_protocol(result: PublishedResult, column: Column) -> str:
    """Why a run has no figure of the protocol that repeats a published one."""
    name = result.repeated_by.get(column.name, column.repeated_by)
    sets = [searched_set(result.key[1])] + ([CORPUS] if name == REPEATED_AFTER else [])
    return f"no protocol {name}: embed.sets lacks {' or '.join(sets)}, or PointCLIP V2 published none for this dataset"


def ordered_protocols(protocols: Mapping[str, WithLabels], *, first: Sequence[str]) -> list[str]:
    """Names of `protocols`: those of `first` in that order, then the others by name; what read labels comes last."""
    others = [name for name in protocols if name not in first]
    read = {"none": 0, "train": 1, "test": 2}
    return [*first, *sorted(others, key=lambda name: (read[protocols[name].labels_read], name))]


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
