"""How close stage extract comes to a bare `encode_image` loop over tensors already in memory, in one run.

    python tests/benchmarks/bench_extract.py [--samples 50] [--repeats 9] [--architecture ViT-B-32] [--threads 1]

The stage reads compressed maps from disk, makes them f4, resizes and encodes them; the loop encodes. Both are timed
in turn, and the median of the ratios is printed, for the bundled backbone and for a large architecture with random
weights, with images per second. On a machine that is busy with other things the ratio of processor times, which counts
what is hidden behind the encoder as well, says more. Nothing is asserted about time: machines differ.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import torch
from timing import seconds

from stages.artifacts.depth import new_depth, open_depth
from stages.artifacts.shards import Shard, numbered
from stages.artifacts.unfinished import new_folder
from stages.backbones.clip import ClipModel
from stages.backbones.device import choose_device
from stages.backbones.loading import build, register
from stages.backbones.weights import read_weights
from stages.projection.presets import PRESETS
from stages.projection.rendering import render

BATCH = 250  # maps: 25 clouds in ten views


def bundled() -> torch.nn.Module:
    """The bundled model."""
    model = build(register(Path("data/bundled/bundled.json")))
    model.load_state_dict(read_weights(Path("data/bundled/bundled.safetensors")).state)
    return model


def write_maps(path: Path, samples: int) -> None:
    """Rendered maps as stage render writes it, of random ellipsoids."""
    generator = np.random.default_rng(0)
    directions = generator.normal(size=(samples, 1024, 3))
    points = (
        directions / np.linalg.norm(directions, axis=-1, keepdims=True) * generator.uniform(0.3, 1, (samples, 1, 3))
    )
    projection = PRESETS["v2_classification"]
    views = projection.view_names
    shard = Shard(numbered(0), {"test": (0, samples)})
    with (
        new_folder(path, [shard]) as unfinished,
        unfinished.new_shard(shard) as file,
        new_depth(file, classes=["blob"], views=views, polarity="white_background", dtype="u1") as writer,
    ):
        writer.append("test", writer.packed(render(points.astype("f4"), projection)), np.zeros(samples, "i8"))


def compare(name: str, model: torch.nn.Module, path: Path, *, repeats: int, device: torch.device) -> None:
    """Print the stage's share of the loop's throughput, and both throughputs."""
    clip = ClipModel(model, open_clip.tokenize, normalisation="none", device=device)

    @torch.inference_mode()
    def loop() -> None:
        for batch in pixels:
            model.encode_image(batch)
        _finish(device)

    with open_depth(path) as maps:
        rows, step = slice(0, maps.counts["test"]), BATCH // len(maps.views)
        images = rows.stop * len(maps.views)
        pixels = torch.rand(images, 3, clip.resolution, clip.resolution, device=device).split(BATCH)

        def stage() -> None:
            tower = clip.image_tower(batch_size=BATCH, maps=images)
            chunks, shape = maps.chunks("test", rows, step), (rows.stop, len(maps.views))
            clip.encode_pieces(chunks, shape, batch_size=BATCH, tower=tower)

        loop(), stage()
        runs = [(*both_seconds(loop), *both_seconds(stage)) for _ in range(repeats)]
        reading = seconds(lambda: [None for _ in maps.chunks("test", rows, step)])
    wall = statistics.median(loop_wall / stage_wall for loop_wall, _, stage_wall, _ in runs)
    processor = statistics.median(loop_time / stage_time for _, loop_time, _, stage_time in runs)
    loop_wall, _, stage_wall, _ = (images / statistics.median(times) for times in zip(*runs, strict=True))
    print(
        f"{name}: {images} images, loop {loop_wall:.0f} a second, stage {stage_wall:.0f}: {wall:.1%} "
        f"(of processor time {processor:.1%}; reading alone {images / reading:.0f} a second)",
        flush=True,
    )


def both_seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock time of one call, and the processor time of all threads."""
    start = time.process_time()
    wall = seconds(work)
    return wall, time.process_time() - start


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=50, help="clouds in ten views; ten times as many for bundled")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--architecture", default="ViT-B-32")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1, help="of the encoder; reading has its own")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "maps"
        write_maps(path, 10 * arguments.samples)
        compare("bundled", bundled(), path, repeats=arguments.repeats, device=device)
        write_maps(path, arguments.samples)
        large = build(arguments.architecture)
        compare(arguments.architecture, large, path, repeats=arguments.repeats, device=device)


if __name__ == "__main__":
    main()
