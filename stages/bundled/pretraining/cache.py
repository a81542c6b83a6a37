"""Depth maps of training shapes, made once in parallel processes and kept on disk: u1 [N, V, r, r], mapped into memory.

A row is drawn by (seed, row, kind) alone, so the maps are the same however the work is shared out, and work that was
cut off goes on where it stopped. The folder's name has a hash of all that the maps depend on.
"""

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from stages.backbones.clip import resize
from stages.bundled.pretraining.augment import augment
from stages.bundled.pretraining.captions import Concept
from stages.bundled.procedural import generator
from stages.core.errors import InputError
from stages.language.prompts.templates import display_name
from stages.projection.presets import Projection
from stages.projection.rendering import render

BLOCK = 32  # shapes that are rendered together
PROCEDURAL, OBJECTS, PARTS = 0, 1, 2  # kinds of rows
POINTS_DRAWN = 3000
FEWEST_PART_POINTS = 128
MOST_DRAWS = 200  # of a shape until it has the part
DRAWS_AT_ONE_DENSITY = 10

Draw = Callable[[int, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Shapes:
    """What the rows of one kind show: `draw(row, rng)` gives a cloud f4 [P, 3], `kind` and `seed` their numbers."""

    kind: int
    count: int
    seed: int
    draw: Draw


@dataclass(frozen=True)
class DrawProcedural:
    """Row -> a new shape of the procedural classes in turn."""

    def __call__(self, row: int, rng: np.random.Generator) -> np.ndarray:
        return generator.generate(procedural_class(row), points=POINTS_DRAWN, rng=rng)[0]


@dataclass(frozen=True)
class DrawObject:
    """Row -> the objects' clouds f4 [N, P, 3] in turn."""

    points: np.ndarray

    def __call__(self, row: int, rng: np.random.Generator) -> np.ndarray:
        return self.points[row % len(self.points)]


@dataclass(frozen=True)
class DrawPart:
    """Row -> one part alone of a new procedural shape, the parts in turn."""

    parts: tuple[Concept, ...]

    def __call__(self, row: int, rng: np.random.Generator) -> np.ndarray:
        wanted = self.parts[row % len(self.parts)]
        for draw in range(MOST_DRAWS):  # more and more points: a small part has few of them
            drawn = POINTS_DRAWN * (1 + draw // DRAWS_AT_ONE_DENSITY)
            points, part_of, names = generator.generate(wanted.name, points=drawn, rng=rng)
            if wanted.part in names:
                shown = part_of == names.index(wanted.part)
                if shown.sum() >= FEWEST_PART_POINTS:
                    return points[shown]
        raise InputError(f"procedural class '{wanted.name}': none of {MOST_DRAWS} shapes has a '{wanted.part}' to show")


def procedural_class(row: int) -> str:
    """The procedural class that a row shows."""
    return tuple(generator.CLASSES)[row % len(generator.CLASSES)]


def procedural_names() -> tuple[str, ...]:
    """The display names of the procedural classes in the order of the rows."""
    return tuple(map(display_name, generator.CLASSES))


def depth_maps(clouds: list[np.ndarray], projection: Projection, resolution: int) -> np.ndarray:
    """Maps u1 [N, V, r, r] of clouds [P, 3], 255 the background."""
    blocks = [
        resize(torch.from_numpy(render(clouds[start : start + BLOCK], projection, threads=1)), resolution)
        for start in range(0, len(clouds), BLOCK)
    ]
    return np.concatenate([(block * 255).round().byte().numpy() for block in blocks])


def cached_maps(folder: Path, shapes: Shapes, projection: Projection, *, resolution: int, processes: int) -> np.ndarray:
    """The maps u1 [N, V, r, r] of `shapes`, mapped from `folder`; what is missing is made first."""
    folder.mkdir(parents=True, exist_ok=True)
    maps, done = folder / f"maps{shapes.kind}.npy", folder / f"done{shapes.kind}.npy"
    blocks = -(-shapes.count // BLOCK)
    shape = (shapes.count, projection.views, resolution, resolution)
    if not done.is_file():  # the marks last: a file of maps without marks is begun anew
        np.lib.format.open_memmap(maps, mode="w+", dtype=np.uint8, shape=shape)
        np.lib.format.open_memmap(done, mode="w+", dtype=np.uint8, shape=(blocks,))
    missing = np.flatnonzero(np.load(done) == 0).tolist()
    for _ in tqdm(_made(missing, (maps, done, shapes, projection, resolution), processes), total=len(missing)):
        pass
    return np.load(maps, mmap_mode="r")


def cache_name(settings: dict, *, projection: Projection, files: list[Path]) -> str:
    """A name for a cache that depends on the settings, the projection and the content of `files`."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode() + repr(projection).encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def code_of_the_shapes() -> list[Path]:
    """The files of code that say what a training shape looks like."""
    room = Path(__file__).parents[1]
    return [room / "pretraining/augment.py", *sorted((room / "procedural").glob("*.py"))]


def _made(missing: list[int], work: tuple, processes: int) -> Iterator[int]:
    if processes == 1 or len(missing) < 2:
        for block in missing:
            _make(block, *work)
            yield block
        return
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_start, initargs=(work,)) as pool:
        for future in as_completed([pool.submit(_make_started, block) for block in missing]):
            yield future.result()


_work: tuple = ()  # of this process, sent once: it holds all objects' clouds


def _start(work: tuple) -> None:
    global _work
    _work = work
    torch.set_num_threads(1)


def _make_started(block: int) -> int:
    return _make(block, *_work)


def _make(block: int, maps: Path, done: Path, shapes: Shapes, projection: Projection, resolution: int) -> int:
    """Make the maps of one block and mark it as made."""
    clouds = []
    for row in range(block * BLOCK, min((block + 1) * BLOCK, shapes.count)):
        rng = np.random.default_rng((shapes.seed, row, shapes.kind))
        clouds.append(augment(shapes.draw(row, rng), rng))
    written = np.lib.format.open_memmap(maps, mode="r+")
    written[block * BLOCK : block * BLOCK + len(clouds)] = depth_maps(clouds, projection, resolution)
    written.flush()
    marks = np.lib.format.open_memmap(done, mode="r+")
    marks[block] = 1
    marks.flush()
    return block
