"""How many times faster the compiled projection is than the plain dense arithmetic in torch, in one run on one core.

    python tests/benchmarks/bench_projection.py [--repeats 5] [--clouds 8]

Prints, for classification (2048 points, ten views) and segmentation (224 x 224 x 112 grid), the milliseconds per view
of the dense reference below and of `stages.projection.rendering.render`, and their ratio; then the peak memory of a
process that renders segmentation maps, and the torch path's time where there is a CUDA device. Both sides use one
thread. No time is asserted: machines differ.
"""

import argparse
import subprocess
import sys

import numpy as np
import torch
import torch.nn.functional as F
from timing import PUBLISHED, best_seconds, note

from stages.projection import differentiable
from stages.projection.kernels import kernel_weights
from stages.projection.presets import PRESETS, Projection
from stages.projection.rendering import render
from stages.projection.views import VIEW_SETS


def dense_render(points: torch.Tensor, projection: Projection) -> torch.Tensor:
    """Depth maps [N, V, R, R] by the plain dense arithmetic: every voxel of every grid pooled and convolved."""
    view_set = VIEW_SETS[projection.view_set]
    kernel = torch.from_numpy(
        kernel_weights(projection.kernel, window=projection.smooth_window, sigma=projection.sigma)
    )
    turned = points[:, None]
    for turns in torch.from_numpy(view_set.rotations()).unbind(1):
        turned = turned @ turns
    turned = turned - torch.tensor(view_set.translation)
    maps = [dense_view(view, projection, kernel) for cloud in turned for view in cloud]
    return torch.stack(maps).unflatten(0, (len(points), -1))


def dense_view(points: torch.Tensor, projection: Projection, kernel: torch.Tensor) -> torch.Tensor:
    """Depth map [R, R] of one cloud in one view, points [P, 3] already turned."""
    size, depth = projection.resolution, projection.depth
    low, high = points.amin(0), points.amax(0)
    scaled = (points - (high + low) / 2) / (high - low).max() * 2
    x, y = (((scaled[:, :2] * projection.xy_scale + 1) / 2 * size).ceil().clip(1, size - 2)).long().unbind(1)
    value = ((scaled[:, 2] + 1) / 2 + projection.depth_bias) / (1 + projection.depth_bias) * (depth - 2)
    voxel = (value.ceil().long() * size + x) * size + y
    grid = torch.zeros(depth * size * size).scatter_reduce(0, voxel, value.clip(1, depth - 2), "amax")
    grid = grid.view(1, 1, depth, size, size)
    grid = F.max_pool3d(grid, projection.densify_window, stride=1, padding=projection.densify_padding)
    grid = F.conv3d(grid, kernel[None, None], padding=tuple(width // 2 for width in kernel.shape))
    depth_map = grid[0, 0].amax(0)
    return 1 - depth_map / depth_map.max()


def clouds(count: int, points: int, *, seed: int = 0) -> np.ndarray:
    """Clouds f4 [count, points, 3] on the surface of ellipsoids and boxes in turn."""
    generator = np.random.default_rng(seed)
    directions = generator.normal(size=(count, points, 3))
    spheres = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    boxes = directions / np.abs(directions).max(-1, keepdims=True)
    surfaces = np.where(np.arange(count)[:, None, None] % 2 == 0, spheres, boxes)
    return (surfaces * generator.uniform(0.3, 1, (count, 1, 3))).astype(np.float32)


def compare(name: str, *, count: int, dense_count: int, repeats: int) -> None:
    """Print milliseconds per view of both and their ratio for one preset."""
    projection = PRESETS[name]
    points = clouds(count, 2048)
    views = projection.views
    ours = best_seconds(lambda: render(points, projection, threads=1), repeats) / (count * views)
    few = torch.from_numpy(points[:dense_count])
    dense = best_seconds(lambda: dense_render(few, projection), max(1, repeats // 2)) / (dense_count * views)
    print(f"{name}: dense {dense * 1e3:.2f} ms, ours {ours * 1e3:.3f} ms per view and core: {dense / ours:.0f} x")
    note(f"projection {name}, a view", plain=dense * 1e3, ours=ours * 1e3, unit="ms", against=PUBLISHED)


def peak_memory() -> None:
    """Print the peak resident memory of fresh processes that render segmentation maps on no, one and two threads.

    The difference from two to one is what a further worker takes; the rest is numpy, numba and the compiled code.
    """
    code = (
        "import re, sys, numpy as np; from pathlib import Path; from stages.projection.presets import PRESETS\n"
        "from stages.projection.rendering import render\n"
        "points = np.sin(np.arange(2 * 2048 * 3, dtype='f4')).reshape(2, 2048, 3)\n"
        "threads = int(sys.argv[1])\n"
        "if threads: render(points, PRESETS['v2_segmentation'], threads=threads)\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    command = [sys.executable, "-c", code]
    kilobytes = [int(subprocess.check_output([*command, str(threads)])) for threads in range(3)]
    imports, one, two = (count / 1024 for count in kilobytes)
    print(f"segmentation: {one:.0f} MB with one worker ({imports:.0f} MB imports), {two - one:.0f} MB a further one")


def on_the_gpu(count: int = 2468) -> None:
    """Print the seconds for ten classification views of ModelNet40's test set on the CUDA device, if there is one."""
    if not torch.cuda.is_available():
        print("torch path: no CUDA device here")
        return
    points = torch.from_numpy(clouds(count, 2048)).cuda()

    def work() -> None:
        differentiable.render(points, PRESETS["v2_classification"])
        torch.cuda.synchronize()

    print(f"torch path: {count} clouds x 10 views in {best_seconds(work, 3):.2f} s on {torch.cuda.get_device_name()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clouds", type=int, default=8)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    compare("v2_classification", count=arguments.clouds, dense_count=2, repeats=arguments.repeats)
    compare("v2_segmentation", count=1, dense_count=1, repeats=max(1, arguments.repeats // 3))
    peak_memory()
    on_the_gpu()


if __name__ == "__main__":
    main()
