"""The published selection, run as one: `python -m stages.commands.reproduce [--dry-run] [--yes]`.

Prints what it will fetch, under which terms, and an estimate of disk, time and cost, and asks before it starts. Then it
sets params.yaml's `reproduce.overrides`, runs the DAG and the sweeps, and prints a verdict for every published cell.
"""

import argparse
from pathlib import Path

from stages.artifacts.files import read_text
from stages.artifacts.paths import Paths
from stages.commands import sweep
from stages.commands.experiment import run_dvc, run_experiment
from stages.config.params import load_params
from stages.core.cli import run_command
from stages.core.errors import InputError
from stages.fewshot.methods import learning_from_clouds
from stages.projection.settings import resolve
from stages.projection.views import VIEW_SETS
from stages.reporting.cost_estimate import CostEstimate, cost_lines, download_lines, estimate_lines


def main(dry_run: bool, yes: bool, *, root: Path = Path()) -> None:
    """Print the estimate; unless `dry_run`, and with consent, run everything and print the verdicts."""
    params = load_params(root)
    reproduce = params.reproduce
    chosen = load_params(root, overrides=reproduce.overrides)
    views = len(VIEW_SETS[resolve(chosen.render).view_set].names)
    runs = 1 + sum(len(chosen.sweep_entry(name).values) for name in reproduce.sweeps)
    cloud_methods = learning_from_clouds(chosen.train.methods) if chosen.select.fewshot else ()
    estimate = CostEstimate(chosen, views=views, runs=runs, cloud_methods=cloud_methods)
    print("\n".join([*download_lines(estimate), *estimate_lines(estimate), *cost_lines(estimate)]))
    if dry_run:
        return
    if not yes and input("\nRun all of this? [y/N] ").strip().lower() != "y":
        raise InputError("stages.commands.reproduce: not started")
    run_experiment("reproduce", reproduce.overrides, root=root)
    sweep.main(list(reproduce.sweeps), root=root)
    run_dvc("repro", "report", root=root)
    print(read_text(Paths(root).table("verdicts", "md")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.commands.reproduce", description=__doc__.splitlines()[0])
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    parser.add_argument("--yes", action="store_true", help="start without asking")
    run_command(main, parser)
