"""Stages over many objects: seconds, memory, what shards cost, and Ray beside the local engine.

    python tests/benchmarks/bench_scale.py [--counts 1000 10000 100000] [--repeats 3] [--features 1000000] [--no-ray]

Clouds of 1,024 random points are rendered and encoded by the bundled backbone, in a folder of its own, by the stages as
a person runs them. Seconds are the clock's and the CPU's of all processes; memory is the largest resident set of any of
them, which counts a mapped file's pages. Then the hours that 800,000 objects take. The engines are compared with two
workers each, by the clock: `render` at the last count, since Ray takes seconds to start, `extract` at the second. There
one file is also compared with shards, by the least CPU seconds of some repeats in turn. The machine must be idle.
`--features` measures `search` and `evaluate` on so many generated features of one view and 512 numbers instead.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from timing import ROOT, cores

from stages.artifacts.features import write_features
from stages.artifacts.paths import Paths
from stages.artifacts.points import write_points
from stages.artifacts.prompts import write_prompts
from stages.artifacts.types import Clouds, PointCloudDataset, Prompts
from stages.config.params import as_yaml, load_params

POINTS, CLASSES, NAME, BACKBONE = 1024, 40, "generated", "bundled"
OBJAVERSE = 800_000
STAGES = {"render": (NAME,), "extract": (NAME, BACKBONE)}


class Used(NamedTuple):
    """Seconds by the clock, of all CPUs, and the largest resident set in bytes."""

    clock: float
    cpu: float
    memory: int


class GeneratedPoints:
    """An array f4 [count, POINTS, 3] of which only what is asked for is made."""

    dtype, ndim = np.dtype("f4"), 3

    def __init__(self, rows: range):
        self._rows, self.shape = rows, (len(rows), POINTS, 3)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return np.stack([np.random.default_rng(row).normal(size=(POINTS, 3)).astype("f4") for row in self._rows[rows]])


def project(folder: Path, **run) -> None:
    """A folder in which the stages run, with changes of section `run`."""
    (folder / "data").mkdir(exist_ok=True)
    if not (folder / "data/bundled").exists():
        (folder / "data/bundled").symlink_to(ROOT / "data/bundled")
    overrides = {f"run.{key}": value for key, value in run.items()}
    (folder / "params.yaml").write_text(as_yaml(load_params(ROOT, overrides=overrides)))


def new_points(folder: Path, count: int, *, shard_samples: int) -> None:
    """Points of `count` objects."""
    splits = {"test": Clouds(GeneratedPoints(range(count)), np.arange(count) % CLASSES)}
    names = tuple(f"class {n}" for n in range(CLASSES))
    write_points(Paths(folder).points(NAME), PointCloudDataset(names, "y", splits), shard_samples=shard_samples)


def measured(folder: Path, stage: str, *arguments: str) -> Used:
    """What a stage takes in a process of its own, with those that it starts."""
    command, environment = [sys.executable, "-m", f"stages.{stage}", *arguments], os.environ | {"PYTHONPATH": str(ROOT)}
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE)
    said = process.stderr.read().decode()  # until it ends
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(said)
    return Used(time.perf_counter() - begun, used.ru_utime + used.ru_stime, 1024 * used.ru_maxrss)


def anew(folder: Path, stage: str, **run) -> Used:
    """A stage from its input that is there, with changes of section `run`."""
    project(folder, **run)
    output = Paths(folder).depth(NAME) if stage == "render" else Paths(folder).features(NAME, BACKBONE).parent
    shutil.rmtree(output, ignore_errors=True)
    return measured(folder, stage, *STAGES[stage])


def by_count(folder: Path, counts: list[int]) -> Iterator[tuple[int, dict[str, Used]]]:
    """The stages at every count, printed as a table."""
    print(
        "\n| objects | stage | seconds | CPU seconds | objects a second | peak memory |\n|---:|---|---:|---:|---:|---:|"
    )
    for count in counts:
        new_points(folder, count, shard_samples=4096)
        found = {stage: anew(folder, stage, workers=1) for stage in STAGES}
        for stage, used in found.items():
            row = f"{used.clock:.1f} | {used.cpu:.1f} | {count / used.clock:.0f} | {used.memory / 1e9:.2f} GB"
            print(f"| {count:,} | {stage} | {row} |", flush=True)
        yield count, found


def engines(folder: Path, stage: str, count: int) -> None:
    """Ray beside the pool, two workers each, on the input that is there."""
    found = {name: anew(folder, stage, workers=2, shard_samples=1024, engine=name) for name in ("local", "ray")}
    rates = ", ".join(f"{name} {count / used.clock:.0f}" for name, used in found.items())
    share, largest = found["local"].clock / found["ray"].clock, max(used.memory for used in found.values())
    print(
        f"{stage} of {count:,} by two workers, objects/s: {rates}; Ray is {share:.2f} times as fast; "
        f"{largest / 1e9:.2f} GB the largest process",
        flush=True,
    )


def shards(folder: Path, stage: str, count: int, repeats: int) -> None:
    """Shards beside one file, on the input that is there."""
    rounds = [[anew(folder, stage, shard_samples=samples).cpu for samples in (count, 4096)] for _ in range(repeats)]
    one, many = map(min, zip(*rounds, strict=True))
    print(f"{stage} of {count:,}: {100 * (many / one - 1):+.1f} % CPU in shards of 4,096 beside one file", flush=True)


def hours(found: dict[int, dict[str, Used]]) -> None:
    """What all of Objaverse would take: what objects add, without the start."""
    (few, first), (many, last) = min(found.items()), max(found.items())
    for stage in STAGES:
        each = (last[stage].clock - first[stage].clock) / (many - few) if many > few else last[stage].clock / many
        print(f"{stage} of {OBJAVERSE:,} objects on this machine: {each * OBJAVERSE / 3600:.1f} hours")


def on_features(folder: Path, samples: int) -> None:
    """Memory of `search` and `evaluate`."""
    rng, names = np.random.default_rng(0), tuple(f"class {n}" for n in range(CLASSES))
    config = load_params(ROOT)
    sets = sorted({*config.search.candidates, config.search.start, *config.evaluate.protocols.values()})
    text = unit(rng, len(sets) * CLASSES, 512)
    of_class = np.tile(np.arange(CLASSES), len(sets))
    prompts = Prompts(
        of_class,
        tuple(names[n] for n in of_class),
        tuple(np.repeat(sets, CLASSES).tolist()),
        tuple(f"{name} by {prompt_set}" for prompt_set in sets for name in names),
        text,
    )
    write_prompts(Paths(folder).prompts(NAME, BACKBONE), prompts)
    splits = {
        split: (unit(rng, count, 1, 512), np.arange(count) % CLASSES)
        for split, count in (("train", min(samples, 10_000)), ("test", samples))
    }
    write_features(Paths(folder).features(NAME, BACKBONE), splits, classes=names, logit_scale=100.0)
    size = Paths(folder).features(NAME, BACKBONE).stat().st_size
    project(folder)
    for stage in ("search", "evaluate"):
        used = measured(folder, stage, NAME, BACKBONE)
        memory = f"{used.memory / 1e9:.2f} GB with what is mapped of a file of {size / 1e9:.2f} GB"
        print(f"{stage} of {samples:,} samples: {used.clock:.0f} s, {memory}", flush=True)


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random features f4 of unit norm."""
    values = rng.standard_normal(shape, np.float32)
    values /= np.linalg.norm(values, axis=-1, keepdims=True)
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--features", type=int)
    parser.add_argument("--no-ray", action="store_true")
    arguments = parser.parse_args()
    print(cores())
    with tempfile.TemporaryDirectory() as name:
        if arguments.features:
            on_features(Path(name), arguments.features)
            return
        folder, counts = Path(name), sorted(arguments.counts)
        with_ray = not arguments.no_ray and importlib.util.find_spec("ray") is not None
        hours(dict(by_count(folder, counts)))
        if with_ray:
            engines(folder, "render", counts[-1])
        new_points(folder, counts[:2][-1], shard_samples=4096)
        for stage in STAGES:
            shards(folder, stage, counts[:2][-1], arguments.repeats)
        if with_ray:
            engines(folder, "extract", counts[:2][-1])


if __name__ == "__main__":
    main()
