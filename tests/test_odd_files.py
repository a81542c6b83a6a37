"""Files as people's tools write them: read as the chair that they hold, refused in one line, or damaged at random."""

import csv
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import object_files as files
import pytest
import trimesh
from object_files import EXTENT, XYZ, chair, gltf_tree
from object_variants import READ, concave_obj, occupancy
from refused_files import REFUSED

from stages.commands.pointclip.main import main as pointclip
from stages.core.errors import InputError
from stages.datasets.formats.geometry import triangulate
from stages.datasets.objects import FORMATS, MOST_BYTES, notes_of, read_geometry, read_object, suffix_of

ROOT = Path(__file__).parents[1]
ODD = Path(os.environ.get("SLICES_DIR", ROOT.parent / "shared/data")) / "odd_files"
# Rows of expected.csv that no reader can give: what these two files are instead.
IMPOSSIBLE = {
    "text/ptx.ptx": "its header ends after 4 lines, expected 10",  # 18 bytes without a point
    "npy/onet_occupancy.npz": None,  # uniform noise, of which random bits say what is inside: read, and no chair
}
needs_odd = pytest.mark.skipif(not ODD.is_dir(), reason=f"no odd_files in SLICES_DIR ({ODD.parent})")


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return path


def assert_is_chair(geometry, *, kind=None):
    """The chair's extent, where it is a mesh its area, and as many points as the chair has on its seat."""
    np.testing.assert_allclose(geometry.extent, EXTENT, atol=0.012)
    assert kind in (None, geometry.kind)
    if geometry.faces is not None:
        mesh = trimesh.Trimesh(geometry.vertices, geometry.faces, process=False)
        assert mesh.area == pytest.approx(chair().area, rel=1e-3)


# Every format


@pytest.mark.parametrize("name", files.FILES)
def test_the_chair_is_read_from_every_format(name, tmp_path):
    geometry = read_geometry(written(tmp_path, name, files.FILES[name]()))
    assert_is_chair(geometry, kind="cloud" if name.startswith(("cloud", "scan")) or ".pcd" in name else "mesh")
    if name == "cloud.ptx":
        assert geometry.dropped == ("1000 points at 0 0 0, where nothing came back",)
        assert geometry.vertices[:, 0].min() == pytest.approx(5 - 0.225, abs=1e-3)
    else:
        assert notes_of(geometry) == ()


def test_every_format_has_a_file_and_a_row_in_the_readme():
    rows = re.findall(r"^\| (`\.[^|]*) \|", (ROOT / "stages/datasets/README.md").read_text(), re.MULTILINE)
    in_table = {suffix for row in rows for suffix in re.findall(r"`(\.\w+)`", row)}
    assert in_table - {".gz"} == set(FORMATS)
    assert {suffix_of(Path(name)) for name in [*files.FILES, *READ]} == set(FORMATS)


# Variants


@pytest.mark.parametrize("name", READ)
def test_a_variant_is_the_chair_and_what_is_dropped_or_guessed_is_said(name, tmp_path):
    make, dropped, guessed = READ[name]
    geometry = read_geometry(written(tmp_path, name, make()))
    assert_is_chair(geometry)
    assert (geometry.dropped, geometry.guessed) == ((dropped,) if dropped else (), (guessed,) if guessed else ())


@pytest.mark.parametrize("packed", [True, False])
def test_occupancy_samples_are_those_inside(packed, tmp_path):
    geometry = read_geometry(written(tmp_path, "space.npz", occupancy(packed=packed)))
    np.testing.assert_allclose(geometry.extent, EXTENT, atol=0.02)
    assert geometry.dropped == (f"{200_000 - len(geometry.vertices)} of 200000 samples of space, outside the object",)
    assert geometry.guessed == ("the samples inside the object stand for its surface",)


def test_a_concave_polygon_covers_what_it_encloses(tmp_path):
    geometry = read_geometry(written(tmp_path, "side.obj", concave_obj()))
    mesh = trimesh.Trimesh(geometry.vertices, geometry.faces, process=True)
    assert mesh.is_watertight
    side = 0.05 * 0.47 + 0.35 * 0.05 + 0.05 * 1.025
    assert abs(mesh.volume) == pytest.approx(0.45 * side, rel=1e-6)


def test_polygons_keep_their_order_and_convex_ones_are_fans():
    square = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0.5, 0.2, 0)], float)
    faces = triangulate(square, np.array([0, 1, 2, 3, 0, 1, 4, 0, 4, 1, 2, 3]), np.array([4, 3, 5]))
    np.testing.assert_array_equal(faces[:3], [[0, 1, 2], [0, 2, 3], [0, 1, 4]])
    a, b, c = np.moveaxis(square[faces[3:]], 1, 0)
    assert len(faces) == 6 and np.cross(b - a, c - a)[:, 2].min() > 0  # all turn as the polygon does
    assert np.cross(b - a, c - a)[:, 2].sum() / 2 == pytest.approx(0.9)


def test_a_gltf_file_reads_the_buffer_beside_it_and_none_elsewhere(tmp_path):
    tree, binary = gltf_tree()
    (tmp_path / "in").mkdir()
    written(tmp_path / "in", "my buffer.bin", binary)
    written(tmp_path, "out.bin", binary)
    for uri, says in (
        ("my%20buffer.bin", None),
        ("../out.bin", "is not in its folder"),
        ("no.bin", "no.bin is missing"),
    ):
        tree["buffers"][0]["uri"] = uri
        path = written(tmp_path / "in", "a.gltf", json.dumps(tree).encode())
        if says is None:
            assert_is_chair(read_geometry(path), kind="mesh")
        else:
            with pytest.raises(InputError, match=says):
                read_geometry(path)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_one_line_that_says_what_it_is(name, tmp_path):
    make, says = REFUSED[name]
    path = written(tmp_path, name, make())
    with pytest.raises(InputError) as error:
        read_geometry(path)
    assert str(error.value).startswith(f"{path}: ") and says in str(error.value) and "\n" not in str(error.value)


def test_a_file_too_large_is_refused_unread(tmp_path):
    with open(tmp_path / "large.ply", "wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(InputError, match=f"large.ply: {MOST_BYTES + 1} bytes, expected at most {MOST_BYTES}"):
        read_geometry(tmp_path / "large.ply")
    written(tmp_path, "bomb.xyz.gz", gzip.compress(b"\n" * (MOST_BYTES + 1)))
    with pytest.raises(InputError, match=f"bomb.xyz.gz: unpacks to more than {MOST_BYTES} bytes"):
        read_geometry(tmp_path / "bomb.xyz.gz")


def test_a_format_whose_reader_is_not_installed_says_how_to_get_it(tmp_path, monkeypatch):
    for module in ("laspy", "DracoPy", "collada", "lxml"):
        monkeypatch.setitem(sys.modules, module, None)
    for name in ("scan.las", "draco.glb", "mesh.drc", "mesh.dae", "mesh.3mf"):
        path = tmp_path / name
        monkeypatch.undo()
        path.write_bytes(files.FILES[name]())
        for module in ("laspy", "DracoPy", "collada", "lxml"):
            monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(InputError, match=r"reader is not installed: pip install '.\[formats\]'"):
            read_geometry(path)


# The shared files


def expected_rows():
    if not ODD.is_dir():
        return []
    with open(ODD / "expected.csv", newline="") as lines:
        return [(row["file"], row["expected"]) for row in csv.DictReader(lines)]


@needs_odd
def test_the_shared_files_are_read_or_refused_as_expected():
    for name, expected in expected_rows():
        if IMPOSSIBLE.get(name):
            expected = "refuses"
        try:
            read_geometry(ODD / name)
        except InputError as error:
            assert expected == "refuses", str(error)
            assert IMPOSSIBLE.get(name, "") in str(error) and "\n" not in str(error)
        else:
            assert expected == "reads", name


@needs_odd
def test_classify_tells_the_shared_files_that_it_can_and_one_line_each_of_the_others():
    best, lines = {}, []
    rows = [(name, expected, "z" if "utm" in name else "y") for name, expected in expected_rows()]
    for up in "yz":
        chosen = [name for name, _, axis in rows if axis == up]
        labels = "chair, bottle, cactus, floor lamp, bed, table"
        command = [sys.executable, "-m", "stages.commands.pointclip", "classify", *chosen, "--up", up, "--json"]
        command += ["--labels", labels]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=ODD, env=environment, text=True, capture_output=True, check=False)
        assert done.returncode == (1 if up == "y" else 0), done.stderr
        best |= {one["file"]: one["best"][0][0] for one in json.loads(done.stdout)["objects"]}
        lines += done.stderr.splitlines()
    for name, expected, _ in rows:
        if name in IMPOSSIBLE:
            continue
        errors = [line for line in lines if line.startswith(f"error: {name}: ")]
        assert (best.get(name), len(errors)) == (("chair", 0) if expected == "reads" else (None, 1)), name
    assert all(line.startswith(("error: ", "note: ", "warning: backbone bundled does not know ")) for line in lines)


# Damaged files


def damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    """The file with bytes flipped, an end cut off, a piece doubled, some of these together."""
    content = bytearray(whole)
    for kind in rng.integers(4, size=rng.integers(1, 4)):
        place = int(rng.integers(len(content))) if content else 0
        if not content:
            break
        if kind == 0:
            del content[place:]
        elif kind == 1:
            content[place:place] = content[place : place + rng.integers(1, 200)]
        else:
            reach = len(content) if kind == 2 else min(400, len(content))  # headers are the beginning
            for _ in range(rng.integers(1, 9)):
                content[rng.integers(reach)] = rng.integers(256)
    return bytes(content)


DAMAGE = """
import sys, time
from pathlib import Path
import numpy as np
import object_files
from stages.core.errors import InputError
from stages.datasets.objects import read_object
from test_odd_files import damaged

folder, count, names = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
for name in names:
    whole = object_files.FILES[name]()
    for number in range(count):
        path = folder / name
        path.write_bytes(damaged(whole, np.random.default_rng([number, len(name)])))
        start = time.process_time()
        try:
            points = read_object(path, points=5, seed=0)
        except InputError as error:
            assert str(error).startswith(str(path)) and "\\n" not in str(error), error
        else:
            assert points.shape == (5, 3) and np.isfinite(points).all(), (name, number)
        assert time.process_time() - start < 20, (name, number)
    assert [file.name for file in folder.iterdir()] == [name]
    path.unlink()
[peak] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]  # ru_maxrss knows the parent's too
assert int(peak.split()[1]) < 2 * 2**20, peak
"""


@pytest.mark.parametrize("count", [50, pytest.param(2000, marks=pytest.mark.slow)])
def test_damaged_files_of_every_format_are_read_or_one_line(count, tmp_path):
    """In a process of its own, which a crash would end, of which the memory is measured."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    command = [sys.executable, "-W", "ignore", "-c", DAMAGE, str(tmp_path), str(count), *files.FILES]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["large.xyz", "large.ply", "large.obj", "large.npy", "large.off", "large.pcd"])
def test_the_largest_files_take_little_memory_and_time(name, tmp_path):
    rows = MOST_BYTES // 30
    row = "{:.6f} {:.6f} {:.6f}\n"
    values, prefix = np.random.default_rng(0).random((10_000, 3)), "v " if name == "large.obj" else ""
    if name == "large.npy":
        np.save(tmp_path / name, np.tile(values, (MOST_BYTES // 240_000 - 1, 1)))
    else:
        block = "".join(prefix + row.format(*value) for value in values)
        times = min(rows // 10_000, MOST_BYTES // len(block) - 1)
        count = 10_000 * times
        head = {
            "large.ply": f"ply\nformat ascii 1.0\nelement vertex {count}\n{XYZ}\nend_header\n",
            "large.off": f"OFF\n{count} 0 0\n",
            "large.pcd": f"FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nPOINTS {count}\nDATA ascii\n",
        }.get(name, "")
        with open(tmp_path / name, "w") as file:
            file.write(head)
            for _ in range(times):
                file.write(block)
    code = (
        "import resource, sys; from pathlib import Path; from stages.datasets.objects import read_object\n"
        "read_object(Path(sys.argv[1]), points=2048, seed=0)\n"
        "peak = [int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmHWM')]\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(peak[0] // 1024, used.ru_utime + used.ru_stime)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / name)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    mebibytes, seconds = map(float, done.stdout.split())  # seconds of the CPU: other work on the machine takes none
    assert mebibytes < 2048 and seconds < 20


def test_reading_gives_points_of_the_object_alone(tmp_path):
    path = written(tmp_path, "mesh.obj", files.obj())
    sampled = read_object(path, points=2048, seed=0)
    assert sampled.dtype == np.float32 and sampled.shape == (2048, 3)
    np.testing.assert_allclose(np.ptp(sampled, axis=0), EXTENT, atol=0.02)


# What classify says about them


def classify(*paths, **changes):
    """The command in this process."""
    options = ["--labels", "chair, bottle, table", "--points", "512"]
    for name, value in changes.items():
        options += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    pointclip(["classify", *map(str, paths), *options])


@pytest.fixture
def several(tmp_path):
    """A mesh, a page in place of one, and a cloud with an index column."""
    index = np.column_stack([np.arange(3000), files.points()])
    content = {"mesh.obj": files.obj(), "page.obj": b"<html>404</html>", "index.txt": files.table(index)}
    return [written(tmp_path, name, content[name]) for name in content]


def test_one_bad_file_among_many_is_a_line_and_the_good_ones_are_told(several, capsys):
    with pytest.raises(SystemExit) as ended:
        classify(*several, verbose=True)
    said = capsys.readouterr()
    mesh, page, index = several
    assert ended.value.code == 1
    assert said.err.splitlines() == [
        f"error: {page}: its content is an HTML page, not a obj file",
        f"note: {index}: guessed that the first column counts the rows, x y z follow",
    ]
    lines = said.out.splitlines()
    assert [line for line in lines if not line.startswith("  ")][:2] == [str(mesh), str(index)]
    assert lines[1] == "  read: mesh, 48 vertices, 72 faces, extent 0.45 x 1.025 x 0.45"
    assert "  read: cloud, 3000 vertices, extent 0.45 x" in said.out and lines[-1].startswith("weights: bundled (")
    assert lines[2].endswith("%  chair")


def test_json_says_what_was_read_and_strict_refuses_what_was_guessed(several, tmp_path, capsys):
    mesh, _, index = several
    classify(mesh, index, json=True, sheet=tmp_path / "sheet.png")
    read = [one["read"] for one in json.loads(capsys.readouterr().out)["objects"]]
    whole = {"kind": "mesh", "vertices": 48, "faces": 72, "extent": [0.45, 1.025, 0.45], "dropped": [], "guessed": []}
    assert read[0] == whole
    assert (read[1]["kind"], read[1]["guessed"]) == ("cloud", ["the first column counts the rows, x y z follow"])
    assert (tmp_path / "sheet.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(SystemExit) as ended:
        classify(index, strict=True)
    assert ended.value.code == 1
    assert re.fullmatch(r"error: .*index.txt: guessed that the first column .* \(strict\)\n", capsys.readouterr().err)


@pytest.mark.parametrize("points", [-5, 0, 1, 10**9])
def test_a_number_of_points_out_of_range_is_one_line(points, several):
    with pytest.raises(SystemExit, match=f"^error: points {points}: expected 2 to 1000000$"):
        classify(several[0], points=points)
