"""Few-shot figures for the report's archive: `python -m stages.commands.archive_fewshot <dataset> <backbone>`.

Trains and scores what params.yaml's `train` names in a workspace (.runs/few_shot), whether the dataset is selected or
not, and writes the figures to reports/experiments/few_shot.csv, in place of rows of the same dataset, backbone and
method. `--metrics FILE` archives figures that `evaluate_fewshot` wrote before.
"""

import argparse
from pathlib import Path

from stages.artifacts.experiments import FewShotRow, read_rows, write_rows
from stages.artifacts.figures import FewShotMetrics
from stages.artifacts.metrics import read_metrics
from stages.artifacts.paths import Paths
from stages.commands.workspace import workspace
from stages.config.params import load_params
from stages.core.cli import run_command


def main(dataset: str, backbone: str, *, metrics: Path | None = None, root: Path = Path()) -> None:
    """Write the figures of every method and number of shots to reports/experiments/few_shot.csv."""
    params, path = load_params(root), Paths(root).experiments("few_shot")
    params.dataset_entry(dataset)
    params.backbone_entry(backbone)
    kept = read_rows(path, FewShotRow) if path.exists() else ()
    measured = _run(dataset, backbone, root) if metrics is None else read_metrics(metrics, FewShotMetrics)
    rows = [
        row for row in kept if (row.dataset, row.backbone) != (dataset, backbone) or row.method not in measured.methods
    ]
    shapes = f"{measured.samples['train']} + {measured.samples['test']}"
    rows += [
        FewShotRow(
            dataset=dataset,
            backbone=backbone,
            shapes=shapes,
            method=method,
            shots=shots,
            labels_read=figures.labels_read,
            top1_mean=figures.top1_mean,
            top1_std=figures.top1_std,
            top1_low=figures.top1_low,
            top1_high=figures.top1_high,
            gain_low=figures.gain_low,
            gain_high=figures.gain_high,
        )
        for method, by_shots in measured.methods.items()
        for shots, figures in by_shots.items()
    ]
    rows.sort(key=lambda row: (row.dataset, row.backbone, row.shapes, row.method, row.shots))
    write_rows(path, rows, FewShotRow)


def _run(dataset: str, backbone: str, root: Path) -> FewShotMetrics:
    """The figures of few shots on this dataset and backbone alone."""
    select = {
        "datasets": [dataset],
        "classification": [dataset],
        "fewshot": [dataset],
        "segmentation": [],
        "detection": [],
        "backbones": [backbone],
    }
    with workspace(root, "few_shot") as made:
        made.set_params({f"select.{axis}": names for axis, names in select.items()})
        made.repro("evaluate_fewshot")
        return read_metrics(made.paths.fewshot_metrics(dataset, backbone), FewShotMetrics)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m stages.commands.archive_fewshot", description=__doc__.splitlines()[0]
    )
    parser.add_argument("dataset", help="name of the dataset in params.yaml")
    parser.add_argument("backbone", help="name of the backbone in params.yaml")
    parser.add_argument("--metrics", type=Path, help="archive this file of `evaluate_fewshot` instead of running")
    run_command(main, parser)
