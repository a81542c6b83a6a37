"""The report's parts: which tables and pictures of one task stand together, with their words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.config.evaluate import Evaluate
from stages.reporting import curves, figures
from stages.reporting.classification import AFTER, HONEST, Runs, comparison_table, protocols_table, zeroshot_rows
from stages.reporting.comparison import Beside, Cited, beside
from stages.reporting.experiments import sweep_figures
from stages.reporting.page import Section
from stages.reporting.published import Published
from stages.reporting.tables import ORACLE_NOTE, Table

BEFORE_AFTER = ("before", AFTER)


@dataclass(frozen=True)
class Examples:
    """What became of one dataset's evaluated samples, for the pictures.

    One object is shown with its cloud [P, 3] (y up), depth maps [V, R, R] and best (class, probability) pairs; the
    confusions [C, C] are of the protocol `method` over the dataset's class names [C].
    """

    dataset: str
    backbone: str
    method: str
    class_names: tuple[str, ...]
    true_class: str
    cloud: np.ndarray
    depth: np.ndarray
    best: Sequence[tuple[str, float]]
    confusions: np.ndarray

    @property
    def title(self) -> str:
        """What the pictures are of."""
        return f"{self.dataset}, {self.backbone}, {self.method}"


@dataclass(frozen=True)
class Sheet:
    """Depth maps f4 [n, V, R, R] of some objects and their classes [n]."""

    depth: np.ndarray
    classes: tuple[str, ...]


def zero_shot(runs: Runs, published: Published, evaluate: Evaluate, examples: Examples) -> Section:
    """Every protocol with its interval, and before and after the searches beside the published figures."""
    metrics = runs[examples.dataset, examples.backbone]
    rows = zeroshot_rows(runs, published, baseline=evaluate.baseline)
    tables = (
        protocols_table(runs, protocols=tuple(evaluate.protocols), baseline=evaluate.baseline),
        _beside_table("zeroshot", "Zero-shot classification, top-1 %", ("dataset", "backbone"), rows),
    )
    pictures = (
        figures.picture(
            "example",
            figures.example_figure(examples.cloud, examples.depth, examples.best, true_class=examples.true_class),
            f"An object ({examples.true_class}) as points, its depth maps and its zero-shot scores",
        ),
        figures.picture(
            "confusion",
            figures.confusion_figure(examples.confusions, examples.class_names, title=examples.title),
            "True classes by row, predicted ones by column",
        ),
        figures.picture(
            "views",
            curves.views_figure(metrics["views"], together=metrics[evaluate.baseline]["top1"], title=examples.title),
            "What every view alone recognises",
        ),
        figures.picture(
            "sentences",
            curves.sentences_figure(
                {
                    name: {int(count): top1 for count, top1 in curve.items()}
                    for name, curve in metrics["sentences"].items()
                },
                title=f"{examples.dataset}, {examples.backbone}",
            ),
            "Accuracy against the number of sentences that are averaged",
        ),
    )
    text = (
        "Depth maps against sentences, without training. Protocols that read no label come first; the search on the "
        "test split is the published one, an oracle."
    )
    return Section("zero-shot", "Zero-shot classification", text, "dvc repro evaluate report", tables, pictures)


def searches(
    chosen: dict[str, dict], published: Published, sweep: str, *, source: str, evaluate: Evaluate, title: str
) -> Section:
    """How the searches went (`chosen`, by protocol) and what each prompt set gives alone (the sweep)."""
    table = comparison_table(
        "text_inputs",
        "Text inputs: top-1 % and seconds of the search, per prompt set",
        ("dataset", "backbone", "prompt set"),
        (AFTER, "seconds"),
        text_input_rows(published, sweep, source=source, evaluate=evaluate),
        alone=("before", HONEST),
        notes=(ORACLE_NOTE,),
    )
    traces = {
        name: [found["searched"]["start"] / found["searched"]["samples"], *(step[-1] for step in found["trace"])]
        for name, found in chosen.items()
        if "searched" in found
    }
    figure = curves.trace_figure(
        {name: [100 * share for share in trace] for name, trace in traces.items()}, title=title
    )
    text = "PointCLIP V2's greedy search picks one sentence a class; the sweep tries each prompt set alone."
    picture = figures.picture("search_trace", figure, "Accuracy on the searched split after every accepted step")
    return Section("search", "Prompt search", text, "make sweeps", (table,), (picture,))


def projections(
    published: Published,
    sweep: str,
    *,
    source: str,
    baseline: str,
    projected: dict[str, np.ndarray],
    sheets: dict[str, Sheet],
) -> Section:
    """Smoothing kernels beside the published ones, what every projection makes of the same objects, all views.

    `projected` holds one view [n, R, R] of the first `n` objects of the first sheet, by the projection's title.
    """
    rows = kernel_rows(published, sweep, source=source, baseline=baseline)
    table = _beside_table("kernels", "Smoothing kernels, top-1 %", ("dataset", "backbone", "kernel"), rows)
    names = tuple(dict.fromkeys(one.kernel for one in published.kernels))
    objects = next(iter(sheets.values())).classes[: len(next(iter(projected.values())))]
    pictures = (
        figures.picture(
            "projections", figures.projections_figure(projected, objects), "The same objects under every projection"
        ),
        figures.picture("kernels", figures.kernels_figure(names), "The kernels over the distance"),
        *(
            figures.picture(
                f"orientation_{dataset}",
                figures.sheet_figure(sheet.depth, sheet.classes),
                f"{dataset}: objects in every view; a wrong up axis shows here",
            )
            for dataset, sheet in sheets.items()
        ),
    )
    text = "Points become voxels, densified, smoothed and squeezed; the kernels differ in how they smooth."
    return Section("projections", "Projections and kernels", text, "make sweeps", (table,), pictures)


def kernel_rows(published: Published, sweep: str, *, source: str, baseline: str) -> list[Beside]:
    """Before and after the searches by (dataset, backbone, kernel)."""
    cited = [
        Cited((one.dataset, one.backbone, one.kernel), {"before": one.before, AFTER: one.after}, one.source)
        for one in published.kernels
    ]
    return beside(sweep_figures(sweep, source=source, before=lambda _: baseline), cited)


def text_input_rows(published: Published, sweep: str, *, source: str, evaluate: Evaluate) -> list[Beside]:
    """Before and after the searches and their seconds by (dataset, backbone, prompt set).

    Before them stands the protocol that averages the set, where there is one.
    """
    averaging = {prompt_set: protocol for protocol, prompt_set in evaluate.protocols.items()}
    cited = [
        Cited(
            ("modelnet40", "vit_b16", one.set or one.method), {AFTER: one.accuracy, "seconds": one.seconds}, one.source
        )
        for one in published.text_inputs
    ]
    return beside(sweep_figures(sweep, source=source, before=averaging.get), cited)


def _beside_table(name: str, title: str, keys: Sequence[str], rows: Sequence[Beside]) -> Table:
    return comparison_table(name, title, keys, BEFORE_AFTER, rows, alone=(HONEST,), notes=(ORACLE_NOTE,))
