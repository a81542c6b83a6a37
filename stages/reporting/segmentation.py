"""Segmentation tables: every protocol with its means, and every category compared with the published figures."""

from collections.abc import Mapping

from stages.artifacts.figures import RefinementFigures, SegmentationFigures, SegmentationMetrics
from stages.reporting.classification import ordered_protocols
from stages.reporting.comparison import (
    Column,
    ComparisonRow,
    Figures,
    Key,
    PublishedResult,
    compare,
    comparison_table,
)
from stages.reporting.page import Picture, Section
from stages.reporting.published import Published, noted
from stages.reporting.tables import DAGGER, ORACLE_NOTE, Table, interval, marked, number

Runs = Mapping[Key, SegmentationMetrics]
NEUTRAL, ORACLE = "neutral", "search_test"
BASELINES = ("chance", "largest_part")  # the largest of the evaluated shapes, as their labels tell
REPEATED = "as_published"  # the protocol of the released code's steps
COLUMNS = (
    Column(f"accuracy {DAGGER}", f"accuracy, {REPEATED}", f"accuracy, as published {DAGGER}"),
    Column(f"IoU {DAGGER}", f"IoU, {REPEATED}", f"IoU, as published {DAGGER}"),
)
MEAN = Column("class mIoU")
OURS_ONLY = ("accuracy, neutral", "IoU, neutral", "accuracy, train labels", "IoU, train labels")


def section(runs: Runs, published: Published, pictures: tuple[Picture, ...]) -> Section:
    """Means of all protocols, figures of all categories, and pictures of shapes."""
    table = comparison_table(
        "segmentation",
        "Part segmentation per category, %",
        ("dataset", "backbone", "category"),
        COLUMNS,
        segmentation_rows(runs, published),
        ours_only=OURS_ONLY,
        notes=(ORACLE_NOTE,),
    )
    text = (
        "Every point takes the part whose sentence its patches resemble most. `neutral` is a fixed sentence; the "
        "published level comes from sentences fitted to the test labels."
    )
    return Section(
        "segmentation",
        "Part segmentation",
        text,
        "dvc repro segment",
        (means_table(runs, published), refinements_table(runs), table),
        pictures,
    )


def segmentation_rows(runs: Runs, published: Published) -> list[ComparisonRow]:
    """Accuracy and mean part IoU by (dataset, backbone, category)."""
    ours = {
        (*key, category): _category_figures(metrics, category)
        for key, metrics in runs.items()
        for category in metrics.shapes
    }
    results = [
        PublishedResult(
            ("shapenetpart", "vit_b16", figures.category),
            dict(zip((column.name for column in COLUMNS), (figures.accuracy, figures.iou), strict=True)),
            figures.source,
            **noted(figures, published),
        )
        for figures in published.segmentation
    ]
    return compare(ours, results)


def means_table(runs: Runs, published: Published) -> Table:
    """One row per run and protocol: means over shapes and over categories; then other runs of the published code."""
    rows = [
        (*key, metrics.mode, marked(name, oracle=figures.oracle), figures.labels_read, *_means(figures))
        for key, metrics in runs.items()
        for name in ordered_protocols(metrics.protocols, first=(*BASELINES, NEUTRAL))
        for figures in [metrics.protocols[name]]
    ]
    rows += [
        ("shapenetpart", "vit_b16", "published", f"{rerun.method} ({rerun.source})", "", "", number(rerun.iou), "")
        for rerun in published.class_miou
    ]
    header = (
        "dataset",
        "backbone",
        "mode",
        "protocol",
        "labels read",
        "instance mIoU",
        "class mIoU",
        "instance accuracy",
    )
    leakage = [
        f"Leakage on {dataset} with {backbone} ({ORACLE} less search_train): {metrics.leakage:+.2f} points of "
        "instance mIoU."
        for (dataset, backbone), metrics in runs.items()
    ]
    unseen = [
        f"{dataset} with {backbone}: {metrics.unseen_points:.2f} % of the points are seen from no view; in mode "
        "`correct` they take their nearest seen point's part."
        for (dataset, backbone), metrics in runs.items()
    ]
    title = "Part segmentation: every protocol, %"
    return Table(
        "segmentation_protocols", title, header, tuple(rows), numeric_from=5, notes=(*leakage, *unseen, ORACLE_NOTE)
    )


def refinements_table(runs: Runs) -> Table:
    """One row per run, thing that is changed and its value: the neutral sentence's scores refined, against plain."""
    rows = [
        (
            *key,
            what,
            marked(value, oracle=figures.oracle),
            figures.labels_read,
            *_means(figures),
            number(figures.change.difference, sign=True),
            interval(figures.change),
        )
        for key, metrics in runs.items()
        for what, values in metrics.refinements.items()
        for value, figures in sorted(values.items(), key=lambda one: (len(one[0]), one[0]))  # 16 before 128
    ]
    means = ("instance mIoU", "class mIoU", "instance accuracy")
    return Table(
        "refinements",
        "Part segmentation: the neutral sentence's scores averaged over points that belong together, %",
        ("dataset", "backbone", "changed", "to", "labels read", *means, "change of instance mIoU", "95 % interval"),
        tuple(rows),
        numeric_from=5,
        notes=(
            "The change is against no refinement, its interval a paired bootstrap over the shapes.",
            "The oracle gives each region the commonest of its true parts.",
            ORACLE_NOTE,
        ),
    )


def rerun_rows(runs: Runs, published: Published) -> list[ComparisonRow]:
    """Class mean IoU of the re-runs of the released code, by (dataset, backbone, method)."""
    ours = {
        (*key, rerun.method): {rerun.protocol: metrics.protocols[rerun.protocol].class_miou}
        for key, metrics in runs.items()
        for rerun in published.class_miou
        if rerun.protocol in metrics.protocols
    }
    results = [
        PublishedResult(
            ("shapenetpart", "vit_b16", rerun.method),
            {MEAN.name: rerun.iou},
            rerun.source,
            repeated_by={MEAN.name: rerun.protocol},
            **noted(rerun, published),
        )
        for rerun in published.class_miou
    ]
    return [row for row in compare(ours, results) if row.published]


def _category_figures(metrics: SegmentationMetrics, category: str) -> Figures:
    protocols = (ORACLE, NEUTRAL, "search_train", *([REPEATED] if REPEATED in metrics.protocols else ()))
    found = [metrics.protocols[protocol].categories[category] for protocol in protocols]
    names = (*(column.name for column in COLUMNS), *OURS_ONLY, *(column.repeated_by for column in COLUMNS))
    return dict(zip(names, (value for figures in found for value in (figures.accuracy, figures.iou)), strict=False))


def _means(figures: SegmentationFigures | RefinementFigures) -> tuple[str, ...]:
    return tuple(number(value) for value in (figures.instance_miou, figures.class_miou, figures.instance_accuracy))
