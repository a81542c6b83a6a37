"""Tables in Markdown."""

from collections.abc import Iterable, Sequence

HEADER = (
    "dataset",
    "backbone",
    "protocol",
    "labels read",
    "top-1 %",
    "95 % interval",
    "top-5 %",
    "class mean %",
    "p against {}",
    "samples",
    "chance %",
)
LABELS_READ = {"search_train": "train", "search_test": "test"}
ORACLES = ("search_test",)
DAGGER = "\N{DAGGER}"


def classification_table(runs: dict[tuple[str, str], dict], *, protocols: Sequence[str], baseline: str) -> str:
    """One row per (dataset, backbone) and protocol, from their metrics: accuracies in percent, over all classes.

    The protocols of `protocols` come first, in that order, then the searched ones; an oracle bears a dagger.
    """
    rows = [
        _row(dataset, backbone, protocol, metrics, baseline=baseline)
        for (dataset, backbone), metrics in runs.items()
        for protocol in ordered_protocols(
            (name for name, figures in metrics.items() if isinstance(figures, dict)), first=protocols
        )
    ]
    header = [title.format(baseline) for title in HEADER]
    leakage = "".join(
        f"\nLeakage on {dataset} with {backbone} (search_test less search_train): {metrics['leakage']:+.2f} points.\n"
        for (dataset, backbone), metrics in runs.items()
    )
    return (
        markdown(header, rows, numeric_from=4)
        + leakage
        + (f"\n{DAGGER} saw the labels it is scored on: an upper bound, not a result.\n")
    )


def ordered_protocols(names: Iterable[str], *, first: Sequence[str]) -> list[str]:
    """Protocol names: those of `first` in that order, then the searched ones by name, oracles last."""
    searched = [name for name in names if name not in first]
    return [*first, *sorted(searched, key=lambda name: (name in ORACLES, name))]


def marked(protocol: str) -> str:
    """The protocol's name as a table shows it: with a dagger when it saw the labels it is scored on."""
    return f"{protocol} {DAGGER}" if protocol in ORACLES else protocol


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], *, numeric_from: int) -> str:
    """A Markdown table; columns from `numeric_from` on are aligned right."""
    rule = ["---" if column < numeric_from else "---:" for column in range(len(header))]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in (header, rule, *rows))


def _row(dataset: str, backbone: str, protocol: str, metrics: dict, *, baseline: str) -> tuple[str, ...]:
    figures = metrics[protocol]
    accuracies = [f"{figures[name]:.2f}" for name in ("top1", "top5", "mean_class_accuracy")]
    interval = f"{figures['top1_low']:.1f} to {figures['top1_high']:.1f}"
    p = "" if protocol == baseline else f"{figures['mcnemar_p']:.3f}"
    return (
        dataset,
        backbone,
        marked(protocol),
        LABELS_READ.get(protocol, "none"),
        accuracies[0],
        interval,
        *accuracies[1:],
        p,
        str(metrics["samples"]),
        f"{100 / metrics['classes']:.1f}",
    )
