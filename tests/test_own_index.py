"""Folders of one's own objects as libraries: every file once, the same after any stop, bad files told."""

import csv
import dataclasses
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
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import trimesh
from filelock import FileLock

from stages import PointClip
from stages.artifacts.library import Encoding, Entry, read_entries, read_library, read_metadata, write_library
from stages.core.errors import InputError
from stages.own import index as indexing
from stages.own.index import TURN, content_hash

ROOT = Path(__file__).parents[1]
NAMES = ("ball", "box", "capsule", "cone", "cylinder", "plate", "ring", "rod", "slab", "tube")


def shape(name, size=1.0):
    """A small mesh, another one for each of NAMES."""
    number = NAMES.index(name)
    mesh = trimesh.creation.icosphere(subdivisions=1) if number % 2 else trimesh.creation.box((1, 1, 1))
    return mesh.apply_scale((size, 1 + number / 3, 1 / (1 + number)))


@pytest.fixture(scope="module")
def model():
    return PointClip("bundled", device="cpu", points=256)


@pytest.fixture
def folder(tmp_path):
    """Ten meshes in two folders, a file that is damaged and one of no format."""
    for number, name in enumerate(NAMES):
        place = tmp_path / "objects" / ("even" if number % 2 == 0 else "odd")
        place.mkdir(parents=True, exist_ok=True)
        shape(name).export(place / f"{name}.stl")
    (tmp_path / "objects" / "broken.obj").write_text("v 1 2\n")
    (tmp_path / "objects" / "notes.md").write_text("no object")
    return tmp_path / "objects"


@pytest.fixture
def encoded(model, monkeypatch):
    """How many objects the backbone has encoded."""
    count = []
    true = indexing.Indexing._encoded
    monkeypatch.setattr(
        indexing.Indexing,
        "_encoded",
        lambda self, ready: count.extend(one.entry.path for one in ready) or true(self, ready),
    )
    return count


def test_every_object_is_a_row_with_the_features_that_the_api_gives(model, folder, tmp_path):
    seen = []
    done = model.index(folder, tmp_path / "library.parquet", each=lambda *told: seen.append(told))
    library = read_library(tmp_path / "library.parquet")
    paths = sorted(f"{'odd' if number % 2 else 'even'}/{name}.stl" for number, name in enumerate(NAMES))
    assert [entry.path for entry in library.entries] == paths
    assert (done.objects, done.encoded, done.known) == (10, 10, 0)
    assert sorted((entry.path, status) for entry, status in seen) == [
        ("broken.obj", "rejected"),
        *((path, "encoded") for path in paths),
    ]
    [reject] = library.rejects
    assert reject.path == "broken.obj" and reject.error == "not a readable obj file: line 1: 'v 1 2'"
    assert done.rejects == (reject,)
    files = [folder / path for path in paths]
    expected = model.encode(files)
    assert library.features.dtype == np.float16
    np.testing.assert_allclose(library.features, expected.features, atol=2e-3)
    box = library.entries[paths.index("even/ball.stl")]
    assert (box.kind, box.triangles, box.up, box.sha256) == ("mesh", 12, "y", content_hash(folder / box.path))
    assert box.points == model.encode(folder / box.path).points[0]
    for row, (picture, file) in enumerate(zip(library.thumbnails(range(10)), files, strict=True)):
        assert picture[:4] == b"\x89PNG"
        features = library.features[row].astype(np.float32)
        view = (features @ features.mean(axis=0)).argmax()
        assert picture == indexing.png(model.depth_maps(file)[view])


def test_unchanged_files_are_not_encoded_again_and_the_file_stays_the_same(model, folder, tmp_path, encoded):
    out = tmp_path / "library.parquet"
    model.index(folder, out)
    before = out.read_bytes()
    encoded.clear()
    again = model.index(folder, out)
    assert not encoded and (again.encoded, again.known) == (0, 10)
    assert out.read_bytes() == before


def test_only_what_is_new_or_changed_is_encoded_and_the_result_is_that_of_a_fresh_run(model, folder, tmp_path, encoded):
    out, fresh = tmp_path / "library.parquet", tmp_path / "fresh.parquet"
    model.index(folder, out)
    encoded.clear()
    shape("box", size=3).export(folder / "odd" / "box.stl")  # changed
    shape("rod", size=2).export(folder / "even" / "new.stl")
    (folder / "even" / "moved").mkdir()
    (folder / "even" / "ball.stl").rename(folder / "even" / "moved" / "ball.stl")
    (folder / "odd" / "rod.stl").unlink()
    (folder / "broken.obj").write_bytes((folder / "odd" / "cone.stl").read_bytes())  # still wrong, in another way
    done = model.index(folder, out)
    assert sorted(encoded) == ["even/new.stl", "odd/box.stl"]
    assert (done.encoded, done.known, len(done.rejects)) == (2, 8, 1)
    model.index(folder, fresh)
    assert out.read_bytes() == fresh.read_bytes()


def test_a_feature_does_not_depend_on_what_is_encoded_beside_it(model, folder, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(folder / "odd" / "cone.stl", alone)
    model.index(folder, tmp_path / "all.parquet")
    model.index(alone, tmp_path / "one.parquet")
    all_of_them, one = (read_library(tmp_path / name) for name in ("all.parquet", "one.parquet"))
    row = [entry.path for entry in all_of_them.entries].index("odd/cone.stl")
    np.testing.assert_array_equal(all_of_them.features[row], one.features[0])


SLOW_INDEX = """
import sys, time
from stages import PointClip
from stages.own import index

index.KEPT_EVERY = 0.0  # seconds: what is encoded is written down at once
encoded = index.Indexing._encoded

def slow_at_the_end(self, ready):
    time.sleep(0 if len(ready) == index.AT_ONCE else 600)
    return encoded(self, ready)

index.Indexing._encoded = slow_at_the_end
PointClip("bundled", device="cpu", points=256).index(sys.argv[1], sys.argv[2])
"""


def test_a_run_that_is_killed_is_continued_with_the_same_result(model, folder, tmp_path, encoded):
    out, fresh = tmp_path / "library.parquet", tmp_path / "fresh.parquet"
    model.index(folder, fresh)
    encoded.clear()
    run = subprocess.Popen([sys.executable, "-c", SLOW_INDEX, folder, out], cwd=ROOT, stderr=subprocess.DEVNULL)
    unfinished, until = tmp_path / ".library.parquet.unfinished", time.monotonic() + 120
    while not list(unfinished.glob("*.parquet")) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL, "the run ended before it was killed"
    kept = sum(len(read_entries(part)[1]) for part in unfinished.glob("*.parquet"))
    assert 0 < kept <= 8 and not out.exists()
    done = model.index(folder, out)
    assert (done.known, done.encoded) == (kept, 10 - kept) and len(encoded) == 10 - kept
    assert not unfinished.exists()
    assert out.read_bytes() == fresh.read_bytes()


def test_what_another_encoding_left_unfinished_and_what_is_damaged_is_removed(model, folder, tmp_path):
    out, unfinished = tmp_path / "library.parquet", tmp_path / ".library.parquet.unfinished"
    model.index(folder, out)
    unfinished.mkdir()
    other = dataclasses.replace(read_metadata(out)[0], points=7)
    _, entries = read_entries(out)
    write_library(unfinished / "000000.parquet", entries, other, {})
    (unfinished / "000001.parquet").write_bytes(out.read_bytes()[:1000])
    before = out.read_bytes()
    out.unlink()
    assert model.index(folder, out).encoded == 10
    assert out.read_bytes() == before


def test_a_library_of_another_encoding_is_left_alone_unless_it_is_made_anew(model, folder, tmp_path):
    out = tmp_path / "library.parquet"
    model.index(folder, out)
    before = out.read_bytes()
    with pytest.raises(InputError, match=r"library.parquet: was made with up y, not z; .*--anew"):
        model.index(folder, out, up="z")
    with pytest.raises(InputError, match="was made with points 256, not 300"):
        PointClip("bundled", device="cpu", points=300).index(folder, out)
    assert out.read_bytes() == before
    assert model.index(folder, out, up="z", anew=True).encoded == 10
    assert {entry.up for entry in read_library(out).entries} == {"z"}


def test_a_file_that_is_no_library_is_never_written_over(model, folder, tmp_path):
    out = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"a": [1]}), out)
    before = out.read_bytes()
    with pytest.raises(InputError, match="a Parquet file, but not a library"):
        model.index(folder, out)
    assert out.read_bytes() == before
    out.write_text("text")
    with pytest.raises(InputError, match="not a library, or a damaged one"):
        model.index(folder, out)
    assert out.read_text() == "text"


def test_two_processes_do_not_write_one_library(model, folder, tmp_path):
    (tmp_path / ".library.parquet.unfinished").mkdir()
    with (
        FileLock(tmp_path / ".library.parquet.unfinished" / "lock"),
        pytest.raises(InputError, match="another process"),
    ):
        model.index(folder, tmp_path / "library.parquet")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda place: None, "no such folder"),
        (lambda place: place.write_text("x"), "a file, expected a folder"),
        (lambda place: place.mkdir(), "a folder without an object"),
    ],
)
def test_a_folder_that_is_none_or_empty_is_one_line(make, says, model, tmp_path):
    make(tmp_path / "objects")
    with pytest.raises(InputError, match=f"objects: {says}"):
        model.index(tmp_path / "objects", tmp_path / "library.parquet")
    assert not (tmp_path / "library.parquet").exists()


def test_a_library_that_may_not_be_written_is_one_line(model, folder, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        model.index(folder, tmp_path / "file" / "library.parquet")


def test_a_folder_of_bad_files_alone_is_a_library_of_rejects(model, folder, tmp_path):
    for kind in ("even", "odd"):
        shutil.rmtree(folder / kind)
    done = model.index(folder, tmp_path / "library.parquet")
    assert (done.objects, len(done.rejects)) == (0, 1)
    library = read_library(tmp_path / "library.parquet")
    assert library.features.shape == (0, 10, 128) and len(library.rejects) == 1


def test_the_up_axis_is_guessed_of_every_object(model, folder, tmp_path):
    model.index(folder, tmp_path / "library.parquet", up="auto")
    library = read_library(tmp_path / "library.parquet")
    files = [folder / entry.path for entry in library.entries]
    assert [entry.up for entry in library.entries] == [guess.axis for guess in model.guess_up(files)]
    np.testing.assert_allclose(library.features, model.encode(files, up="auto").features, atol=2e-3)


def test_what_is_dropped_of_a_file_is_noted_and_refused_where_that_is_asked(model, tmp_path):
    place = tmp_path / "objects"
    place.mkdir()
    lines = [*("v 0 0 0", "v 1 0 0", "v 0 1 0", "v 0 0 1"), "f 1 2 3", "f 1 3 4", "f 1 2"]
    (place / "corner.obj").write_text("\n".join(lines))
    model.index(place, tmp_path / "library.parquet")
    [entry] = read_library(tmp_path / "library.parquet").entries
    assert entry.notes.startswith("dropped ")
    strict = PointClip("bundled", device="cpu", points=256, strict=True)
    [reject] = strict.index(place, tmp_path / "library.parquet").rejects
    assert reject.error == f"{entry.notes} (strict)"


def test_turns_at_the_interpreter_are_short_only_while_it_indexes(model, folder, tmp_path):
    before, seen = sys.getswitchinterval(), []
    model.index(folder, tmp_path / "library.parquet", each=lambda *told: seen.append(sys.getswitchinterval()))
    assert seen == [pytest.approx(TURN)] * 11 and sys.getswitchinterval() == before > TURN


def test_the_hash_of_a_gltf_covers_its_buffers(tmp_path):
    buffer = tmp_path / "chair.bin"
    buffer.write_bytes(b"abcd")
    file = tmp_path / "chair.gltf"
    file.write_text(json.dumps({"buffers": [{"uri": "chair.bin"}, {"uri": "data:;base64,AA=="}, {}]}))
    before = content_hash(file)
    buffer.write_bytes(b"abce")
    assert content_hash(file) != before
    file.write_text("no JSON")
    assert len(content_hash(file)) == 64


ENCODING = Encoding(
    backbone="mine",
    weights={"pretrained": "tag"},
    projection="v2",
    views=("front", "back"),
    dimension=3,
    points=8,
    seed=0,
    up="y",
    templates=("{}",),
)


def test_what_is_written_is_read_by_path(tmp_path):
    features = np.arange(6, dtype="f2").reshape(2, 3)
    good = Entry("b.obj", "1", "mesh", 4, 2, "y", "a note", None, b"PNG", features)
    bad = Entry("a.obj", "2", error="damaged")
    write_library(tmp_path / "l.parquet", [good, bad], ENCODING, {"words": {"mean": [0.5]}})
    library = read_library(tmp_path / "l.parquet")
    assert library.encoding == ENCODING and library.null_scores == {"words": {"mean": [0.5]}}
    assert library.rejects == (bad,) and library.thumbnails([0]) == [b"PNG"]
    np.testing.assert_array_equal(library.features, features[None])
    encoding, (first, second) = read_entries(tmp_path / "l.parquet")
    assert encoding == ENCODING and first == bad and second.thumbnail == b"PNG"
    np.testing.assert_array_equal(second.features, features)


@pytest.mark.parametrize(
    "entry",
    [
        Entry("a", "1", thumbnail=b"", features=np.zeros((2, 4), "f2")),
        Entry("a", "1", thumbnail=b"", features=np.zeros((2, 3), "f4")),
        Entry("a", "1"),
        Entry("a", "1", error="x", features=np.zeros((2, 3), "f2")),
    ],
)
def test_features_of_another_shape_are_not_written(entry, tmp_path):
    with pytest.raises(InputError, match="expected"):
        write_library(tmp_path / "l.parquet", [entry], ENCODING, {})
    assert not (tmp_path / "l.parquet").exists()


def test_a_library_of_another_version_or_with_wrong_keys_is_one_line(tmp_path):
    write_library(tmp_path / "l.parquet", [], dataclasses.replace(ENCODING, format=2), {})
    with pytest.raises(InputError, match="a library of format 2, this version reads 1"):
        read_library(tmp_path / "l.parquet")
    write_library(tmp_path / "l.parquet", [], ENCODING, {})
    table = pq.read_table(tmp_path / "l.parquet")
    document = json.loads(table.schema.metadata[b"pointclip_library"])
    del document["encoding"]["points"]
    pq.write_table(table.replace_schema_metadata({"pointclip_library": json.dumps(document)}), tmp_path / "m.parquet")
    with pytest.raises(InputError, match="points: missing"):
        read_library(tmp_path / "m.parquet")


def test_the_command_tells_bad_files_and_ends_with_1(folder, tmp_path, pointclip):
    command = ["index", folder, "--out", tmp_path / "library.parquet", "--points", "256", "--device", "cpu"]
    status, printed, errors = pointclip(*command, "--json")
    told = json.loads(printed)
    assert status == 1
    assert (told["objects"], told["encoded"], told["unchanged"]) == (10, 10, 0) and "up_guessed" not in told
    assert errors == [f"error: {folder / 'broken.obj'}: not a readable obj file: line 1: 'v 1 2'"]
    (folder / "broken.obj").unlink()
    status, printed, _ = pointclip(*command)
    assert status == 0 and "10 objects, 0 encoded now, 10 unchanged" in printed


def test_the_command_prints_what_became_of_every_file(folder, tmp_path, pointclip):
    command = ["index", folder, "--out", tmp_path / "library.parquet", "--points", "256", "--device", "cpu", "--csv"]
    pointclip(*command)
    shape("rod", size=2).export(folder / "even" / "new.stl")
    status, printed, errors = pointclip(*command)
    rows = list(csv.DictReader(io.StringIO(printed)))
    became = {row["file"]: row["status"] for row in rows}
    assert status == 1 and len(errors) == 1 and len(rows) == 12 and list(became) == sorted(became)
    assert (became.pop("broken.obj"), became.pop("even/new.stl")) == ("rejected", "encoded")
    assert set(became.values()) == {"unchanged"}
    first, second = rows[:2]
    assert first["error"] == "not a readable obj file: line 1: 'v 1 2'"
    assert [*second.values()] == ["even/ball.stl", "unchanged", "mesh", "36", "12", "y", ""]


def test_the_command_says_which_axes_it_guessed(folder, tmp_path, pointclip):
    out = tmp_path / "library.parquet"
    command = ("index", folder, "--out", out, "--points", "256", "--device", "cpu", "--up", "auto")
    _, printed, _ = pointclip(*command)
    ups = [entry.up for entry in read_library(out).entries]
    counts = {axis: ups.count(axis) for axis in "xyz" if axis in ups}
    assert f"up, guessed: {', '.join(f'{axis} of {count}' for axis, count in counts.items())}" in printed
    _, printed, _ = pointclip(*command, "--json")
    assert json.loads(printed)["up_guessed"] == counts
