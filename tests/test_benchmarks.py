"""The benchmark of the card, and the rehearsal of the published counts, run to their ends in small."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from checkout import new_checkout

ROOT = Path(__file__).parents[1]


def run_benchmark(file, *arguments):
    command = [sys.executable, f"tests/benchmarks/{file}", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_in_small_every_line_has_both_sides_and_nothing_is_noted():
    noted = (ROOT / "reports/experiments/speed.csv").read_bytes()
    said = run_benchmark("bench_gpu.py", "--check")
    for what in ("projection v2_segmentation", "stage render", "stage extract from points", "stage patches"):
        assert f"\n{what}: " in said
    for what in ("tower bundled bf16", "process start included", "step of smooth_adapter", "linear_probe", "IoU"):
        assert what in said
    assert (ROOT / "reports/experiments/speed.csv").read_bytes() == noted


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_without_a_card_it_says_so():
    assert run_benchmark("bench_gpu.py") == "no CUDA device here: nothing is measured\n"


@pytest.mark.slow
def test_the_rehearsal_in_small_has_a_line_for_every_stage(tmp_path):
    printed = run_benchmark("rehearse_full.py", "--small").splitlines()
    rows = [line.split() for line in printed if re.fullmatch(r"\S+( +\d+\.\d+){4}", line)]
    stages = [stage.name for stage in new_checkout(tmp_path).stages() if stage.module != "stages.download"]
    assert [name for name, *_ in rows] == stages
    assert all(float(memory) > 0 for _, _, _, memory, _ in rows)
