"""Experiment sets of params.yaml's `sweep`, listed for the report.

    python -m stages.commands.sweep kernels text_inputs

One DVC experiment a value, named <sweep>-<n>-<commit>; they run beside the workspace and leave it alone. What their
`evaluate` stages measured is written to reports/experiments/<sweep>.csv.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import dvc.api
from dvc.exceptions import DvcException

from stages.artifacts.files import write_csv
from stages.artifacts.paths import Paths
from stages.config.params import load_params
from stages.core.cli import run_command
from stages.core.errors import InputError
from stages.reporting.classification import protocols_of
from stages.reporting.experiments import COLUMNS

DVC = (sys.executable, "-m", "dvc")


def main(names: list[str]) -> None:
    """Run the named sweeps and write reports/experiments/<name>.csv each."""
    params = load_params()
    runs = [(dataset, backbone) for dataset in params.select.classification for backbone in params.select.backbones]
    baseline = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], text=True).strip()
    for name in names:
        sweep, rows = params.sweep_entry(name), []
        for number, value in enumerate(sweep.values):
            experiment = f"{name}-{number}-{baseline}"  # the name alone may stand at another commit too
            run_experiment(experiment, {sweep.param: value} | sweep.fixed, "--temp", "evaluate")
            rows += [(_shown(value), *row) for run in runs for row in _figures(experiment, *run)]
        write_csv(Paths().experiments(name), dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)))


def run_experiment(name: str, overrides: Mapping[str, object], *options: str) -> None:
    """`dvc exp run` with `overrides` (full key -> value) set, in place of an older experiment of that name."""
    # --force would replace it too, but run every stage again, from the download on
    subprocess.run([*DVC, "exp", "remove", name], capture_output=True, check=False)
    sets = [
        f"--set-param={key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in overrides.items()
    ]
    run_dvc("exp", "run", "--name", name, *sets, *options)


def run_dvc(*arguments: str) -> None:
    """Run DVC, whose stages then take this Python; InputError where it fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if subprocess.run([*DVC, *arguments], env=os.environ | {"PATH": path}, check=False).returncode:
        raise InputError(f"dvc {' '.join(arguments[:4])}: failed; its output is above")


def _shown(value) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _figures(experiment: str, dataset: str, backbone: str) -> list[tuple]:
    """(dataset, backbone, protocol, top-1, seconds of its search or empty) of one experiment."""
    metrics = _metrics(experiment, Paths().metrics(dataset, backbone))
    seconds = _metrics(experiment, Paths().seconds(dataset, backbone))
    return [
        (dataset, backbone, protocol, metrics[protocol]["top1"], seconds.get(protocol, ""))
        for protocol in protocols_of(metrics)
    ]


def _metrics(experiment: str, path: Path) -> dict:
    try:
        return dvc.api.metrics_show(str(path), rev=experiment)
    except DvcException as error:
        raise InputError(f"{path}: no metrics in experiment {experiment} ({error})") from error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.commands.sweep", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", help="sweeps of params.yaml")
    run_command(main, parser)
