"""Bytes and speed of every packed array by gzip, as it was, and by Zstandard, and what `render` takes beside its loop.

    python tests/benchmarks/bench_storage.py [--repeats 5]

Both sides of a row run in turn in this process: gzip of level 1 through HDF5 on one core, Zstandard through
`stages.artifacts` on all, and the array as it is. Then the stage `render` on home_objects and its compiled loop alone,
and the tower of `patches` on one thread with 40 maps at a time, as before, and with what it takes by itself. Times are
the least CPU seconds of all threads, which others change less than a clock's: speeds are those of one core. Of the
stage and its loop the clock's seconds are printed too.
Needs data/points: `dvc repro download`.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch
from timing import ROOT, note

from stages import render as render_stage
from stages.artifacts import packing
from stages.artifacts.depth import to_bytes
from stages.artifacts.hdf5 import append_rows, new_h5, open_h5, read_rows
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points
from stages.backbones import clip
from stages.backbones.loading import load_backbone
from stages.config.params import Params, load_params
from stages.projection.clouds import orient
from stages.projection.presets import preset_named
from stages.projection.rendering import render
from stages.projection.settings import resolve
from stages.projection.visibility import render_with_visibility

OBJECTS, SHAPES = "home_objects", "procedural_parts"
BEFORE = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


def least(
    works: dict[str, Callable[[], object]], repeats: int, *, clock: Callable[[], float] = time.process_time
) -> dict[str, float]:
    """Least seconds of each work by `clock`, all in turn, after a call of each that warms up."""

    def seconds(work: Callable[[], object]) -> float:
        start = clock()
        work()
        return clock() - start

    for work in works.values():
        work()
    rounds = [{name: seconds(work) for name, work in works.items()} for _ in range(repeats)]
    return {name: min(found[name] for found in rounds) for name in works}


def compare_codecs(key: str, rows: np.ndarray, level: int | None, folder: Path, repeats: int) -> None:
    """Print bytes, write speed and read speed of `rows`, one sample a chunk; `level` is Zstandard's, 1 when None."""
    paths = {name: folder / f"{name}.h5" for name in ("gzip", "zstandard", "plain")}

    def write_before() -> None:
        with new_h5(paths["gzip"], classes=()) as file:
            file.create_dataset("rows", data=rows, chunks=(1, *rows.shape[1:]), **BEFORE)

    def write(name: str, level: int | None) -> None:
        with new_h5(paths[name], classes=()) as file:
            append_rows(file, "rows", rows, level=level)

    def read_before() -> None:
        with h5py.File(paths["gzip"]) as file:
            file["rows"][:]

    def read(name: str) -> None:
        with open_h5(paths[name]) as file:
            read_rows(paths[name], file, "rows")

    writers = {
        "gzip": write_before,
        "zstandard": lambda: write("zstandard", level or 1),
        "plain": lambda: write("plain", None),
    }
    readers = {"gzip": read_before, "zstandard": lambda: read("zstandard"), "plain": lambda: read("plain")}
    written, taken = least(writers, repeats), least(readers, repeats)
    for name, path in paths.items():
        share, megabytes = path.stat().st_size / rows.nbytes, rows.nbytes / 1e6
        speeds = f"{megabytes / written[name]:.0f} | {megabytes / taken[name]:.0f}"
        print(f"| {key} | {name} | {100 * share:.1f} | {speeds} |", flush=True)


def arrays(params: Params) -> dict[str, tuple[np.ndarray, int | None]]:
    """Arrays of the artifacts, of a few objects and shapes, and the level that they are packed with."""
    with open_points(Paths(ROOT).points(OBJECTS)) as points:
        objects = points.points("test")
        clouds = orient(objects, points.up_axis)
    with open_points(Paths(ROOT).points(SHAPES)) as points:
        shapes, parts = orient(points.points("test", slice(32)), points.up_axis), points.parts("test", slice(32))
    views = render_with_visibility(shapes, preset_named(params.patches.preset, key="patches.preset"))
    model = load_backbone(
        "bundled_parts", params.backbone_entry("bundled_parts"), device=torch.device("cpu"), root=ROOT
    )
    features = model.encode_patches(views.depth, batch_size=40, resolution=params.patches.resolution)
    return {
        "depth: depth": (to_bytes(render(clouds, resolve(params.render))), packing.DEPTH_MAPS),
        "points: points": (objects, None),
        "points: parts": (parts, packing.PARTS),
        "patches: pixels": (views.pixels.astype("u2"), packing.PIXELS),
        "patches: visible": (views.visible, packing.VISIBILITY),
        "patches: features": (features.astype("f2"), packing.PATCH_FEATURES),
        "segments: predicted": (parts.astype("u1"), 1),
    }


def render_beside_its_loop(params: Params, folder: Path, repeats: int) -> None:
    """Print the seconds of the stage and of the projection alone."""
    source = Paths(ROOT).points(OBJECTS)
    (folder / "data/points").mkdir(parents=True)
    (folder / "data/points" / source.name).symlink_to(source)
    with open_points(source) as points:
        starts = [(split, n) for split in points.splits for n in range(0, len(points.labels(split)), 64)]
        clouds = [orient(points.points(split, slice(n, n + 64)), points.up_axis) for split, n in starts]
    projection = resolve(params.render)

    def stage() -> None:
        Paths(folder).depth(OBJECTS).unlink(missing_ok=True)
        render_stage.main(OBJECTS, params=params, root=folder)

    def loop() -> None:
        for chunk in clouds:
            render(chunk, projection)

    for clock, unit in ((time.perf_counter, "s"), (time.process_time, "s of CPU")):
        found = least({"loop": loop, "stage": stage}, repeats, clock=clock)
        ratio = found["stage"] / found["loop"]
        print(f"render: {found['stage']:.3f} {unit}, its loop alone {found['loop']:.3f}: {ratio:.2f} x", flush=True)
    # the last, which other work on the machine changes less
    note("stage render, CPU", against="its loop alone", plain=found["loop"], ours=found["stage"], unit="s")


def tower_by_maps(params: Params, repeats: int) -> None:
    """Print the seconds of 80 maps through the tower of `patches`, 40 at a time and as many as it takes by itself."""
    entry, most = params.backbone_entry("bundled_parts"), clip.CPU_PIXELS
    model = load_backbone("bundled_parts", entry, device=torch.device("cpu"), root=ROOT)
    torch.set_num_threads(1)  # threads that wait for each other would count as work
    depth = np.random.default_rng(0).random((8, 10, 110, 110), dtype="f4")

    def encode(pixels: int) -> None:
        clip.CPU_PIXELS = pixels
        model.encode_patches(depth, batch_size=40, resolution=224)

    found = least({"before": lambda: encode(40 * 224**2), "now": lambda: encode(most)}, repeats)
    ratio = found["before"] / found["now"]
    print(f"tower of patches: {found['before']:.3f} s before, {found['now']:.3f} s now: {ratio:.2f} x", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats, params = parser.parse_args().repeats, load_params(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        print("| array | stored by | bytes, % of the numbers' | write, MB/s a core | read, MB/s a core |")
        print("|---|---|---:|---:|---:|")
        for key, (rows, level) in arrays(params).items():
            compare_codecs(key, rows, level, Path(folder), repeats)
        render_beside_its_loop(params, Path(folder), repeats)
    tower_by_maps(params, repeats)


if __name__ == "__main__":
    main()
