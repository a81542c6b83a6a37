"""How fast a folder is indexed beside projection and encoder alone, and a large library searched.

    python tests/benchmarks/bench_library.py [--meshes 1000] [--objects 100000] [--width 128] [--repeats 3]

Indexing: as many small meshes as asked for, written to a temporary folder, by `PointClip.index` (reading, sampling,
hashing, thumbnails and the library file included); beside it, in the same run, projection and encoder alone on these
clouds, which are in memory. Both sides have a thread for each core, with batches of its own; the model is loaded and
the projection compiled before. Searching: random features, pooled in memory as an open library has them, from the
query to the sorted best ten; encoding the words is not in it. Nothing is asserted about time: machines differ.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import trimesh
from timing import best_seconds, cores, seconds

from stages import PointClip
from stages.backbones.device import one_core_a_thread
from stages.core.threads import available_cores
from stages.own.index import AT_ONCE
from stages.own.inputs import read_cloud
from stages.projection.rendering import render
from stages.retrieval.pooling import POOLINGS, pool, ranked, scores

VIEWS, TOP = 10, 10


def write_meshes(folder: Path, count: int) -> list[Path]:
    """Boxes, balls and cylinders of different proportions, 12 to 320 triangles each."""
    rng, files = np.random.default_rng(0), []
    makers = (
        lambda: trimesh.creation.box((1, 1, 1)),
        lambda: trimesh.creation.icosphere(subdivisions=2),
        lambda: trimesh.creation.cylinder(1, 2, sections=24),
    )
    for number in range(count):
        mesh = makers[number % len(makers)]()
        mesh.apply_scale(rng.uniform(0.3, 2, 3))
        files.append(folder / f"mesh_{number:05d}.ply")
        mesh.export(files[-1])
    return files


def compare_indexing(count: int, *, repeats: int) -> None:
    """Print objects a second of indexing, of projection and encoder alone, and the ratio."""
    model = PointClip("bundled", device="cpu")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "meshes"
        folder.mkdir()
        files = write_meshes(folder, count)
        clouds = [read_cloud(file, source=str(file), points=model.points).points for file in files]
        depth = render(clouds[: 4 * AT_ONCE], model._projection)
        model._clip.encode_depth(depth, batch_size=AT_ONCE * VIEWS)

        def batch(start: int) -> None:
            maps = render(clouds[start : start + AT_ONCE], model._projection, threads=1)
            model._clip.encode_depth(maps, batch_size=AT_ONCE * VIEWS)

        def alone() -> None:
            with one_core_a_thread(), ThreadPoolExecutor(available_cores()) as pool:
                list(pool.map(batch, range(0, len(clouds), AT_ONCE)))

        ways = {"alone": alone, "index": lambda: model.index(folder, Path(place) / "library.parquet", anew=True)}
        taken = {name: [] for name in ways}
        for _ in range(repeats):  # by turns, so that other work on the machine meets both
            for name, way in ways.items():
                taken[name].append(wall_and_cpu(way))
        again = seconds(lambda: model.index(folder, Path(place) / "library.parquet"))
    (alone_wall, alone_cpu), (wall, cpu) = (np.min(taken[name], axis=0) for name in ways)
    print(f"index: {count} meshes, {cores()}")
    print(f"  projection and encoder alone {count / alone_wall:.0f} objects a second, index {count / wall:.0f}", end="")
    print(f": {alone_wall / wall:.2f} x")
    print(f"  time of the CPU, which other work on the machine does not count in: {alone_cpu / cpu:.2f} x")
    print(f"  indexed again, nothing changed: {again:.2f} s")


def wall_and_cpu(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that one call takes, and seconds of the CPU in all threads."""
    start = time.process_time()
    return seconds(work), time.process_time() - start


def time_search(objects: int, *, width: int, repeats: int) -> None:
    """Print milliseconds of one search under every pooling."""
    generator = np.random.default_rng(0)
    features = generator.standard_normal((objects, VIEWS, width), dtype=np.float32).astype(np.float16)
    query = generator.standard_normal((1, width), dtype=np.float32)
    print(f"search: {objects} objects x {VIEWS} views, {width} numbers a feature, {cores()}")
    for pooling in POOLINGS:
        start = time.perf_counter()
        vectors = pool(features, pooling)
        opened = time.perf_counter() - start
        taken = best_seconds(lambda vectors=vectors: ranked(scores(vectors, query), top=TOP), repeats)
        print(
            f"  {pooling:4}  {1e3 * taken:6.1f} ms a search; pooled once in {opened:.1f} s, {vectors.nbytes >> 20} MB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--meshes", type=int, default=1000)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=128, help="numbers a feature: 128 bundled, 512 ViT-B/16")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    time_search(arguments.objects, width=arguments.width, repeats=5 * arguments.repeats)
    compare_indexing(arguments.meshes, repeats=arguments.repeats)


if __name__ == "__main__":
    main()
