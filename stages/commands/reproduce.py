"""The published selection, run as one: `python -m stages.commands.reproduce [--check] [--yes]`.

First it looks at everything that the run needs, prints a table with what to do, and estimates disk and time from rates
measured on this machine; `--check` ends there. Then it asks, and runs the DAG and the sweeps under params.yaml's
`reproduce.overrides` in a workspace (.runs/paper), so that the checkout stays as it is. What cannot be had takes its
own cells with it and nothing else. A run that was killed goes on where it was; a finished one does nothing.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

from stages.artifacts.experiments import SweepRow, read_rows, write_rows
from stages.artifacts.files import read_text
from stages.backbones.device import choose_device
from stages.backbones.loading import fetch_weights
from stages.commands import estimate, preflight, rates
from stages.commands.check import mistakes
from stages.commands.sweep import sweep_rows
from stages.commands.workspace import FOLDER, Workspace, bytes_below, workspace
from stages.config.params import Params, load_document, load_params
from stages.core.cli import run_command
from stages.core.errors import InputError, reason
from stages.datasets.fetch import ensure_local

AXES = ("datasets", "classification", "fewshot", "segmentation", "detection", "backbones", "segmentation_backbones")
NAME = "paper"  # of the workspace
SPARE = 1.2  # of the estimated bytes, for what is not counted
Overrides = dict[str, object]


def main(check: bool = False, yes: bool = False, *, root: Path = Path()) -> None:
    """Look at what is needed; unless `check`, and with consent, run everything and print the verdicts."""
    if wrong := mistakes(load_document(root), root):
        raise InputError(f"{root / 'params.yaml'}: {wrong[0]}; `python -m stages.commands.check` tells all")
    overrides = dict(load_params(root).reproduce.overrides)
    chosen = load_params(root, overrides=overrides)
    findings = look(chosen, overrides, root)
    if any(finding.state == preflight.STOP for finding in findings):
        raise InputError("stages.commands.reproduce: not started; see the lines that begin with `stop`")
    if check:
        return
    if not yes and input("\nRun all of this? [y/N] ").strip().lower() != "y":
        raise InputError("stages.commands.reproduce: not started")
    missing = {finding.entry: finding.found for finding in findings if finding.entry}
    with workspace(root, NAME) as made:
        run(made, overrides, missing)
    print(read_text(made.paths.table("verdicts", "md")))
    print(f"the whole report: {made.paths.page()}")


def look(chosen: Params, overrides: Overrides, root: Path) -> list[preflight.Finding]:
    """Print what was found about everything that the run needs, the terms, and the estimates; give the findings."""
    findings = preflight.find(chosen, root=root)
    runs = estimate.selection_runs(root, overrides)
    print("measuring this machine ...", file=sys.stderr)
    devices = dict.fromkeys((choose_device(chosen.extract.device).type, "cpu"))
    measured = [rates.measure(chosen, torch.device(device), root=root) for device in devices]
    rows = estimate.estimate(runs, measured, root=root)
    fetched = sum(finding.fetch for finding in findings)
    written = bytes_below(root / FOLDER / NAME)  # by an earlier run that was killed
    needed = 2 * fetched + SPARE * estimate.total(rows).bytes - written  # archives are unpacked beside themselves
    findings.append(preflight.disk_finding(max(needed, 0.0), root=root))
    print(preflight.table(findings))
    print("\n".join(["", *estimate.lines(rows), "", *_terms(chosen)]))
    return findings


def run(made: Workspace, overrides: Overrides, missing: Mapping[str, str]) -> None:
    """The DAG, the sweeps and the report in the workspace; what does not come is left out and named in the report."""
    made.set_params(overrides)
    missing = dict(missing) | _not_fetched(made, overrides, missing)
    chosen = without(missing, overrides, made.root)
    made.set_params(chosen)
    made.repro("--keep-going", *made.stages(without="report"))
    made.keep()
    params, state = load_params(made.root, overrides=chosen), made.state()
    for name in params.reproduce.sweeps:
        rows = sweep_rows(made, name, params.sweep_entry(name), chosen, missing=missing, state=state)
        path = made.paths.experiments(name)
        if rows and (not path.is_file() or list(read_rows(path, SweepRow)) != rows):
            write_rows(path, rows, SweepRow)
    made.set_params(chosen)
    made.repro()


def without(missing: Mapping[str, str], overrides: Overrides, root: Path) -> Overrides:
    """`overrides` without what is `missing` (dataset or backbone -> why) on every axis; InputError if none is left."""
    select = load_params(root, overrides=overrides).select
    kept = {f"select.{axis}": tuple(name for name in getattr(select, axis) if name not in missing) for axis in AXES}
    for axis in ("datasets", "backbones"):
        if not kept[f"select.{axis}"]:
            raise InputError(f"stages.commands.reproduce: no {axis} left: {'; '.join(missing.values())}")
    return overrides | kept | {"report.not_run": dict(missing)}


def _not_fetched(made: Workspace, overrides: Overrides, missing: Mapping[str, str]) -> dict[str, str]:
    """Fetch and read every dataset and fetch every backbone's weights; why of those that do not come."""
    params, failed = load_params(made.root, overrides=overrides), {}
    for name in params.select.datasets:
        if name not in missing and not made.paths.points(name).is_file():
            try:
                ensure_local(name, params.dataset_entry(name), root=made.root)
            except InputError as error:
                failed[name] = reason(error)
    for name in dict.fromkeys((*params.select.backbones, *params.select.segmentation_backbones)):
        if name not in missing:
            try:
                fetch_weights(name, params.backbone_entry(name))
            except InputError as error:
                failed[name] = reason(error)
    for name in params.select.datasets:
        if name not in (*missing, *failed) and (said := made.repro_quietly(f"download@{name}")):
            failed[name] = said
    failed = {name: said.replace(f"{made.folder}/", "").replace(f"{made.root}/", "") for name, said in failed.items()}
    for name, said in failed.items():
        print(f"note: {name} is left out: {said}", file=sys.stderr)
    return failed


def _terms(chosen: Params) -> list[str]:
    entries = {name: chosen.dataset_entry(name) for name in chosen.select.datasets}
    return [
        "Terms",
        *(f"  {name}: {entry.licence}{f' ({entry.url})' if entry.url else ''}" for name, entry in entries.items()),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.commands.reproduce", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="look at what the run needs, and stop")
    parser.add_argument("--yes", action="store_true", help="start without asking")
    run_command(main, parser)
