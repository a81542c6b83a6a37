"""The benchmark of the card runs to its end in small, and ends in peace where there is no card."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]


def bench_gpu(*arguments):
    command = [sys.executable, "tests/benchmarks/bench_gpu.py", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_in_small_every_line_has_both_sides_and_nothing_is_noted():
    noted = (ROOT / "reports/experiments/speed.csv").read_bytes()
    said = bench_gpu("--check")
    for what in ("projection v2_segmentation", "stage render", "stage extract from points", "stage patches"):
        assert f"\n{what}: " in said
    for what in ("tower bundled bf16", "process start included", "step of smooth_adapter", "linear_probe", "IoU"):
        assert what in said
    assert (ROOT / "reports/experiments/speed.csv").read_bytes() == noted


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_without_a_card_it_says_so():
    assert bench_gpu() == "no CUDA device here: nothing is measured\n"
