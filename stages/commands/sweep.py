"""Experiment sets of params.yaml's `sweep`, listed for the report.

    python -m stages.commands.sweep kernels text_inputs

One DVC experiment a value, named <sweep>-<n>-<commit>; they run beside the workspace and leave it alone. What their
`evaluate` stages measured is written to reports/experiments/<sweep>.csv.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from stages.artifacts.experiments import SweepRow, write_rows
from stages.artifacts.figures import ClassificationMetrics
from stages.artifacts.metrics import parse_metrics
from stages.artifacts.paths import Paths
from stages.commands.experiment import experiment_name, read_output, run_experiment
from stages.config.params import load_params
from stages.core.cli import run_command


def main(names: Sequence[str], *, root: Path = Path()) -> None:
    """Run the named sweeps and write reports/experiments/<name>.csv each."""
    params = load_params(root)
    runs = [(dataset, backbone) for dataset in params.select.classification for backbone in params.select.backbones]
    for name, sweep in {name: params.sweep_entry(name) for name in names}.items():
        rows = []
        for number, value in enumerate(sweep.values):
            experiment = experiment_name(f"{name}-{number}", root=root)
            run_experiment(experiment, {sweep.param: value} | sweep.fixed, "--temp", "evaluate", root=root)
            rows += [row for run in runs for row in _rows(experiment, _shown(value), *run, root=root)]
        write_rows(Paths(root).experiments(name), rows, SweepRow)


def _shown(value: str | int | float | tuple[str, ...]) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _rows(experiment: str, value: str, dataset: str, backbone: str, *, root: Path) -> list[SweepRow]:
    """Every protocol of one experiment, with the seconds of its search where `search.timed` noted them."""
    source, chosen = Paths().metrics(dataset, backbone), Paths().search(dataset, backbone)
    document = read_output(experiment, source, root=root)
    metrics = parse_metrics(document, ClassificationMetrics, source=f"{source} of experiment {experiment}")
    searched = read_output(experiment, chosen, root=root)
    return [
        SweepRow(
            value=value,
            dataset=dataset,
            backbone=backbone,
            protocol=protocol,
            top1=figures.top1,
            seconds=searched.get(protocol, {}).get("seconds"),
        )
        for protocol, figures in metrics.protocols.items()
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.commands.sweep", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", help="sweeps of params.yaml")
    run_command(main, parser)
