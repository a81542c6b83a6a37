"""The published selection, run as one: `python -m stages.commands.reproduce [--dry-run] [--yes]`.

Prints what it will fetch, under which terms, and an estimate of disk, time and cost, and asks before it starts. Then it
sets params.yaml's `paper.overrides`, runs the DAG and the sweeps, and prints a verdict for every published cell.
"""

import argparse

from stages.artifacts.files import read_text
from stages.artifacts.paths import Paths
from stages.commands import sweep
from stages.config.params import load_params
from stages.core.cli import run_command
from stages.core.errors import InputError
from stages.projection.presets import resolve
from stages.projection.views import VIEW_SETS
from stages.reporting.plan import Plan, cost_lines, download_lines, estimate_lines


def main(dry_run: bool, yes: bool) -> None:
    """Print the plan; unless `dry_run`, and with consent, run everything and print the verdicts."""
    params = load_params()
    chosen = load_params(overrides=params.paper.overrides)
    views = len(VIEW_SETS[resolve(chosen.render).view_set].names)
    plan = Plan(chosen, views=views, runs=1 + sum(len(chosen.sweep_entry(name).values) for name in params.paper.sweeps))
    print("\n".join([*download_lines(plan), *estimate_lines(plan), *cost_lines(plan)]))
    if dry_run:
        return
    if not yes and input("\nRun all of this? [y/N] ").strip().lower() != "y":
        raise InputError("stages.commands.reproduce: not started")
    sweep.run_experiment("paper", params.paper.overrides)
    sweep.main(list(params.paper.sweeps))
    sweep.run_dvc("repro", "report")
    print(read_text(Paths().table("verdicts", "md")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.commands.reproduce", description=__doc__.splitlines()[0])
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    parser.add_argument("--yes", action="store_true", help="start without asking")
    run_command(main, parser)
