"""Detection table: every kind of proposals with every ablation compared with the published figures."""

from collections.abc import Mapping

from stages.artifacts.figures import DetectionMetrics
from stages.reporting.comparison import Column, ComparisonRow, Key, PublishedResult, compare, comparison_table
from stages.reporting.page import Picture, Section
from stages.reporting.published import Published, noted
from stages.reporting.tables import ORACLE_NOTE, Table, interval, marked, number

Runs = Mapping[Key, DetectionMetrics]
COLUMNS = (Column("mAP@25"), Column("mAP@50"))
REPEATED = "as_published"  # the row of the released code's steps
UPPER_BOUND = "ground_truth reads the true boxes: an upper bound of what naming them can reach, not a result."
SUPERVISED = (
    "detr3d's boxes are supervised on the same classes: zero-shot classification of supervised boxes. "
    "The clusters rows are the ones without supervision."
)


def section(runs: Runs, published: Published, pictures: tuple[Picture, ...]) -> Section:
    """Average precision of all proposals, and pictures of scenes."""
    table = comparison_table(
        "detection",
        "Detection, %",
        ("dataset", "backbone", "proposals", "ablation"),
        COLUMNS,
        detection_rows(runs, published),
        ours_only=("AR@25", "AR@50"),
        notes=(UPPER_BOUND, SUPERVISED, ORACLE_NOTE),
    )
    text = "Boxes are proposed without names; the points inside are rendered and named by the zero-shot classifier."
    return Section("detection", "Detection", text, "dvc repro detect", (table, changes_table(runs)), pictures)


def changes_table(runs: Runs) -> Table:
    """One row per run, kind of proposals and ablation: by how much the average precision changes, and how surely."""
    rows = [
        (
            *key,
            marked(kind, oracle=figures.oracle),
            ablation,
            *(
                cell
                for change in (figures.map25_change, figures.map50_change)
                for cell in (number(change.difference, sign=True), interval(change))
            ),
        )
        for key, metrics in runs.items()
        for kind, ablations in metrics.proposals.items()
        for ablation, figures in ablations.items()
        if figures.map25_change and figures.map50_change
    ]
    changes = ("change of mAP@25", "95 % interval", "change of mAP@50", "95 % interval")
    return Table(
        "detection_changes",
        "Detection: every step left out or added, in points",
        ("dataset", "backbone", "proposals", "ablation", *changes),
        tuple(rows),
        numeric_from=4,
        notes=(
            "Changes are against the row full of the same proposals, those of region_clusters against clusters.",
            "Intervals are a paired bootstrap over the scans.",
            ORACLE_NOTE,
        ),
    )


def detection_rows(runs: Runs, published: Published) -> list[ComparisonRow]:
    """Average precision and recall by (dataset, backbone, proposals, ablation)."""
    ours = {
        (*key, marked(kind, oracle=figures.oracle), ablation): {
            "mAP@25": figures.map25,
            "mAP@50": figures.map50,
            "AR@25": figures.ar25,
            "AR@50": figures.ar50,
        }
        for key, metrics in runs.items()
        for kind, ablations in metrics.proposals.items()
        for ablation, figures in ablations.items()
    }
    results = [
        PublishedResult(
            _key(boxes.method),
            {"mAP@25": boxes.map25, "mAP@50": boxes.map50},
            boxes.source,
            **noted(boxes, published),
        )
        for boxes in published.detection
    ]
    return compare(ours, results)


def _key(method: str) -> tuple[str, ...]:
    """PointCLIP V2's published row is what our detr3d proposals with vit_b16 repeat; the others are peers."""
    return ("scannet", "vit_b16", "detr3d", REPEATED) if method == "PointCLIP V2" else ("scannet", method, "", "")
