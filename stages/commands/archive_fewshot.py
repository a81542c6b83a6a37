"""Keep the few-shot figures of a run for the report: `python -m stages.commands.archive_fewshot <dataset> <backbone>`.

For runs that are no part of the selection, because they are long or their data is not here. After `evaluate`; rows of
the same dataset, backbone and method are replaced.
"""

from stages.artifacts.files import read_json, read_text, write_csv
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points
from stages.core.cli import run_stage
from stages.core.errors import InputError
from stages.reporting.experiments import csv_rows
from stages.reporting.few_shot import KEPT_COLUMNS, KEPT_FIGURES


def main(dataset: str, backbone: str) -> None:
    """Write the figures of every method and number of shots to reports/experiments/few_shot.csv."""
    metrics, path = Paths().metrics(dataset, backbone), Paths().experiments("few_shot")
    figures = read_json(metrics).get("few_shot")
    if not figures:
        raise InputError(f"{metrics}: no few_shot, expected the figures of `dvc repro train evaluate`")
    run = (dataset, backbone)
    others = csv_rows(read_text(path), KEPT_COLUMNS, source=str(path)) if path.exists() else ()
    rows = [
        tuple(row.values())
        for row in others
        if (row["dataset"], row["backbone"]) != run or row["method"] not in figures
    ]
    rows += [
        (*run, _shapes(dataset), method, shots, *(one[name] for name in KEPT_FIGURES))
        for method, by_shots in figures.items()
        for shots, one in by_shots.items()
    ]
    rows.sort(key=lambda row: (*row[:4], int(row[4])))
    write_csv(path, dict(zip(KEPT_COLUMNS, zip(*rows, strict=True), strict=True)))


def _shapes(dataset: str) -> str:
    """How many shapes there are to learn from and to be scored on: a slice is not the whole dataset."""
    with open_points(Paths().points(dataset)) as points:
        return " + ".join(str(len(points.labels(split))) for split in ("train", "test"))


if __name__ == "__main__":
    run_stage(main)
