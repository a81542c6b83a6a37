"""How close every stage comes to what the card can do: bare arithmetic and ours, in one run on one card.

    python tests/benchmarks/bench_gpu.py [--clouds 12308] [--shapes 672] [--only projection stages ...]

Made-up clouds of ModelNet40's number and towers with random weights: projection, bare towers in each precision and
compiled, the stages render, extract (from stored maps, from points, and with process start) and patches, few-shot
methods and a step of smooth_adapter. Each line has both sides. Without a CUDA device it says so; `--check` runs
all of it in small on the CPU, so that it is known to run, and notes nothing for the report.
"""

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from bench_fewshot import NoCheckpoint
from bench_projection import clouds
from bench_segmentation import project_all
from safetensors.torch import save_file
from timing import ROOT, best_seconds, note, seconds
from torch.nn.functional import cross_entropy, normalize

from stages import extract, patches, render
from stages.artifacts.paths import Paths
from stages.artifacts.points import write_points
from stages.artifacts.types import Clouds, PointCloudDataset
from stages.backbones.clip import ClipModel
from stages.backbones.device import choose_device
from stages.backbones.loading import build, in_bf16, load_backbone, register
from stages.backbones.precision import arithmetic
from stages.config.params import Params, as_yaml, load_params
from stages.fewshot.adapter import PaperAdapter
from stages.fewshot.augment import augment
from stages.fewshot.classifiers import AdapterClassifier, CloudClassifier, ZeroShot
from stages.fewshot.recipes import resolve_augmentation
from stages.fewshot.runs import run
from stages.fewshot.specs import RunSpec
from stages.fewshot.tasks import Task
from stages.projection import differentiable, rendering
from stages.projection.presets import PRESETS

VIEWS, POINTS, CLASSES, STEP = 10, 2048, 40, 8  # clouds of a step


class Sizes(NamedTuple):
    """How much of everything is measured."""

    clouds: int
    shapes: int
    maps: int  # through the main tower alone, `batch` at a time
    few: int  # and through each of the others
    batch: int
    shots: int
    repeats: int
    main: str  # the architecture of the stages
    others: tuple[str, ...]


OTHERS = ("RN50-quickgelu", "RN101-quickgelu", "ViT-B-32-quickgelu", "ViT-L-14-quickgelu", "ViT-H-14")
FULL = Sizes(12308, 672, 5120, 1024, 256, 16, 3, "ViT-B-16-quickgelu", OTHERS)
SMALL = Sizes(2, 1, 16, 16, 8, 2, 1, str(ROOT / "data/bundled/bundled.json"), ())


class Bench:
    """One run on one device: what it measured is printed, and noted for the report where it is no check."""

    def __init__(self, sizes: Sizes, device: torch.device, *, noted: bool):
        self.sizes, self.device, self._noted = sizes, device, noted
        self.card = torch.cuda.get_device_name() if device.type == "cuda" else "the CPU"
        self.precisions = ("fp32", "tf32", "bf16") if device.type == "cuda" else ("fp32", "bf16")

    def line(self, what: str, *, bare: float, ours: float, unit: str, of: str = "bare") -> None:
        """One comparison of rates; `of` names the first."""
        print(f"{what}: {of} {bare:,.0f} {unit}, ours {ours:,.0f} {unit}: {ours / bare:.2f}", flush=True)
        if self._noted:
            # the report's ratio is of times, the first over the second
            note(what, plain=1e3 / bare, ours=1e3 / ours, unit="ms", against=of, machine=self.card)

    def rate(self, count: int, work: Callable[[], object]) -> float:
        """How many of `count` things a second `work` does, at its best."""

        def waited() -> None:
            work()
            if self.device.type == "cuda":
                torch.cuda.synchronize()

        return count / best_seconds(waited, self.sizes.repeats)


def projection(bench: Bench, preset: str, count: int) -> None:
    """Views a second of a preset: the loops on all cores, the device, and whole grids on the device."""
    points, constants = clouds(count, POINTS), PRESETS[preset]
    there = torch.from_numpy(points).to(bench.device)
    loops = bench.rate(VIEWS * count, lambda: rendering.render(points, constants))
    whole = bench.rate(VIEWS * count, lambda: differentiable.render(there, constants, refine=lambda grid: grid))
    ours = bench.rate(VIEWS * count, lambda: differentiable.render(there, constants))
    bench.line(f"projection {preset}", bare=loops, ours=ours, unit="views/s", of="loops on all cores")
    bench.line(f"projection {preset}", bare=whole, ours=ours, unit="views/s", of="whole grids")


def towers(bench: Bench, architecture: str, maps: int) -> dict[str, float]:
    """Maps a second of a bare tower by precision, and `compiled`; prints sentences a second and compiling's seconds."""
    rates = {}
    for precision in bench.precisions:
        rates |= _tower(bench, architecture, precision, maps)
    return rates


@torch.inference_mode()
def _tower(bench: Bench, architecture: str, precision: str, maps: int) -> dict[str, float]:
    batch, name = bench.sizes.batch, Path(architecture).stem
    model, times = _random(architecture, precision).to(bench.device), -(-maps // batch)
    side = np.ravel(model.visual.image_size)[0]
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    pixels = torch.rand(batch, 3, side, side, device=bench.device, dtype=dtype)
    tokens = torch.randint(1, 100, (batch, model.context_length), device=bench.device)

    def rate(encode: Callable[[torch.Tensor], object], given: torch.Tensor) -> float:
        return bench.rate(times * batch, lambda: [encode(given) for _ in range(times)])

    with arithmetic(precision):
        rates = {precision: rate(model.encode_image, pixels)}
        sentences = rate(model.encode_text, tokens)
        print(f"tower {name} {precision}: {rates[precision]:,.0f} maps/s, {sentences:,.0f} sentences/s", flush=True)
        if precision == "bf16":
            folded = in_bf16(_random(architecture, "fp32"), _name(architecture)).eval().to(bench.device)
            rates["folded"] = rate(folded.encode_image, pixels)
            bench.line(f"tower {name} bf16", bare=rates[precision], ours=rates["folded"], unit="maps/s", of="open_clip")
        if precision == "bf16" and bench.device.type == "cuda":
            compiled = torch.compile(model.encode_image, dynamic=False)
            took = seconds(lambda: compiled(pixels))
            rates["compiled"] = rate(compiled, pixels)
            saved = 1 - rates["bf16"] / rates["compiled"]
            print(f"  compiled in {took:.0f} s: {rates['compiled']:,.0f} maps/s, {saved:.0%} of the time saved")
    return rates


def stages(bench: Bench, folder: Path, bare: dict[str, float]) -> ClipModel:
    """The stages render, extract and patches as `dvc repro` runs them, against the bare tower; returns the tower."""
    params, maps = prepare(bench, folder), bench.sizes.clouds * VIEWS
    known = {"params": params, "root": folder}
    loops = clouds(min(bench.sizes.clouds, 256), POINTS)
    loop = bench.rate(len(loops) * VIEWS, lambda: rendering.render(loops, PRESETS["v2_classification"]))
    bench.line("stage render", bare=loop, ours=maps / seconds(lambda: render.main("blobs", **known)), unit="maps/s")
    tower = bare["bf16"] if bench.device.type == "cuda" else bare["fp32"]
    ours = maps / seconds(lambda: extract.main("blobs", "bench", **known))
    bench.line("stage extract from stored maps", bare=tower, ours=ours, unit="maps/s")
    known["params"] = dataclasses.replace(params, extract=dataclasses.replace(params.extract, maps="points"))
    ours = maps / seconds(lambda: extract.main("blobs", "bench", **known))
    bench.line("stage extract from points", bare=tower, ours=ours, unit="maps/s")
    if "compiled" in bare:
        bench.line("stage extract from points", bare=bare["compiled"], ours=ours, unit="maps/s", of="compiled")
    (folder / "params.yaml").write_text(as_yaml(known["params"]))
    command = [sys.executable, "-m", "stages.extract", "blobs", "bench"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    took = seconds(lambda: subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True))
    print(f"points to features on disk, process start included: {took:.1f} s for {maps:,} maps")
    device = choose_device("auto") if bench.device.type == "cuda" else bench.device
    model = load_backbone("bench", params.backbone_entry("bench"), device=device, root=folder)
    ready = torch.rand(4, VIEWS, 224, 224).to(device)
    bare_patches = bench.rate(
        4 * VIEWS, lambda: model.encode_patches(ready, batch_size=params.patches.batch_size, resolution=224)
    )
    known["params"] = params
    ours = bench.sizes.shapes * VIEWS / seconds(lambda: patches.main("parts", "bench", **known))
    bench.line("stage patches", bare=bare_patches, ours=ours, unit="maps/s")
    return model


def prepare(bench: Bench, folder: Path) -> Params:
    """Points of both datasets and random weights in `folder`; the settings under which the stages use them."""
    split = Clouds(clouds(bench.sizes.clouds, POINTS), np.arange(bench.sizes.clouds) % CLASSES)
    names = tuple(f"class {label}" for label in range(CLASSES))
    write_points(Paths(folder).points("blobs"), PointCloudDataset(names, "y", {"test": split}))
    count = bench.sizes.shapes
    parts = np.arange(count * POINTS).reshape(count, POINTS) % 2
    shapes = Clouds(clouds(count, POINTS), np.zeros(count, np.int64), parts)
    write_points(Paths(folder).points("parts"), PointCloudDataset(("blob",), "y", {"test": shapes}, (("top", "rest"),)))
    architecture = bench.sizes.main
    save_file(_random(architecture, "fp32").state_dict(), folder / "random.safetensors")
    entry = {"architecture": architecture, "pretrained": "random.safetensors", "normalise": "none"}
    device = bench.device.type if bench.device.type == "cpu" else "auto"
    devices = {f"{section}.device": device for section in ("render", "extract", "patches", "train")}
    return load_params(ROOT, overrides={"backbone.bench": entry, **devices})


def smoothing_step(bench: Bench, model: ClipModel) -> None:
    """Steps a second of smooth_adapter, and of the frozen tower's forward and backward pass on as many maps."""
    settings, width = load_params(ROOT).train, model.encode_maps(torch.rand(1, 9, 9, device=bench.device)).shape[1]
    zero_shot = _zero_shot(width, bench.device)
    classify = AdapterClassifier(PaperAdapter(views=VIEWS, width=width), zero_shot, noise=3.0)
    learner = CloudClassifier(classify, PRESETS["v2_classification"], model.encode_maps, channels=2).to(bench.device)
    optimiser = torch.optim.SGD(learner.parameters(), 0.01, momentum=0.9, fused=True)
    points = torch.from_numpy(clouds(STEP, POINTS)).to(bench.device)
    labels = torch.arange(STEP, device=bench.device) % CLASSES
    maps = torch.rand(STEP * VIEWS, 110, 110, device=bench.device, requires_grad=True)

    def step() -> None:
        optimiser.zero_grad()
        cross_entropy(learner(augment(points, resolve_augmentation(settings))), labels).backward()
        optimiser.step()

    bare = bench.rate(1, lambda: model.encode_maps(maps).sum().backward())
    bench.line("step of smooth_adapter", bare=bare, ours=bench.rate(1, step), unit="steps/s")


def few_shot_methods(bench: Bench) -> None:
    """Seconds of each method that learns from stored features, on 640 samples in ten views of 512 numbers."""
    labels = torch.arange(CLASSES * 2 * bench.sizes.shots, device=bench.device) % CLASSES
    features = normalize(torch.randn(len(labels), VIEWS, 512, device=bench.device), dim=-1)
    names = tuple(map(str, range(CLASSES)))
    task = Task(features, labels, features[:CLASSES], names, _zero_shot(512, bench.device))
    settings = dataclasses.replace(load_params(ROOT).train, validation_fraction=0.5, epochs=2)
    for method in ("adapter", "tip_adapter", "tip_adapter_f", "linear_probe"):
        spec = RunSpec(method, bench.sizes.shots, 0)
        took = seconds(lambda spec=spec: run(task, spec, settings, lambda name: NoCheckpoint()))
        print(f"{method}, {len(labels) // 2} samples, two epochs where it has any: {took:.2f} s")


def _zero_shot(width: int, device: torch.device) -> ZeroShot:
    text = normalize(torch.randn(CLASSES, width, device=device), dim=-1)
    return ZeroShot(text, torch.full((VIEWS,), 1 / VIEWS, device=device), 100.0)


def _random(architecture: str, precision: str) -> torch.nn.Module:
    """A model with random weights, in the precision that the towers store them in, as open_clip makes it."""
    stored = "bf16" if precision == "bf16" else "fp32"
    return build(_name(architecture), precision=stored).eval().requires_grad_(False)


def _name(architecture: str) -> str:
    return register(Path(architecture)) if architecture.endswith(".json") else architecture


def projections(bench: Bench) -> None:
    """Both presets that the stages render with."""
    projection(bench, "v2_classification", min(bench.sizes.clouds, 1024))
    projection(bench, "v2_segmentation", min(bench.sizes.shapes, 32))


def main_tower(bench: Bench) -> None:
    """The tower of the stages alone, then the stages and a step of training with it."""
    bare = towers(bench, bench.sizes.main, bench.sizes.maps)
    with tempfile.TemporaryDirectory() as folder:
        model = stages(bench, Path(folder), bare)
    smoothing_step(bench, model)


def other_towers(bench: Bench) -> None:
    """The published architectures but the main one."""
    for other in bench.sizes.others:
        towers(bench, other, bench.sizes.few)


def segmentation(bench: Bench) -> None:
    """From cached patch features to IoU, which runs on the host."""
    project_all(bench.sizes.shapes, at_once=min(bench.sizes.shapes, 200))


PARTS = {
    "projection": projections,
    "stages": main_tower,
    "few_shot": few_shot_methods,
    "segmentation": segmentation,
    "towers": other_towers,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clouds", type=int, default=FULL.clouds)
    parser.add_argument("--shapes", type=int, default=FULL.shapes)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="these parts; all by default")
    parser.add_argument("--check", action="store_true", help="run all of it in small, on any device; note nothing")
    given = parser.parse_args()
    if not given.check and not torch.cuda.is_available():
        print("no CUDA device here: nothing is measured")
        return
    sizes = SMALL if given.check else FULL._replace(clouds=given.clouds, shapes=given.shapes)
    bench = Bench(sizes, torch.device("cpu") if given.check else choose_device("cuda"), noted=not given.check)
    print(f"on {bench.card}, {os.cpu_count()} cores of the host")
    for part in given.only:
        PARTS[part](bench)


if __name__ == "__main__":
    main()
