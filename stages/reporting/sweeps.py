"""A sweep of one parameter (reports/experiments/<name>.csv, by command `sweep`) beside the published figures."""

from collections.abc import Callable, Mapping, Sequence

from stages.artifacts.experiments import SweepRow
from stages.config.evaluate import Evaluate
from stages.config.sweep import Sweep
from stages.core.errors import InputError
from stages.reporting.classification import AFTER, HONEST, is_repeating, p_value, published_accuracy
from stages.reporting.comparison import Column, ComparisonRow, Figures, Key, PublishedResult, compare
from stages.reporting.page import Section
from stages.reporting.published import Published, TextInput, noted
from stages.reporting.tables import DAGGER, Table, number

SHOWN = {"search_train": HONEST, "search_test": AFTER}
Before = Callable[[str], str | None]
REPEATED_CANDIDATES = Column(AFTER, "as_published_candidates", f"after, as published {DAGGER}")


def kernel_rows(published: Published, sweep: Sequence[SweepRow], *, source: str, baseline: str) -> list[ComparisonRow]:
    """Before and after the searches by (dataset, backbone, kernel)."""
    results = [published_accuracy(one, (one.dataset, one.backbone, one.kernel), published) for one in published.kernels]
    return compare(sweep_figures(sweep, source=source, before=lambda _: baseline), results)


def text_input_rows(
    published: Published,
    sweep: Sequence[SweepRow],
    *,
    source: str,
    evaluate: Evaluate,
    model: str,
    few_shot: Mapping[Key, Figures],
) -> list[ComparisonRow]:
    """Before and after the searches and their seconds by (dataset, backbone, prompt set), and `few_shot` cells.

    Before them stands the protocol that averages the set, where there is one. `model` wrote the sentences: what others
    wrote is not compared with them.
    """
    averaging = {prompt_set: protocol for protocol, prompt_set in evaluate.protocols.items()}
    ours = sweep_figures(sweep, source=source, before=averaging.get) | few_shot
    return compare(ours, [_text_result(text, published, model) for text in published.text_inputs])


def _text_result(text: TextInput, published: Published, model: str) -> PublishedResult:
    told = noted(text, published)
    if not model.rpartition("/")[2].startswith(text.models or ""):
        told["not_comparable"] = f"the sentences here are of model {model}, not of {' or '.join(text.models)}"
    repeated_by = text.few_shot or text.protocol
    return PublishedResult(
        ("modelnet40", "vit_b16", text.set or text.method),
        {AFTER: text.accuracy, "seconds": text.seconds},
        text.source,
        repeated_by={AFTER: repeated_by} if repeated_by else {},
        label=text.method,
        **told,
    )


def section(sweeps: Mapping[str, Sweep], measured: Mapping[str, Sequence[SweepRow]], *, baseline: str) -> Section:
    """A table for every experiment set that nobody published; `measured` has its rows, none where it was not run."""
    tables = [experiments_table(name, sweep, measured[name], baseline=baseline) for name, sweep in sweeps.items()]
    text = (
        "The whole zero-shot run under other settings, each against the first experiment of its set. Nothing is chosen "
        "by them: a switch that does not help here is left as it was."
    )
    return Section("sweeps", "Experiment sets", text, "make sweeps", tables)


def experiments_table(name: str, sweep: Sweep, rows: Sequence[SweepRow], *, baseline: str) -> Table:
    """One row per run and experiment: the baseline protocol with its interval, and p against the first experiment."""
    cells = [
        (
            row.dataset,
            row.backbone,
            row.value,
            number(row.top1),
            "" if row.top1_low is None else f"{row.top1_low:.1f} to {row.top1_high:.1f}",
            "" if row.mcnemar_p is None else p_value(row.mcnemar_p),
        )
        for row in rows
        if row.protocol == baseline
    ]
    varied = ", ".join(f"`{key}`" for key in sweep.params)
    ran = f"Varied: {varied}; protocol {baseline}. p is McNemar's test against the first row of the run."
    return Table(
        f"sweep_{name}",
        f"Experiment set {name}, top-1 %",
        ("dataset", "backbone", "setting", "top-1 %", "95 % interval", "p against the first"),
        tuple(cells),
        numeric_from=3,
        notes=(ran if cells else f"Not measured yet: `python -m stages.commands.sweep {name}`.",),
    )


def sweep_figures(rows: Sequence[SweepRow], *, source: str, before: Before) -> dict[Key, Figures]:
    """Top-1 in percent before the searches and after, and seconds if timed, by (dataset, backbone, value).

    `before` names the protocol that stands before them under a value, None where there is none. The protocols that
    repeat the released code keep their names, where a value has them.
    InputError when `source`, where the rows are from, has none of a protocol for some value.
    """
    figures: dict[Key, Figures] = {}
    for row in rows:
        found = figures.setdefault((row.dataset, row.backbone, row.value), {})
        shown = _shown(row.value, before)
        if is_repeating(row.protocol):
            found[row.protocol] = row.top1
        if row.protocol in shown:
            found[shown[row.protocol]] = row.top1
            if row.protocol == "search_test":
                found["seconds"] = row.seconds
    for key, found in figures.items():
        missing = set(_shown(key[-1], before).values()) - set(found)
        if missing:
            raise InputError(f"{source}: {', '.join(key)}: no row for {sorted(missing)[0]}")
    if not figures:
        raise InputError(f"{source}: no rows, expected one a value and protocol")
    return figures


def _shown(value: str, before: Before) -> dict[str, str]:
    """The column of every protocol that is shown under `value`."""
    protocol = before(value)
    return SHOWN if protocol is None else {protocol: "before", **SHOWN}
