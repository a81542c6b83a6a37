"""Detection table: every kind of proposals with every ablation beside the published figures."""

from stages.reporting.classification import Runs, comparison_table
from stages.reporting.comparison import Beside, Cited, beside
from stages.reporting.page import Picture, Section
from stages.reporting.published import Published

COLUMNS = ("mAP@25", "mAP@50")
FULL = "full"
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
        alone=("AR@25", "AR@50"),
        notes=(UPPER_BOUND, SUPERVISED),
    )
    text = "Boxes are proposed without names; the points inside are rendered and named by the zero-shot classifier."
    return Section("detection", "Detection", text, "dvc repro detect", (table,), pictures)


def detection_rows(runs: Runs, published: Published) -> list[Beside]:
    """Average precision and recall by (dataset, backbone, proposals, ablation)."""
    ours = {
        (*key, kind, ablation): {
            "mAP@25": one["map25"],
            "mAP@50": one["map50"],
            "AR@25": one["ar25"],
            "AR@50": one["ar50"],
        }
        for key, metrics in runs.items()
        for kind, rows in metrics.items()
        if isinstance(rows, dict)
        for ablation, one in rows.items()
    }
    cited = [
        Cited(_key(one.method), {"mAP@25": one.map25, "mAP@50": one.map50}, one.source) for one in published.detection
    ]
    return beside(ours, cited)


def _key(method: str) -> tuple[str, ...]:
    """PointCLIP V2's published row is what our detr3d proposals with vit_b16 repeat; the others are peers."""
    return ("scannet", "vit_b16", "detr3d", FULL) if method == "PointCLIP V2" else ("scannet", method, "", "")
