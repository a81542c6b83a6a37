"""How fast part segmentation is, in one run on random patch features of CLIP ViT-B/16's shape.

    python tests/benchmarks/bench_segmentation.py [--shapes 2874] [--searched 700] [--candidates 720]

Prints the seconds of back-projection and IoU from cached half-float features, and the search of a sentence a part
against the published loop, whose cost of one candidate is measured by a dense pass over a few shapes: logits of all
patches, mean, maps of 224 x 224, look-up, IoU. Nothing is asserted about time: machines differ.
"""

import argparse
import time

import numpy as np
import torch
from timing import best_seconds
from torch.nn.functional import avg_pool2d, interpolate, pad

from stages.prompt_search.candidates import Candidates
from stages.segmentation.part_search import search_parts
from stages.segmentation.patch_config import PatchConfig
from stages.segmentation.scores import score
from stages.segmentation.shapes import Shapes

VIEWS, GRID, WIDTH, POINTS, PARTS, MAP_SIZE = 10, 14, 512, 2048, 4, 224


def shapes_of(count: int) -> Shapes:
    """Shapes with random features, pixels, visibility and labels; every shape has its own, drawn by one generator."""
    rng = np.random.default_rng(0)
    features = np.empty((count, VIEWS, GRID * GRID, WIDTH), np.float16)
    for n in range(count):
        own = rng.standard_normal((VIEWS, GRID * GRID, WIDTH), np.float32)
        features[n] = own / np.linalg.norm(own, axis=-1, keepdims=True)
    where = (count, VIEWS, POINTS)
    return Shapes(
        features=features,
        pixels=rng.integers(0, MAP_SIZE, (*where, 2), dtype=np.uint16),
        visible=rng.random(where, np.float32) < 0.6,
        sources=np.broadcast_to(np.arange(POINTS)[:, None], (count, POINTS, 1)),
        points=rng.standard_normal((count, POINTS, 3), np.float32),
        truth=rng.integers(0, PARTS, (count, POINTS)),
        parts=tuple(f"part {k}" for k in range(PARTS)),
        map_size=MAP_SIZE,
        config=PatchConfig(),
    )


def dense_pass(shapes: Shapes, text: np.ndarray) -> float:
    """One evaluation as published: maps of all parts at full size, looked up at the points; the mean IoU."""
    sentences, predicted = torch.from_numpy(text), []
    for n in range(len(shapes)):
        logits = 100 * torch.from_numpy(shapes.features[n].astype(np.float32)) @ sentences.T
        maps = logits.transpose(1, 2).unflatten(2, (GRID, GRID))
        maps = avg_pool2d(pad(maps, (2, 3, 2, 3), mode="replicate"), 6, stride=1)
        maps = interpolate(maps, (MAP_SIZE, MAP_SIZE), mode="bilinear")
        rows, columns = torch.from_numpy(shapes.pixels[n].astype(np.int64)).unbind(-1)
        at = maps[torch.arange(VIEWS)[:, None], :, rows, columns]
        predicted.append((at * torch.from_numpy(shapes.visible[n])[..., None]).sum(0).argmax(-1).numpy())
    return float(score(np.stack(predicted), shapes.truth[: len(shapes)], parts=PARTS).iou.mean())


def project_all(count: int, at_once: int = 200) -> None:
    """Print the seconds from cached features to the IoU of `count` shapes, `at_once` distinct ones in memory."""
    shapes = shapes_of(at_once)
    text = np.random.default_rng(1).standard_normal((PARTS, WIDTH)).astype(np.float32)

    def work() -> None:
        predicted = shapes.predict(text, view_weights=np.ones(VIEWS))
        score(predicted, shapes.truth, parts=PARTS)

    seconds = best_seconds(work, 2) * count / at_once
    print(f"back-projection and IoU: {count} shapes in {seconds:.1f} s (measured on {at_once})")


def search_all(count: int, per_part: int) -> None:
    """Print the seconds of one sweep over `per_part` sentences of every part on `count` shapes, against the loop."""
    shapes = shapes_of(count)
    rng = np.random.default_rng(2)
    sentences = rng.standard_normal((PARTS * per_part, WIDTH), np.float32)
    candidates = Candidates.ragged(sentences, np.arange(PARTS + 1) * per_part)
    initial = rng.standard_normal((PARTS, WIDTH), np.float32)
    begun = time.perf_counter()
    found = search_parts(shapes, candidates=candidates, initial=initial, view_weights=np.ones(VIEWS))
    ours = time.perf_counter() - begun
    few = 20
    some = shapes_of(few)
    unit = initial / np.linalg.norm(initial, axis=1, keepdims=True)
    loop = best_seconds(lambda: dense_pass(some, unit), 2) * count / few
    print(
        f"search: {count} shapes, {found.evaluations} candidates, mIoU {found.start:.4f} -> {found.value:.4f}\n"
        f"  ours {ours:.1f} s; loop {loop:.2f} s a candidate = {loop * found.evaluations:.0f} s: "
        f"{loop * found.evaluations / ours:.0f} x"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", type=int, default=2874)
    parser.add_argument("--searched", type=int, default=700)
    parser.add_argument("--candidates", type=int, default=720, help="of each part")
    arguments = parser.parse_args()
    project_all(arguments.shapes)
    search_all(arguments.searched, arguments.candidates)


if __name__ == "__main__":
    main()
