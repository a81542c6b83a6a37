"""Whole stages, started as `dvc repro` starts them, against an earlier commit; and `pointclip classify` of one mesh.

    git worktree add ../before <commit>  # with data/bundled
    python tests/benchmarks/bench_stages.py --before ../before [--repeats 2]

Both trees run in turn, with start and end of the process; the least wall-clock and the least CPU times are compared.
Both use every core. OpenMP's threads sleep while they wait (OMP_WAIT_POLICY=passive): with other work on the machine
they would take most of the time from each other. Without `--before` only `pointclip classify` is timed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import ROOT, note

STAGES = {"render": ["home_objects"], "patches": ["procedural_parts", "bundled_parts"]}
NEEDED = (["download", "home_objects"], ["download", "procedural_parts"])
BOX = "OFF\n4 4 0\n0 0 0\n1 0 0\n0 2 0\n0 0 1\n3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n"


def run(tree: Path, module: str, *arguments: str) -> tuple[float, float]:
    """Wall-clock and CPU seconds of `python -m module` in a tree."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_WAIT_POLICY": "passive"}
    before, start = os.times(), time.perf_counter()
    command = [sys.executable, "-m", module, *arguments]
    subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, os.times()
    return wall, sum(after[2:4]) - sum(before[2:4])


def least(runs: list[tuple[float, float]]) -> tuple[float, float]:
    """Least wall-clock and least CPU seconds."""
    walls, cpus = zip(*runs, strict=True)
    return min(walls), min(cpus)


def compare(before: Path, repeats: int) -> None:
    """Print and note every stage of both trees, and all stages together."""
    for tree in (before, ROOT):
        for stage, *arguments in NEEDED:
            run(tree, f"stages.{stage}", *arguments)
        run(tree, "stages.render", *STAGES["render"])  # compiles the loops where that is still to be done
    runs = {(stage, tree): [] for stage in STAGES for tree in (before, ROOT)}
    for _ in range(repeats):
        for (stage, tree), found in runs.items():
            found.append(run(tree, f"stages.{stage}", *STAGES[stage]))
            print(f"{stage} in {tree.name}: {found[-1][0]:.1f} s, {found[-1][1]:.1f} s of CPU", flush=True)
    found = {key: least(several) for key, several in runs.items()}
    for clock, name in enumerate(("wall clock", "CPU")):
        old, new = (sum(found[stage, tree][clock] for stage in STAGES) for tree in (before, ROOT))
        print(f"stages render and patches, {name}: {old:.1f} s before, {new:.1f} s now: {old / new:.2f} x", flush=True)
    # the last, which other work on the machine changes less
    note("stages render and patches, CPU", against="an earlier commit", plain=old, ours=new, unit="s")


def classify(repeats: int) -> None:
    """Print the seconds of naming one mesh, with the start of the process and everything in the caches."""
    with tempfile.TemporaryDirectory() as folder:
        mesh = Path(folder) / "mesh.off"
        mesh.write_text(BOX)
        asked = ["classify", str(mesh), "--labels", "chair, box, lamp"]
        wall, cpu = least([run(ROOT, "stages.commands.pointclip", *asked) for _ in range(repeats + 1)])
    print(f"pointclip classify, one mesh: {wall:.1f} s, {cpu:.1f} s of CPU", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="a tree of the earlier commit")
    parser.add_argument("--repeats", type=int, default=2)
    asked = parser.parse_args()
    if asked.before:
        compare(asked.before.resolve(), asked.repeats)
    classify(asked.repeats)


if __name__ == "__main__":
    main()
