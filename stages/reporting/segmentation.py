"""Segmentation tables: every protocol with its means, and every category beside the published figures."""

from stages.reporting.classification import LABELS_READ, ORACLES, Runs, comparison_table, ordered_protocols
from stages.reporting.comparison import Beside, Cited, beside
from stages.reporting.page import Picture, Section
from stages.reporting.published import Published
from stages.reporting.tables import DAGGER, ORACLE_NOTE, Table, marked, number

NEUTRAL, ORACLE = "neutral", "search_test"
BASELINES = ("chance", "largest_part")  # the largest of the evaluated shapes, as their labels tell
COLUMNS = (f"accuracy {DAGGER}", f"IoU {DAGGER}")
ALONE = ("accuracy, neutral", "IoU, neutral", "accuracy, train labels", "IoU, train labels")


def section(runs: Runs, published: Published, pictures: tuple[Picture, ...]) -> Section:
    """Means of all protocols, figures of all categories, and pictures of shapes."""
    table = comparison_table(
        "segmentation",
        "Part segmentation per category, %",
        ("dataset", "backbone", "category"),
        COLUMNS,
        segmentation_rows(runs, published),
        alone=ALONE,
        notes=(ORACLE_NOTE,),
    )
    text = (
        "Every point takes the part whose sentence its patches resemble most. `neutral` is a fixed sentence; the "
        "published level comes from sentences fitted to the test labels."
    )
    return Section(
        "segmentation", "Part segmentation", text, "dvc repro segment", (means_table(runs, published), table), pictures
    )


def segmentation_rows(runs: Runs, published: Published) -> list[Beside]:
    """Accuracy and mean part IoU by (dataset, backbone, category)."""
    ours = {
        (*key, category): dict(zip((*COLUMNS, *ALONE), _figures(metrics, category), strict=True))
        for key, metrics in runs.items()
        for category in metrics[NEUTRAL]["categories"]
    }
    cited = [
        Cited(
            ("shapenetpart", "vit_b16", one.category),
            dict(zip(COLUMNS, (one.accuracy, one.iou), strict=True)),
            one.source,
        )
        for one in published.segmentation
    ]
    return beside(ours, cited)


def means_table(runs: Runs, published: Published) -> Table:
    """One row per run and protocol: means over shapes and over categories; then other runs of the published code."""
    rows = [
        (
            *key,
            metrics["mode"],
            marked(name, oracle=name in ORACLES),
            LABELS_READ.get(name, "none"),
            *_means(metrics[name]),
        )
        for key, metrics in runs.items()
        for name in ordered_protocols(
            (name for name, one in metrics.items() if isinstance(one, dict) and "instance_miou" in one),
            first=(*BASELINES, NEUTRAL),
        )
    ]
    rows += [
        ("shapenetpart", "vit_b16", "published", f"{one.method} ({one.source})", "", "", number(one.iou), "")
        for one in published.class_miou
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
        f"Leakage on {dataset} with {backbone} ({ORACLE} less search_train): {metrics['leakage']:+.2f} points of "
        "instance mIoU."
        for (dataset, backbone), metrics in runs.items()
    ]
    unseen = [
        f"{dataset} with {backbone}: {metrics['unseen_points']:.2f} % of the points are seen from no view; in mode "
        "`correct` they take their nearest seen point's part."
        for (dataset, backbone), metrics in runs.items()
    ]
    title = "Part segmentation: every protocol, %"
    return Table(
        "segmentation_protocols", title, header, tuple(rows), numeric_from=5, notes=(*leakage, *unseen, ORACLE_NOTE)
    )


def _figures(metrics: dict, category: str) -> list[float]:
    return [
        metrics[protocol]["categories"][category][figure]
        for protocol in (ORACLE, NEUTRAL, "search_train")
        for figure in ("accuracy", "iou")
    ]


def _means(figures: dict) -> tuple[str, ...]:
    return tuple(number(figures[name]) for name in ("instance_miou", "class_miou", "instance_accuracy"))
