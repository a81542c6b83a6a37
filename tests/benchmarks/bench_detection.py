"""Seconds of 3DETR-m at its official size on one scan and of average precision, and what the compiled loops gain.

    python tests/benchmarks/bench_detection.py [--points 40000] [--scenes 1000] [--boxes 256] [--threads 2]

Prints 3DETR-m's seconds a scan (random weights; also on CUDA where it is present), those of its point sampling and
neighbours beside the plain torch operations that CUDA uses, and those of average precision over many scenes at two
thresholds. Nothing is asserted about time: machines differ.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from timing import best_seconds

from stages.detection.average_precision import evaluate
from stages.detection.detr3d import operators
from stages.detection.detr3d.model import Detr3d
from stages.detection.detr3d.network import Architecture, Network

OFFICIAL = Architecture(
    masked=True,
    sampled_points=2048,
    queries=256,
    classes=18,
    encoder_width=256,
    encoder_heads=4,
    encoder_hidden=128,
    encoder_layers=3,
    decoder_width=256,
    decoder_heads=4,
    decoder_hidden=256,
    decoder_layers=8,
)


def room(points: int) -> np.ndarray:
    """A scan f4 [1, points, 3] of 8 x 6 x 2.5 m: floor, walls and boxes in it."""
    generator = np.random.default_rng(0)
    extent = np.array([8.0, 6.0, 2.5])
    scan = generator.uniform(0, 1, (points, 3)) * extent
    face = generator.integers(0, 3, points)
    scan[face == 0, 2] = 0
    scan[face == 1, 0] = 0
    return scan[None].astype(np.float32)


def scene_sets(scenes: int, boxes: int, *, classes: int = 18, true_boxes: int = 14) -> tuple[list, list]:
    """Predictions with probabilities of every class around the true boxes of many made-up scenes, and those."""
    generator = np.random.default_rng(0)
    predictions, truths = [], []
    for _ in range(scenes):
        truth = np.concatenate(
            [generator.uniform(0, 8, (true_boxes, 3)), generator.uniform(0.3, 2, (true_boxes, 3))], 1
        )
        near = truth[generator.integers(0, true_boxes, boxes)] * generator.normal(1, 0.05, (boxes, 6))
        probabilities = generator.dirichlet(np.ones(classes), boxes).astype(np.float32)
        predictions.append((near, probabilities, generator.uniform(0, 1, boxes).astype(np.float32)))
        truths.append((truth, generator.integers(0, classes, true_boxes)))
    return predictions, truths


def cpu_seconds(work: Callable[[], object]) -> float:
    """Seconds of all cores that one call takes: what remains of the time where other processes share the machine."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compare_operators(scan: torch.Tensor) -> None:
    """Seconds of 512 farthest points and of 2048 points' neighbours, compiled and by torch operations, on the CPU."""
    order = operators._tie_order(scan.shape[1])
    ordered = scan[:, order].contiguous()
    centres = scan[:, :2048].contiguous()
    compiled = best_seconds(lambda: operators.sample_farthest(scan, 512), 3)
    plain = best_seconds(lambda: operators._sample_in_torch(ordered, 512), 1)
    print(f"farthest points   compiled {compiled:.3f} s  torch {plain:.3f} s  ratio {plain / compiled:.1f}")
    compiled = best_seconds(lambda: operators.query_ball(scan, centres, radius=0.2, count=64), 3)
    plain = best_seconds(
        lambda: [
            operators._query_in_torch(scan, part, 0.04, 64) for part in centres.split(operators.CENTRES_AT_ONCE, 1)
        ],
        1,
    )
    print(f"ball query        compiled {compiled:.3f} s  torch {plain:.3f} s  ratio {plain / compiled:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=40_000)
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument("--boxes", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    scan = room(arguments.points)
    torch.manual_seed(0)
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        detr3d = Detr3d(Network(OFFICIAL).eval().requires_grad_(False), device=torch.device(device))
        seconds = best_seconds(partial(detr3d, scan), 3)
        cores = cpu_seconds(partial(detr3d, scan))
        print(f"3DETR-m           {seconds:.2f} s a scan of {arguments.points} points on {device}, {cores:.2f} of CPU")
    compare_operators(torch.from_numpy(scan))
    predictions, truths = scene_sets(arguments.scenes, arguments.boxes)
    seconds = best_seconds(lambda: evaluate(predictions, truths, classes=18), 3)
    cores = cpu_seconds(lambda: evaluate(predictions, truths, classes=18))
    print(
        f"average precision {seconds:.2f} s for {len(truths)} scenes x {arguments.boxes} boxes, {cores:.2f} CPU seconds"
    )


if __name__ == "__main__":
    main()
