"""How the benchmarks take their times, and where they note them for the report."""

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from stages.artifacts.experiments import SpeedRow, read_rows, write_rows

ROOT = Path(__file__).parents[2]
SPEED = ROOT / "reports/experiments/speed.csv"
PUBLISHED = "published arithmetic"


def best_seconds(work: Callable[[], object], repeats: int) -> float:
    """Shortest of `repeats` wall-clock times, after one call that warms up."""
    work()
    return min(seconds(work) for _ in range(repeats))


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def note(what: str, *, plain: float, ours: float, unit: str, against: str, machine: str | None = None) -> None:
    """Put one comparison into reports/experiments/speed.csv, in place of what stood there of it.

    `against` names what takes `plain`; `machine` is what it ran on, this one's cores where it is not said.
    """
    rows = {(row.what, row.against): row for row in read_rows(SPEED, SpeedRow)} if SPEED.is_file() else {}
    command = f"python {Path(sys.argv[0]).resolve().relative_to(ROOT)}"
    rounded = {"plain": float(f"{plain:.4g}"), "ours": float(f"{ours:.4g}")}
    measured = {"unit": unit, "command": command, "machine": machine or cores()}
    rows[what, against] = SpeedRow(what=what, against=against, **rounded, **measured)
    write_rows(SPEED, [rows[name] for name in sorted(rows)], SpeedRow)


def cores() -> str:
    """Number and name of this machine's cores."""
    name = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} cores of {name[1] if name else 'an unknown processor'}"
