"""Experiment sets of params.yaml's `sweep`, listed for the report.

    python -m stages.commands.sweep kernels text_inputs

The experiments run one after the other in a workspace (.runs/sweeps), which leaves the checkout alone. What their
`evaluate` stages measured is written to reports/experiments/<sweep>.csv, each protocol with McNemar's test against the
same one in the first experiment.
"""

import argparse
import hashlib
import json
import shutil
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import numpy as np

from stages.artifacts.experiments import SweepRow, read_rows, write_rows
from stages.artifacts.figures import ClassificationMetrics
from stages.artifacts.metrics import read_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.predictions import read_hits
from stages.commands.workspace import Workspace, workspace
from stages.config.params import load_params
from stages.config.sweep import Sweep, Swept
from stages.core.cli import run_command
from stages.zeroshot.metrics import mcnemar

DONE = ".sweeps"  # in a workspace: the rows of every experiment that is done, and the predictions of the first ones
Overrides = dict[str, object]
Hits = dict[str, np.ndarray]  # by protocol, bool [N]


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
    """The rows of every experiment of `sweep` beside the overrides `base`; the workspace keeps the last one's params.

    Datasets and backbones that are `missing` are left out; no row where nothing is left. With the workspace's `state`
    under `base`, the rows of an earlier run from the same state are kept.
    """
    rows, first = [], None
    for number, values in enumerate(sweep.experiments()):
        overrides = dict(base) | values | _without(missing, sweep.fixed)
        key = hashlib.sha256(json.dumps([state, overrides], sort_keys=True).encode()).hexdigest()[:16]
        done = made.folder / DONE / f"{name}-{number}-{key}.csv"
        first = first or Paths(done.with_suffix(""))  # where the first experiment's predictions are kept
        if state is None or not done.is_file():
            shown = ", ".join(map(_shown, values.values()))
            write_rows(done, _measured(made, shown, overrides, first, is_first=number == 0), SweepRow)
        rows += read_rows(done, SweepRow)
    return rows


def _without(missing: Container[str], fixed: Mapping[str, object]) -> Overrides:
    return {
        key: tuple(name for name in value if name not in missing) if key.startswith("select.") else value
        for key, value in fixed.items()
    }


def _measured(made: Workspace, shown: str, overrides: Overrides, first: Paths, *, is_first: bool) -> list[SweepRow]:
    """Run `evaluate` under `overrides`; the rows of every protocol, compared with the predictions in `first`."""
    select = load_params(made.root, overrides=overrides).select
    runs = [(dataset, backbone) for dataset in select.classification for backbone in select.backbones]
    if not runs:
        return []
    made.set_params(overrides)
    made.repro("evaluate")
    return [row for run in runs for row in _rows(made, shown, *run, _before(made, *run, first, is_first=is_first))]


def _shown(value: Swept) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _before(made: Workspace, dataset: str, backbone: str, first: Paths, *, is_first: bool) -> Hits:
    """What the first experiment had right, by protocol; nothing where it is this one, which is kept for the others."""
    kept = first.predictions(dataset, backbone)
    if is_first:
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made.paths.predictions(dataset, backbone), kept)
        return {}
    return read_hits(kept) if kept.is_file() else {}


def _rows(made: Workspace, shown: str, dataset: str, backbone: str, before: Hits) -> list[SweepRow]:
    """Every protocol of one run, with the seconds of its search where `search.timed` noted them."""
    metrics = read_metrics(made.paths.metrics(dataset, backbone), ClassificationMetrics)
    searched = made.read(Paths().search(dataset, backbone))
    hits = read_hits(made.paths.predictions(dataset, backbone))
    return [
        SweepRow(
            value=shown,
            dataset=dataset,
            backbone=backbone,
            protocol=protocol,
            top1=figures.top1,
            seconds=searched.get(protocol, {}).get("seconds"),
            top1_low=figures.top1_low,
            top1_high=figures.top1_high,
            mcnemar_p=_p(hits[protocol], before.get(protocol)),
        )
        for protocol, figures in metrics.protocols.items()
    ]


def _p(hits: np.ndarray, before: np.ndarray | None) -> float | None:
    """McNemar's p of two runs on the same samples; None where there is nothing to compare with."""
    return round(mcnemar(hits, before), 4) if before is not None and len(before) == len(hits) else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.commands.sweep", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", help="sweeps of params.yaml")
    run_command(main, parser)
