"""Shards: any length gives the same content; what is done is done once, whoever is killed; two runs do not meet."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from checkout import contents
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_files import ONE
from toy_shards import COUNTS, ROOT, job
from toy_shards import settings as run_settings

from stages import render
from stages.artifacts.features import join_features, read_features, write_features
from stages.artifacts.paths import Paths
from stages.artifacts.points import new_points, open_points, write_points
from stages.artifacts.shards import MANIFEST, cut, open_shards, read_manifest
from stages.artifacts.types import Clouds, PointCloudDataset
from stages.artifacts.unfinished import Unfinished
from stages.core.cli import run_stage
from stages.core.errors import InputError
from stages.engine import jobs
from stages.engine.jobs import run_job, shards_of_part

TESTS = Path(__file__).parent
NUMBERS = {split: np.arange(count) + 100 * number for number, (split, count) in enumerate(COUNTS.items())}


def start(folder, *arguments):
    """The toy job in a process of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(TESTS)])}
    command = [sys.executable, TESTS / "toy_shards.py", folder, *arguments]
    return subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.PIPE, text=True)


def begun(folder):
    """Names of the shards that were begun, in order."""
    return (folder / "log").read_text().split() if (folder / "log").exists() else []


def done(folder):
    """Names of the shards that are done in an unfinished job."""
    return {f"{path.stem}.h5" for path in (folder / ".out.partial").glob("*.json")}


def wait_for(condition, process):
    """Wait until `condition` holds, while `process` lives."""
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.01)


def whole(folder):
    """The bytes of the finished job, and what lies beside it."""
    assert not (folder / ".out.partial").exists()
    return contents(folder, ["out"])


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The bytes of the job without a disturbance."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run_job(job(folder), run_settings())
    return whole(folder)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=4), st.integers(1, 40))
def test_every_row_is_in_one_shard_and_all_but_the_last_are_full(counts, samples):
    shards = cut({f"s{n}": count for n, count in enumerate(counts)}, samples)
    assert [shard.samples for shard in shards[:-1]] == [samples] * (len(shards) - 1)
    assert len({shard.name for shard in shards}) == len(shards) == max(1, -(-sum(counts) // samples))
    for n, count in enumerate(counts):
        rows = [row for shard in shards for row in range(*shard.rows.get(f"s{n}", (0, 0)))]
        assert rows == list(range(count))


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 45), st.data())
def test_any_length_of_shards_gives_the_same_content(tmp_path_factory, samples, data):
    folder = tmp_path_factory.mktemp("lengths")
    run_job(job(folder, shard_samples=samples), run_settings())
    assert len(list((folder / "out").iterdir())) == -(-sum(COUNTS.values()) // samples) + 1
    with open_shards(folder / "out") as file:
        assert file.counts == COUNTS
        for split, numbers in NUMBERS.items():
            np.testing.assert_array_equal(file.rows(split, "numbers"), numbers)
            first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(numbers))] * 2)))
            np.testing.assert_array_equal(file.rows(split, "numbers", slice(first, last)), numbers[first:last])
            some = np.array(sorted(data.draw(st.sets(st.integers(0, len(numbers) - 1)))), int)
            np.testing.assert_array_equal(file.rows(split, "numbers", some), numbers[some])


@pytest.mark.parametrize("samples", [1, 3, 100])
def test_points_and_features_in_shards_are_those_of_one(samples, tmp_path):
    rng = np.random.default_rng(0)
    splits = {
        split: Clouds(rng.random((count, 5, 3), "f4"), np.arange(count) % 2, rng.integers(0, 2, (count, 5)))
        for split, count in COUNTS.items()
    }
    names = (("top", "rest"), ("leg", "seat"))
    points = PointCloudDataset(("a", "b"), "y", splits, names)
    write_points(tmp_path / "points", points, shard_samples=samples)
    facts = {"classes": points.classes, "up_axis": "y", "part_names": names, "shard_samples": samples}
    with new_points(tmp_path / "in pieces", **facts) as writer:
        for start in range(0, max(COUNTS.values()), 10):
            for split, clouds in splits.items():
                writer.append(split, clouds.rows(slice(start, start + 10)))
    for folder in ("points", "in pieces"):
        assert [shard.samples for shard in read_manifest(tmp_path / folder)][:-1] == [samples] * ((40 - 1) // samples)
        with open_points(tmp_path / folder) as back:
            assert (back.counts, back.part_names) == (COUNTS, names)
            for split, clouds in splits.items():
                found = (back.points(split), back.labels(split), back.parts(split))
                for array, wanted in zip(found, (clouds.points, clouds.labels, clouds.parts), strict=True):
                    np.testing.assert_array_equal(array, wanted)
    files = []
    for shard in cut(COUNTS, samples):
        files.append(tmp_path / shard.name)
        rows = {split: splits[split].rows(slice(*rows)) for split, rows in shard.rows.items()}
        unit = {split: (clouds.points[:, :1] / norms(clouds), clouds.labels) for split, clouds in rows.items()}
        write_features(files[-1], unit, classes=points.classes, logit_scale=7.0)
    join_features(files, tmp_path / "joined.h5")
    for split, clouds in splits.items():
        features = read_features(tmp_path / "joined.h5", split)
        np.testing.assert_array_equal(features.values, clouds.points[:, :1] / norms(clouds))
        np.testing.assert_array_equal(features.labels, clouds.labels)
        assert (features.classes, features.logit_scale) == (("a", "b"), 7.0)


def norms(clouds):
    return np.linalg.norm(clouds.points[:, :1], axis=-1, keepdims=True)


def test_the_manifest_has_every_shard_with_its_hash(expected, tmp_path):
    shards = json.loads(expected[f"out/{MANIFEST}"])["shards"]
    assert [f"out/{name}" for name in shards] == sorted(expected.keys() - {f"out/{MANIFEST}"})
    assert shards["00003.h5"]["rows"] == {"test": [12, 13], "train": [0, 3]} and len(shards[ONE]["sha256"]) == 64


@pytest.mark.parametrize("broken", ["{", '{"shards": {"00000.h5": {"rows": [1]}}}', "[]"])
def test_a_manifest_that_is_none_is_one_line(broken, tmp_path):
    (tmp_path / MANIFEST).write_text(broken)
    with pytest.raises(InputError, match=MANIFEST):
        read_manifest(tmp_path)


def test_a_stopped_run_goes_on_where_it_was_and_a_damaged_shard_is_made_again(expected, tmp_path, monkeypatch):
    replace, calls = os.replace, []

    def stopped(*arguments):
        calls.append(arguments)
        if len(calls) == 9:
            raise KeyboardInterrupt
        replace(*arguments)

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_job(job(tmp_path), run_settings())
    monkeypatch.undo()
    kept = sorted(done(tmp_path))
    assert kept == ["00000.h5", "00001.h5"] and not (tmp_path / "out").exists()
    (tmp_path / ".out.partial/shards/00001.h5").write_bytes(b"damaged")
    (tmp_path / "log").unlink()
    run_job(job(tmp_path), run_settings())
    assert begun(tmp_path) == [f"{number:05}.h5" for number in range(1, 10)]
    assert whole(tmp_path) == expected


def test_shards_of_other_inputs_are_not_taken(tmp_path):
    with pytest.raises(InputError, match="wrong"):
        run_job(job(tmp_path, ends="wrong input"), run_settings())
    assert not (tmp_path / ".out.partial").exists()
    run_job(job(tmp_path), run_settings(), part="1/2")
    assert len(done(tmp_path)) == 5
    run_job(job(tmp_path, inputs="other"), run_settings())
    assert len(begun(tmp_path)) == 1 + 5 + 10


def test_parts_in_any_order_make_the_same_bytes_and_the_last_completes_them(expected, tmp_path):
    for part in ("3/3", "1/3", "2/3"):
        assert not (tmp_path / "out").exists()
        run_job(job(tmp_path), run_settings(), part=part)
    assert whole(tmp_path) == expected
    assert sorted(begun(tmp_path)) == [f"{number:05}.h5" for number in range(10)]


def test_a_run_without_a_part_does_what_parts_have_left(expected, tmp_path):
    run_job(job(tmp_path), run_settings(), part="1/4")
    run_job(job(tmp_path), run_settings())
    assert whole(tmp_path) == expected and len(begun(tmp_path)) == 10


@pytest.mark.parametrize("part, said", [(None, "toy"), ("3/3", "toy, part 3/3")])
def test_the_bar_counts_samples_over_all_shards_and_says_which_part_it_is(part, said, tmp_path, monkeypatch):
    bars = []

    class Bar(jobs.tqdm):
        def __init__(self, **options):
            super().__init__(**options | {"disable": False, "file": io.StringIO()})
            bars.append(self)

    monkeypatch.setattr(jobs, "tqdm", Bar)
    run_job(job(tmp_path), run_settings(), part="1/3")
    run_job(job(tmp_path), run_settings(), part=part)
    first, bar = bars
    assert (first.desc, first.initial, first.n, first.total) == ("toy, part 1/3", 0, 16, 16)
    assert bar.desc == said
    assert (bar.initial, bar.n, bar.total) == ((16, 40, 40) if part is None else (0, 12, 12))


@pytest.mark.parametrize("part", ["0/3", "4/3", "3", "a/b", "1/0", "-1/2", ""])
def test_a_part_that_is_none_is_one_line(part):
    with pytest.raises(InputError, match="--shard .*: expected k/n with k from 1 to n"):
        shards_of_part(cut(COUNTS, 4), part)


def test_the_command_line_takes_a_part(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    splits = {"test": Clouds(np.zeros((3, 4, 3), "f4"), np.zeros(3, "i8"))}
    write_points(Paths().points("toy"), PointCloudDataset(("a",), "y", splits))
    monkeypatch.setattr(sys, "argv", ["render", "toy", "--shard", "9/3"])
    with pytest.raises(SystemExit, match="error: --shard '9/3': expected k/n with k from 1 to n, such as 3/64"):
        run_stage(render.main)


def test_the_folder_before_stays_until_the_new_one_is_whole(expected, tmp_path):
    run_job(job(tmp_path, shard_samples=40), run_settings())
    before = whole(tmp_path)
    with pytest.raises(InputError):
        run_job(job(tmp_path, ends="wrong input"), run_settings())
    assert whole(tmp_path) == before
    run_job(job(tmp_path), run_settings())
    assert whole(tmp_path) == expected


def test_two_runs_at_once_do_not_meet(expected, tmp_path):
    first = Unfinished(tmp_path / "out", job(tmp_path).fingerprint)
    with first.open():
        for part in (None, "1/2"):
            with pytest.raises(InputError, match="out: another run is at work on it: wait until it ends"):
                run_job(job(tmp_path), run_settings(), part=part)
    with first.open(part="1/2"):
        for part in (None, "1/2"):
            with pytest.raises(InputError, match="another run is at work"):
                run_job(job(tmp_path), run_settings(), part=part)
        run_job(job(tmp_path), run_settings(), part="2/2")
    run_job(job(tmp_path), run_settings())
    assert whole(tmp_path) == expected


def test_a_pool_makes_the_same_bytes_although_a_worker_is_killed(expected, tmp_path):
    run = start(tmp_path, "workers=2", "ends=00004.h5")
    assert run.wait(timeout=500) == 0
    assert "warning: a worker process was killed" in run.stderr.read()
    assert whole(tmp_path) == expected
    assert begun(tmp_path).count("00004.h5") == 2


def test_wrong_input_in_a_pool_is_its_own_line(tmp_path):
    run = start(tmp_path, "workers=2", "ends=wrong input")
    assert run.wait(timeout=500) == 1
    assert run.stderr.read().splitlines()[-1].startswith("error: 0000")


def test_a_killed_run_loses_its_lock_and_its_workers_and_no_finished_shard(expected, tmp_path):
    run = start(tmp_path, "workers=2", "seconds=500")
    wait_for(lambda: len(done(tmp_path)) >= 3, run)
    second = start(tmp_path)
    assert second.wait(timeout=500) == 1 and "another run is at work on it" in second.stderr.read()
    run.send_signal(signal.SIGKILL)
    run.wait()
    kept = done(tmp_path)
    before = len(begun(tmp_path))
    again = start(tmp_path, "workers=2")
    assert again.wait(timeout=500) == 0, again.stderr.read()
    assert whole(tmp_path) == expected
    assert sorted(begun(tmp_path)[before:]) == sorted({f"{number:05}.h5" for number in range(10)} - kept)


def test_without_ray_asking_for_it_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"run.engine 'ray': Ray is not installed: pip install '.\[ray\]'"):
        run_job(job(tmp_path), run_settings(engine="ray"))
    assert not (tmp_path / ".out.partial").exists()
