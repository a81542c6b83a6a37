"""Few-shot tables: every method at the report's shots beside the published figures, and the curve over shots."""

from stages.reporting import curves
from stages.reporting.classification import AFTER, Runs, before_after, comparison_table
from stages.reporting.comparison import Beside, Cited, Key, beside
from stages.reporting.experiments import csv_rows
from stages.reporting.figures import picture
from stages.reporting.page import Section
from stages.reporting.published import Published
from stages.reporting.tables import ORACLE_NOTE, Table, marked, number

REPORT_SHOTS = "16"
BEST_ON_TEST = "_best_on_test"
KEPT_FIGURES = ("top1_mean", "top1_std", "top1_low", "top1_high")
KEPT_COLUMNS = ("dataset", "backbone", "shapes", "method", "shots", *KEPT_FIGURES)


def section(runs: Runs, published: Published, *, kept: str, source: str) -> Section:
    """The tables, and the curve of the first run; `kept` is the CSV in `source` of command `archive_fewshot`."""
    rows = method_rows(runs, published)
    table = comparison_table(
        "few_shot",
        f"Few-shot classification, {REPORT_SHOTS} shots (or as published), top-1 %, mean over seeds",
        ("dataset", "backbone", "method", "shots"),
        ("before", AFTER),
        rows,
        alone=("std", "interval from", "interval to"),
        notes=(ORACLE_NOTE,),
    )
    (dataset, backbone), metrics = next(iter(runs.items()))
    points = {
        name: [curves.Point(int(shots), one["top1_mean"], one["top1_std"]) for shots, one in _by_shots(by_shots)]
        for name, by_shots in metrics["few_shot"].items()
        if not name.endswith(BEST_ON_TEST)
    }
    figure = curves.shots_figure(points, title=f"{dataset}, {backbone}")
    text = (
        "A few labelled shapes of each class, CLIP frozen. Epochs and ratios are chosen on a part of the train split; "
        "the published choice, the best epoch on the test split, is the row with the dagger."
    )
    shown = picture("shots", figure, "Accuracy over shots, with a band of one standard deviation over the seeds")
    tables = (table, shots_table(runs, published), kept_table(kept, source=source))
    return Section("few-shot", "Few-shot classification", text, "dvc repro train", tables, (shown,))


def method_rows(runs: Runs, published: Published) -> list[Beside]:
    """Mean over the seeds at the report's shots by (dataset, backbone, method, shots)."""
    ours = {
        (*key, _marked(method), REPORT_SHOTS): {
            "before": one["top1_mean"],
            "std": one["top1_std"],
            "interval from": one["top1_low"],
            "interval to": one["top1_high"],
        }
        for key, metrics in runs.items()
        for method, by_shots in metrics["few_shot"].items()
        if (one := by_shots.get(REPORT_SHOTS)) is not None
    }
    cited = [
        Cited((one.dataset, one.backbone, one.method, str(one.shots)), before_after(one), one.source)
        for one in published.few_shot
    ]
    return beside(ours, cited)


def shots_table(runs: Runs, published: Published) -> Table:
    """A row per run and number of shots, a column per method; the published curve follows in two columns of its own."""
    methods = tuple(dict.fromkeys(method for metrics in runs.values() for method in metrics["few_shot"]))
    ours = {
        (*key, shots): {method: by_shots.get(shots) for method, by_shots in metrics["few_shot"].items()}
        for key, metrics in runs.items()
        for shots, _ in _by_shots({shots: one for by in metrics["few_shot"].values() for shots, one in by.items()})
    }
    cited = {(one.dataset, one.backbone, str(one.shots)): one for one in published.shots}
    rows = []
    for key in dict.fromkeys((*ours, *cited)):
        source, *published_cells = _published(cited.get(key))
        rows.append((*key, source, *(_cell(ours.get(key, {}).get(name)) for name in methods), *published_cells))
    header = (
        "dataset",
        "backbone",
        "shots",
        "source",
        *map(_marked, methods),
        "published before",
        f"published {AFTER}",
    )
    title = "Shot curve, top-1 %: mean ± standard deviation over seeds"
    return Table("shots", title, header, tuple(rows), numeric_from=4, notes=(ORACLE_NOTE,))


def kept_table(text: str, *, source: str) -> Table:
    """A row per kept run and method, a column per number of shots, and the interval at the report's."""
    methods: dict[Key, dict[str, dict]] = {}
    for row in csv_rows(text, KEPT_COLUMNS, source=source):
        key = (row["dataset"], row["backbone"], row["shapes"], _marked(row["method"]))
        methods.setdefault(key, {})[row["shots"]] = {name: float(row[name]) for name in KEPT_FIGURES}
    shots = sorted({count for by_shots in methods.values() for count in by_shots}, key=int)
    rows = tuple(
        (*key, *(_cell(by_shots.get(count)) for count in shots), _interval(by_shots.get(REPORT_SHOTS)))
        for key, by_shots in methods.items()
    )
    header = ("dataset", "backbone", "train + test shapes", "method", *shots, f"interval at {REPORT_SHOTS}")
    title = "Few-shot runs that were kept, top-1 % by shots: mean ± standard deviation over seeds"
    return Table("few_shot_kept", title, header, rows, numeric_from=4, notes=(ORACLE_NOTE,))


def _by_shots(by_shots: dict[str, dict]) -> list[tuple[str, dict]]:
    return sorted(by_shots.items(), key=lambda item: int(item[0]))


def _cell(one: dict | None) -> str:
    return "" if one is None else f"{one['top1_mean']:.2f} ± {one['top1_std']:.2f}"


def _interval(one: dict | None) -> str:
    return "" if one is None else f"{one['top1_low']:.2f} to {one['top1_high']:.2f}"


def _published(one) -> Key:
    return ("", "", "") if one is None else (one.source, number(one.before), number(one.after))


def _marked(method: str) -> str:
    return marked(method, oracle=method.endswith(BEST_ON_TEST))
