"""Seconds of training the inter-view adapter on stored features of ModelNet40's 16-shot size, random data.

    python tests/benchmarks/bench_fewshot.py [--epochs 250] [--threads 2]

Prints the seconds of 640 samples x 10 views x 512 with PointCLIP's recipe, on the clock and of processor time. Nothing
is asserted: machines differ.
"""

import argparse
import dataclasses
import time

import torch
from torch.nn.functional import normalize

from stages.config.params import load_params
from stages.fewshot.classifiers import ZeroShot
from stages.fewshot.runs import run
from stages.fewshot.specs import RunSpec
from stages.fewshot.tasks import Task

SHOTS, SPARE, VIEWS, WIDTH, CLASSES = 16, 5, 10, 512, 40


class NoCheckpoint:
    """Stores nothing."""

    def read(self) -> None:
        """Nothing was written."""

    def write(self, content: bytes) -> None:
        """Drop it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=250)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    labels = torch.arange(CLASSES * (SHOTS + SPARE)) % CLASSES
    features = normalize(torch.randn(len(labels), VIEWS, WIDTH), dim=-1)
    zero_shot = ZeroShot(normalize(torch.randn(CLASSES, WIDTH), dim=-1), torch.full((VIEWS,), 1 / VIEWS), 100.0)
    task = Task(features, labels, features[:CLASSES], tuple(map(str, range(CLASSES))), zero_shot)
    recipe = {"preset": "pointclip", "epochs": given.epochs, "patience": given.epochs, "best_on_test": False}
    recipe |= {"short_classes": "error", "validation_fraction": SPARE / (SHOTS + SPARE)}
    train = dataclasses.replace(load_params().train, **recipe)
    begun, busy = time.perf_counter(), time.process_time()
    run(task, RunSpec("adapter", SHOTS, 0), train, lambda name: NoCheckpoint())
    clock, processor = time.perf_counter() - begun, time.process_time() - busy
    print(f"{given.epochs} epochs of {CLASSES * SHOTS} x {VIEWS} x {WIDTH}, {given.threads} threads: ", end="")
    print(f"{clock:.1f} s, {processor:.1f} s of processor time")


if __name__ == "__main__":
    main()
