"""Few-shot tables: every method at the report's shots compared with the published figures, and the curve over shots.

They show the runs of `select.fewshot` and those that the archive (reports/experiments/few_shot.csv) keeps.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from stages.artifacts.experiments import FewShotRow
from stages.artifacts.figures import FewShotFigures, FewShotMetrics
from stages.reporting import curves
from stages.reporting.classification import AFTER, BEFORE_AFTER, published_accuracy
from stages.reporting.comparison import ComparisonRow, Figures, Key, compare, comparison_table
from stages.reporting.figures import picture
from stages.reporting.page import Picture, Section
from stages.reporting.published import Accuracy, Published
from stages.reporting.tables import ORACLE_NOTE, Table, marked, number

REPORT_SHOTS = 16
CURVE_METHOD = "smooth_adapter"  # whose curve over shots was published
REPEATED = "_as_published_"  # in the name of a method that repeats the released code: after ours, before the steps
SELECTED, ARCHIVED = "selected", "archived"
RUN_COLUMNS = ("run", "train + test shapes")
ARCHIVE_NOTE = (
    f"{ARCHIVED}: measured before and kept in reports/experiments/few_shot.csv; {SELECTED}: measured by this run."
)


class FewShotRun(NamedTuple):
    """Where few-shot figures are from: dataset, backbone, this run or the archive, and shapes of train and test."""

    dataset: str
    backbone: str
    kind: str
    shapes: str


ByMethod = Mapping[str, Mapping[int, FewShotFigures | FewShotRow]]  # and by number of shots
Runs = Mapping[FewShotRun, ByMethod]


def gather_runs(selected: Mapping[Key, FewShotMetrics], archive: Sequence[FewShotRow]) -> Runs:
    """The selected runs by (dataset, backbone), then those of the archive."""
    runs = {
        FewShotRun(*key, SELECTED, f"{metrics.samples['train']} + {metrics.samples['test']}"): metrics.methods
        for key, metrics in selected.items()
    }
    for row in archive:
        run = FewShotRun(row.dataset, row.backbone, ARCHIVED, row.shapes)
        runs.setdefault(run, {}).setdefault(row.method, {})[row.shots] = row
    return runs


def section(runs: Runs, published: Published) -> Section:
    """The tables, and the curve of the first run."""
    table = comparison_table(
        "few_shot",
        f"Few-shot classification, {REPORT_SHOTS} shots (or as published), top-1 %, mean over seeds",
        ("dataset", "backbone", "method", "shots", *RUN_COLUMNS),
        BEFORE_AFTER,
        method_rows(runs, published),
        ours_only=("std", "interval from", "interval to", "gain from", "gain to"),
        notes=(ARCHIVE_NOTE, ORACLE_NOTE),
    )
    text = (
        "A few labelled shapes of each class, CLIP frozen. Epochs and ratios are chosen on a part of the train split; "
        "the published choice, the best epoch on the test split, is the row with the dagger."
    )
    tables, pictures = (table, shots_table(runs, published)), _pictures(runs)
    return Section("few-shot", "Few-shot classification", text, "make fewshot", tables, pictures)


def method_rows(runs: Runs, published: Published) -> list[ComparisonRow]:
    """Mean over the seeds at the report's shots by (dataset, backbone, method, shots, run, shapes)."""
    cells = [(one.dataset, one.backbone, one.method, str(one.shots)) for one in published.few_shot]
    ours: dict[Key, Figures] = {}
    for run, methods in runs.items():
        for method, by_shots in methods.items():
            if REPEATED not in method and (figures := by_shots.get(REPORT_SHOTS)) is not None:
                ours[_key(run, marked(method, oracle=figures.oracle), REPORT_SHOTS)] = {
                    "before": figures.top1_mean,
                    "std": figures.top1_std,
                    "interval from": figures.top1_low,
                    "interval to": figures.top1_high,
                    "gain from": figures.gain_low,
                    "gain to": figures.gain_high,
                }
        for method, shots, steps, top1 in _repeated(methods):
            key = _key(run, method, shots)
            if key in ours or key[:4] in cells:
                ours.setdefault(key, {})[steps] = top1
    results = [published_accuracy(one, cell, published) for one, cell in zip(published.few_shot, cells, strict=True)]
    return compare(ours, results)


def curve_rows(runs: Runs, zero_shot: Mapping[Key, Figures], published: Published) -> list[ComparisonRow]:
    """The published curve by (dataset, backbone, shots), which begins with the figures of `zero_shot`."""
    ours = {(*key, "shots 0"): dict(figures) for key, figures in zero_shot.items()}
    for run, methods in runs.items():
        for method, shots, steps, top1 in _repeated(methods):
            if method == CURVE_METHOD:
                ours.setdefault((run.dataset, run.backbone, f"shots {shots}"), {}).setdefault(steps, top1)
    results = [
        published_accuracy(one, (one.dataset, one.backbone, f"shots {one.shots}"), published) for one in published.shots
    ]
    return [row for row in compare(ours, results) if row.published]


def _repeated(methods: ByMethod) -> Iterator[tuple[str, int, str, float]]:
    """(method of ours, shots, steps, top-1) of every method that repeats the released code."""
    for name, by_shots in methods.items():
        method, repeated, steps = name.partition(REPEATED)
        for shots, figures in by_shots.items() if repeated else ():
            yield method, shots, f"{repeated.removeprefix('_')}{steps}", figures.top1_mean


def _key(run: FewShotRun, method: str, shots: int) -> Key:
    return (run.dataset, run.backbone, method, str(shots), run.kind, run.shapes)


def shots_table(runs: Runs, published: Published) -> Table:
    """A row per run and number of shots, a column per method; the published curve follows in two columns of its own."""
    methods = tuple(dict.fromkeys(method for methods in runs.values() for method in methods))
    oracles = {
        method: any(figures.oracle for methods in runs.values() for figures in methods.get(method, {}).values())
        for method in methods
    }
    curve = {(accuracy.dataset, accuracy.backbone, accuracy.shots): accuracy for accuracy in published.shots}
    rows = []
    for run, by_method in runs.items():
        for shots in sorted({shots for by_shots in by_method.values() for shots in by_shots}):
            ours = (_cell(by_method.get(method, {}).get(shots)) for method in methods)
            source, *cells = _published(curve.pop((run.dataset, run.backbone, shots), None))
            rows.append((run.dataset, run.backbone, str(shots), run.kind, run.shapes, source, *ours, *cells))
    for (dataset, backbone, shots), accuracy in curve.items():
        source, *cells = _published(accuracy)
        rows.append((dataset, backbone, str(shots), "", "", source, *[""] * len(methods), *cells))
    shown = (marked(method, oracle=oracle) for method, oracle in oracles.items())
    header = ("dataset", "backbone", "shots", *RUN_COLUMNS, "source", *shown, "published before", f"published {AFTER}")
    title = "Shot curve, top-1 %: mean ± standard deviation over seeds"
    return Table("shots", title, header, tuple(rows), numeric_from=6, notes=(ARCHIVE_NOTE, ORACLE_NOTE))


def _pictures(runs: Runs) -> tuple[Picture, ...]:
    """The curve of the first run over shots, without the upper bounds."""
    if not runs:
        return ()
    run, methods = next(iter(runs.items()))
    points = {
        method: [
            curves.Point(shots, figures.top1_mean, figures.top1_std) for shots, figures in sorted(by_shots.items())
        ]
        for method, by_shots in methods.items()
        if not any(figures.oracle for figures in by_shots.values())
    }
    figure = curves.shots_figure(points, title=f"{run.dataset}, {run.backbone}, {run.kind}")
    return (picture("shots", figure, "Accuracy over shots, with a band of one standard deviation over the seeds"),)


def _cell(figures: FewShotFigures | FewShotRow | None) -> str:
    return "" if figures is None else f"{figures.top1_mean:.2f} ± {figures.top1_std:.2f}"


def _published(accuracy: Accuracy | None) -> Key:
    return ("", "", "") if accuracy is None else (accuracy.source, number(accuracy.before), number(accuracy.after))
