"""Every stage at the published counts, with random weights of the published backbones: seconds, bytes and peak memory.

    python tests/benchmarks/rehearse_full.py            # for a machine with CUDA
    python tests/benchmarks/rehearse_full.py --small    # a few clouds with the bundled weights, to see that it runs

9,840 + 2,468 clouds, 2,874 shapes and 312 scans are the bundled ones, again and again with noise. Nothing is fetched.
"""

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))
import numpy as np
import torch
from checkout import Checkout, Stage, contents, new_checkout

from stages.artifacts.paths import Paths
from stages.artifacts.points import write_points
from stages.artifacts.scenes import write_scenes
from stages.artifacts.types import Clouds
from stages.backbones.loading import build
from stages.config.params import load_params
from stages.datasets.registry import read

COUNTS = {"home_objects": {"train": 9840, "test": 2468}, "procedural_parts": {"test": 2874}}  # samples of each split
SCANS = 312
SMALL = {"home_objects": {"train": 80, "test": 40}, "procedural_parts": {"test": 16}}
NOISE = 0.002  # of a cloud's coordinates
BACKBONES = ("rn50", "rn101", "vit_b32", "vit_b16")
SETTINGS = {
    "select.fewshot": ["home_objects"],
    "train.methods": ["smooth_adapter", "adapter", "tip_adapter", "tip_adapter_f", "linear_probe"],
    "train.shots": [16],
    "train.seeds": [0],
    "download.max_samples": None,
    "detect.max_scans": None,
}
SMALL_SETTINGS = SETTINGS | {"train.methods": ["adapter"], "train.shots": [1], "detect.max_scans": 2}


def main(small: bool) -> None:
    """Print a line a stage."""
    if not (small or torch.cuda.is_available()):
        print("no CUDA: this takes days without one; --small shows that it runs")
        return
    with tempfile.TemporaryDirectory() as folder:
        checkout = new_checkout(Path(folder)) if small else _full_checkout(Path(folder))
        checkout.set_params(SMALL_SETTINGS if small else SETTINGS)
        _enlarge(checkout, SMALL if small else COUNTS, scans=3 if small else SCANS)
        print(torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU")
        print(f"{'stage':44}{'seconds':>9}{'GB':>9}{'GB memory':>11}{'GB on GPU':>11}", flush=True)
        for stage in checkout.stages():
            if stage.module != "stages.download":
                print(_line(checkout, stage, small=small), flush=True)


def _full_checkout(root: Path) -> Checkout:
    """The published backbones with random weights, in files."""
    checkout = new_checkout(root)
    checkout.root.joinpath("params.yaml").write_text(Path(__file__).parents[2].joinpath("params.yaml").read_text())
    entries = load_params(root).backbone
    settings = {"select.backbones": list(BACKBONES), "select.segmentation_backbones": ["vit_b16"]}
    for name in BACKBONES:
        file = f"data/weights/{name}.pt"
        torch.save(build(entries[name].architecture).state_dict(), root / file)
        settings[f"backbone.{name}.pretrained"] = file
    checkout.set_params(settings)
    return checkout


def _enlarge(checkout: Checkout, counts: dict[str, dict[str, int]], *, scans: int) -> None:
    """Write data/points with as many samples as `counts` says."""
    params, paths, rng = load_params(checkout.root), Paths(checkout.root), np.random.default_rng(0)
    for name, splits in counts.items():
        dataset = read(name, params.dataset_entry(name), root=checkout.root)
        grown = {split: _repeated(dataset.splits[split], count, rng) for split, count in splits.items()}
        write_points(paths.points(name), replace(dataset, splits=dataset.splits | grown))
    rooms = read("rooms", params.dataset_entry("rooms"), root=checkout.root)
    test = rooms.splits["test"]
    many = tuple(replace(test[row % len(test)], name=f"scan_{row:04}") for row in range(scans))
    write_scenes(paths.points("rooms"), replace(rooms, splits=rooms.splits | {"test": many}))


def _repeated(clouds: Clouds, count: int, rng: np.random.Generator) -> Clouds:
    """`count` clouds, evenly of the given ones or all of them again and again, each moved by noise."""
    given = len(clouds.points)
    rows = np.arange(count) * given // count if count < given else np.arange(count) % given
    chosen = clouds.rows(rows)
    noise = rng.normal(scale=NOISE, size=chosen.points.shape).astype("f4")
    return replace(chosen, points=chosen.points + noise)


def _line(checkout: Checkout, stage: Stage, *, small: bool) -> str:
    seconds, memory, on_gpu = _run_here(checkout, stage) if small else _run_apart(checkout, stage)
    size = sum(map(len, contents(checkout.root, stage.outs).values()))
    return f"{stage.name:44}{seconds:9.1f}{size / 1e9:9.3f}{memory / 1e9:11.2f}{on_gpu / 1e9:11.2f}"


def _run_here(checkout: Checkout, stage: Stage) -> list[float]:
    """In this process, which has imported everything: the memory is that of all stages so far."""
    with chdir(checkout.root):
        return measured(stage.module, stage.arguments)


def _run_apart(checkout: Checkout, stage: Stage) -> list[float]:
    """In a process of its own, whose memory is the stage's."""
    command = [sys.executable, __file__, "--stage", json.dumps([stage.module, stage.arguments])]
    done = subprocess.run(command, cwd=checkout.root, env=checkout.environment(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{stage.name} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measured(module: str, arguments: list[str]) -> list[float]:
    """Seconds of one stage, bytes of this process's peak memory and of that on the GPU."""
    begun = time.perf_counter()
    importlib.import_module(module).main(*arguments)
    seconds = time.perf_counter() - begun
    on_gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return [seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, on_gpu]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a few clouds with the bundled weights, on any machine")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stage:
        print(json.dumps(measured(*json.loads(arguments.stage))))
    else:
        main(arguments.small)
