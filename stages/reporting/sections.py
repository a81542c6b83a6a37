"""The report's parts: which tables and pictures of one task stand together, with their words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.artifacts.examples import Examples
from stages.config.evaluate import Evaluate
from stages.reporting import curves, figures
from stages.reporting.classification import (
    BEFORE_AFTER,
    HONEST,
    Runs,
    ablations_table,
    none_of_these_table,
    protocols_table,
    zeroshot_rows,
)
from stages.reporting.comparison import Column, ComparisonRow, comparison_table
from stages.reporting.page import Section
from stages.reporting.published import Published
from stages.reporting.sweeps import REPEATED_CANDIDATES
from stages.reporting.tables import ORACLE_NOTE, Table

WITH_CODE = (
    "pointclip_v2 and pointclip_v2_readme: `after` is the accuracy with the sentences that come with the code; its own "
    'run calls that "before search", and our as_published_before repeats it.'
)


@dataclass(frozen=True)
class Classified:
    """What became of one dataset's evaluated samples under the protocol `method`, for the pictures.

    One sample is shown with its cloud [P, 3], depth maps [V, R, R] and best (class, probability) pairs; the confusions
    [C, C] are over the dataset's class names [C].
    """

    dataset: str
    backbone: str
    method: str
    class_names: tuple[str, ...]
    true_class: str
    cloud: np.ndarray
    up_axis: str
    depth: np.ndarray
    best: Sequence[tuple[str, float]]
    confusions: np.ndarray

    @property
    def title(self) -> str:
        """What the pictures are of."""
        return f"{self.dataset}, {self.backbone}, {self.method}"


def zero_shot(runs: Runs, published: Published, evaluate: Evaluate, shown: Classified) -> Section:
    """Every protocol with its interval, and before and after the searches, compared with the published figures."""
    metrics = runs[shown.dataset, shown.backbone]
    rows = zeroshot_rows(runs, published, baseline=evaluate.baseline)
    tables = (
        protocols_table(runs, protocols=tuple(evaluate.protocols), baseline=evaluate.baseline),
        ablations_table(runs),
        none_of_these_table(runs),
        _before_after_table("zeroshot", "Zero-shot classification, top-1 %", ("dataset", "backbone"), rows, WITH_CODE),
    )
    pictures = (
        figures.picture(
            "example",
            figures.example_figure(
                shown.cloud, shown.depth, shown.best, up_axis=shown.up_axis, true_class=shown.true_class
            ),
            f"An object ({shown.true_class}) as points, its depth maps and its zero-shot scores",
        ),
        figures.picture(
            "confusion",
            figures.confusion_figure(shown.confusions, shown.class_names, title=shown.title),
            "True classes by row, predicted ones by column",
        ),
        figures.picture(
            "views",
            curves.views_figure(metrics.views, together=metrics.protocols[evaluate.baseline].top1, title=shown.title),
            "What every view alone recognises",
        ),
        figures.picture(
            "sentences",
            curves.sentences_figure(metrics.sentences, title=f"{shown.dataset}, {shown.backbone}"),
            "Accuracy against the number of sentences that are averaged",
        ),
        figures.picture(
            "none_of_these",
            curves.roc_figure(
                {score: found.curve for score, found in metrics.none_of_these.items()}, title=shown.title
            ),
            "Known objects kept against objects of left-out classes let through",
        ),
    )
    text = (
        "Depth maps against sentences, without training. Protocols that read no label come first; the search on the "
        "test split is the published one, an oracle."
    )
    return Section("zero-shot", "Zero-shot classification", text, "dvc repro evaluate report", tables, pictures)


def searches(chosen: dict[str, dict], rows: Sequence[ComparisonRow], *, title: str) -> Section:
    """How the searches went (`chosen`, by protocol) and what each prompt set gives alone (the sweep's `rows`)."""
    table = comparison_table(
        "text_inputs",
        "Text inputs: top-1 % and seconds of the search, per prompt set",
        ("dataset", "backbone", "prompt set"),
        (REPEATED_CANDIDATES, Column("seconds")),
        rows,
        ours_only=("before", HONEST),
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


def projections(rows: Sequence[ComparisonRow], examples: Examples) -> Section:
    """Smoothing kernels compared with the published ones, the same objects under every projection and in all views."""
    table = _before_after_table("kernels", "Smoothing kernels, top-1 %", ("dataset", "backbone", "kernel"), rows)
    objects = next(iter(examples.sheets.values())).classes[: len(next(iter(examples.projections.values())))]
    pictures = (
        figures.picture(
            "projections",
            figures.projections_figure(examples.projections, objects),
            "The same objects under every projection",
        ),
        figures.picture("kernels", figures.kernels_figure(examples.kernels), "The kernels over the distance"),
        *(
            figures.picture(
                f"orientation_{dataset}",
                figures.sheet_figure(sheet.depth, sheet.classes),
                f"{dataset}: objects in every view; a wrong up axis shows here",
            )
            for dataset, sheet in examples.sheets.items()
        ),
    )
    text = "Points become voxels, densified, smoothed and squeezed; the kernels differ in how they smooth."
    return Section("projections", "Projections and kernels", text, "make sweeps", (table,), pictures)


def _before_after_table(
    name: str, title: str, keys: Sequence[str], rows: Sequence[ComparisonRow], *notes: str
) -> Table:
    return comparison_table(name, title, keys, BEFORE_AFTER, rows, ours_only=(HONEST,), notes=(ORACLE_NOTE, *notes))
