"""Experiment sets of params.yaml's `sweep`, listed for the report.

    python -m stages.commands.sweep kernels text_inputs

The values run one after the other in a workspace (.runs/sweeps), which leaves the checkout alone. What their `evaluate`
stages measured is written to reports/experiments/<sweep>.csv.
"""

import argparse
import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from stages.artifacts.experiments import SweepRow, read_rows, write_rows
from stages.artifacts.figures import ClassificationMetrics
from stages.artifacts.metrics import read_metrics
from stages.artifacts.paths import Paths
from stages.commands.workspace import Workspace, workspace
from stages.config.params import load_params
from stages.config.sweep import Sweep
from stages.core.cli import run_command

DONE = ".sweeps"  # in a workspace: the rows of every value that is done
Overrides = dict[str, object]


def main(names: Sequence[str], *, root: Path = Path()) -> None:
    """Run the named sweeps and write reports/experiments/<name>.csv each."""
    params = load_params(root)
    sweeps = {name: params.sweep_entry(name) for name in names}
    with workspace(root, "sweeps") as made:
        for name, sweep in sweeps.items():
            write_rows(Paths(root).experiments(name), sweep_rows(made, name, sweep, {}), SweepRow)


def sweep_rows(
    made: Workspace,
    name: str,
    sweep: Sweep,
    base: Mapping[str, object],
    *,
    missing: Container[str] = (),
    state: str | None = None,
) -> list[SweepRow]:
    """The rows of every value of `sweep` beside the overrides `base`; the workspace then has the last value's params.

    Datasets and backbones that are `missing` are left out; no row where nothing is left. With the workspace's `state`
    under `base`, the rows of an earlier run from the same state are kept.
    """
    rows = []
    for number, value in enumerate(sweep.values):
        overrides = dict(base) | {sweep.param: value} | _without(missing, sweep.fixed)
        if state is None:
            rows += _measured(made, _shown(value), overrides)
            continue
        key = hashlib.sha256(json.dumps([state, overrides], sort_keys=True).encode()).hexdigest()[:16]
        done = made.folder / DONE / f"{name}-{number}-{key}.csv"
        if not done.is_file():
            write_rows(done, _measured(made, _shown(value), overrides), SweepRow)
        rows += read_rows(done, SweepRow)
    return rows


def _without(missing: Container[str], fixed: Mapping[str, object]) -> Overrides:
    return {
        key: tuple(name for name in value if name not in missing) if key.startswith("select.") else value
        for key, value in fixed.items()
    }


def _measured(made: Workspace, value: str, overrides: Overrides) -> list[SweepRow]:
    """Run `evaluate` under `overrides`; the rows of every protocol."""
    select = load_params(made.root, overrides=overrides).select
    runs = [(dataset, backbone) for dataset in select.classification for backbone in select.backbones]
    if not runs:
        return []
    made.set_params(overrides)
    made.repro("evaluate")
    return [row for run in runs for row in _rows(made, value, *run)]


def _shown(value: str | int | float | tuple[str, ...]) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _rows(made: Workspace, value: str, dataset: str, backbone: str) -> list[SweepRow]:
    """Every protocol of one run, with the seconds of its search where `search.timed` noted them."""
    metrics = read_metrics(made.paths.metrics(dataset, backbone), ClassificationMetrics)
    searched = made.read(Paths().search(dataset, backbone))
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
