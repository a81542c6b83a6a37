"""A download of a large set that was stopped or killed goes on behind its last full shard, to the same bytes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import raw_layouts
import yaml
from checkout import contents

from stages import download
from stages.core.errors import InputError
from stages.datasets import objects, reading

ROOT = Path(__file__).parents[1]
OBJECTS = 40
BAD = (3, 17)  # objects of train that cannot be read


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of 40 clouds, two of them bad, and `run(**settings)`, which downloads it in small pieces and shards."""
    rng = np.random.default_rng(0)
    for number in range(OBJECTS):
        split = "train" if number % 2 else "test"
        path = tmp_path / f"raw/{split}/{'ab'[number % 3 == 0]}/{number:02}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rng.normal(size=(9, 3)).astype("f4"))
        if number in BAD:
            path.write_text(f"no array {number}")
    monkeypatch.setattr(reading, "PIECE", 3)
    monkeypatch.chdir(tmp_path)

    def run(*, reader="folder", shard_samples=4, **settings):
        configure(tmp_path, reader, shard_samples, settings)
        download.main("mine")

    return tmp_path, run


def configure(root, reader, shard_samples, settings):
    document = yaml.safe_load((ROOT / "params.yaml").read_text())
    document["dataset"]["mine"] = {"reader": reader, "path": "raw", "up_axis": "y", "licence": "t", "num_points": 5}
    chosen = {"reject_at_most": len(BAD), "sampling": "random", "num_points": None, "validation_fraction": 0.25}
    document["download"] |= chosen | settings
    document["run"]["shard_samples"] = shard_samples
    (root / "params.yaml").write_text(yaml.safe_dump(document))


def written(root):
    """Points, list of what was rejected, and that nothing lies beside them."""
    assert not (root / "data/points/.mine.partial").exists()
    return contents(root, ["data/points/mine", "data/points/mine.rejected.csv"])


def full_shards(root):
    return len(list((root / "data/points/.mine.partial").glob("*.json")))


def stop_at(monkeypatch, shards, *, end=KeyboardInterrupt):
    """The run ends when so many shards are in place, before they are entered."""
    replace, placed = os.replace, []

    def stopping(source, target):
        replace(source, target)
        if Path(target).parent.name == "shards":
            placed.append(target)
            if len(placed) == shards:
                raise end

    monkeypatch.setattr(os, "replace", stopping)


def read_files(monkeypatch):
    """Names of the files that are read from now on."""
    found, read = [], objects.read_geometry

    def noting(path, **options):
        found.append(path.name)
        return read(path, **options)

    monkeypatch.setattr(objects, "read_geometry", noting)
    return found


@pytest.fixture
def expected(project):
    root, run = project
    run()
    return written(root)


@pytest.mark.parametrize("shards", [1, 2, 6, 10])
def test_a_stopped_download_goes_on_wherever_it_was(shards, project, expected, monkeypatch):
    root, run = project
    with monkeypatch.context() as patch:
        stop_at(patch, shards)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert full_shards(root) == shards - 1
    found = read_files(monkeypatch)
    run()
    assert written(root) == expected
    assert len(found) <= OBJECTS - 4 * (shards - 1) + 2  # a piece is read again, whose other clouds were stored


def test_it_may_be_stopped_again_and_again(project, expected, monkeypatch):
    root, run = project
    for _ in range(9):
        with monkeypatch.context() as patch:
            stop_at(patch, 2)
            with pytest.raises(KeyboardInterrupt):
                run()
    run()
    assert written(root) == expected


def test_a_killed_download_goes_on(project, expected, monkeypatch):
    root, run = project
    killed = """
import os, signal, sys
from stages import download
from stages.artifacts.unfinished import Unfinished
from stages.datasets import reading
reading.PIECE, note = 3, Unfinished.note
def noting(self, shards, place):
    note(self, shards, place)
    if len(shards) == 6:
        os.kill(os.getpid(), signal.SIGKILL)
Unfinished.note = noting
download.main("mine")
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", killed], cwd=root, env=environment).returncode == -signal.SIGKILL
    assert full_shards(root) == 6
    found = read_files(monkeypatch)
    run()
    assert written(root) == expected and len(found) <= OBJECTS - 24 + 2


def test_after_too_many_bad_objects_a_higher_limit_goes_on(project, expected, monkeypatch):
    root, run = project
    with pytest.raises(InputError, match="03.npy: .*; more than the 1 objects"):
        run(reject_at_most=1)
    kept = full_shards(root)
    assert kept > 0
    found = read_files(monkeypatch)
    run()
    assert written(root) == expected and len(found) < OBJECTS


def test_a_lower_limit_holds_for_what_was_rejected_before(project, monkeypatch):
    root, run = project
    with monkeypatch.context() as patch:
        stop_at(patch, 9)
        with pytest.raises(KeyboardInterrupt):
            run()
    with pytest.raises(InputError, match="03.npy: .*; more than the 1 objects"):
        run(reject_at_most=1)


@pytest.mark.parametrize("change", ["a file", "a setting", "a shard"])
def test_it_begins_again_where_the_shards_are_of_something_else(change, project, expected, monkeypatch):
    root, run = project
    with monkeypatch.context() as patch:
        stop_at(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            run(seed=1) if change == "a setting" else run()
    if change == "a file":
        os.utime(root / "raw/train/a/01.npy")
    if change == "a shard":
        (root / "data/points/.mine.partial/shards/00001.h5").write_bytes(b"damaged")
    found = read_files(monkeypatch)
    run()
    assert written(root) == expected and len(found) == OBJECTS


@pytest.mark.parametrize("reader", ["modelnet_hdf5", "modelnet40_c", "objaverse_openshape", "parquet"])
def test_every_source_that_streams_goes_on(reader, tmp_path, monkeypatch):
    (tmp_path / "raw").mkdir()
    raw_layouts.LAYOUTS[reader](tmp_path / "raw")
    monkeypatch.setattr(reading, "PIECE", 1)
    monkeypatch.chdir(tmp_path)
    configure(tmp_path, reader, 1, {"validation_fraction": 0})
    download.main("mine")
    whole = written(tmp_path)
    with monkeypatch.context() as patch:
        stop_at(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            download.main("mine")
    assert full_shards(tmp_path) == 2
    placed = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *names: (placed.append(Path(names[1])), replace(*names)))
    download.main("mine")
    assert written(tmp_path) == whole
    assert {"00000.h5", "00001.h5"}.isdisjoint(path.name for path in placed)
