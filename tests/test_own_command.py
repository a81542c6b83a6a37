"""The command `pointclip`: files of one's own named, their parts coloured, rooms searched for furniture."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from own_objects import room, table_with_four_legs

from stages.commands.pointclip.main import COMMANDS
from stages.reporting.colours import COLOURS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table as a mesh, z up."""
    path = tmp_path_factory.mktemp("mesh") / "table.stl"
    table_with_four_legs().export(path)
    return path


def test_a_mesh_and_a_cloud_are_classified_with_labels_from_stdin_and_shown(table, tmp_path, pointclip):
    sheet, cloud = tmp_path / "sheet.png", tmp_path / "cloud.npy"
    np.save(cloud, trimesh.load(table).sample(3000, seed=0).astype("f4"))
    options = ("--labels", "-", "--up", "z", "--json", "--sheet", sheet)
    status, printed, _ = pointclip("classify", table, cloud, *options, given="lamp\ntable\nairplane\n")
    found = json.loads(printed)
    assert status == 0 and found["weights"].startswith("bundled (")
    assert [one["best"][0][0] for one in found["objects"]] == ["table", "table"]
    assert [one["up"] for one in found["objects"]] == ["z", "z"] and "up_guessed" not in found["objects"][0]
    assert sheet.read_bytes()[:4] == b"\x89PNG"


def test_folders_and_a_list_on_stdin_are_done_but_for_one_bad_file(table, tmp_path, pointclip):
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/deep/one.stl").write_bytes(table.read_bytes())
    (tmp_path / "in/bad.stl").write_text("<html>")
    listed = f"{tmp_path / 'in'}\n{table}\n\n{tmp_path}/*.none\n"
    options = ("--labels", "lamp, table", "--up", "auto", "--csv", "--top", "1")
    status, printed, errors = pointclip("classify", "-", *options, given=listed)
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert status == 1
    assert [row["file"] for row in rows] == [str(tmp_path / "in/deep/one.stl"), str(table)]
    assert [(row["rank"], row["label"]) for row in rows] == [("1", "table")] * 2 and float(rows[0]["probability"]) > 0.9
    assert errors == [
        f"error: {tmp_path}/*.none: no file matches this pattern",
        f"error: {tmp_path}/in/bad.stl: its content is an HTML page, not a stl file",
    ]


def test_a_guessed_axis_is_said(table, pointclip):
    status, printed, _ = pointclip("classify", table, "--labels", "lamp, table", "--up", "auto")
    assert status == 0 and printed.splitlines()[0] == f"{table}  (z up, guessed)"
    _, printed, _ = pointclip("classify", table, "--labels", "lamp, table", "--up", "auto", "--json")
    [one] = json.loads(printed)["objects"]
    assert (one["up"], one["up_guessed"]) == ("z", True)


def test_the_parts_of_a_mesh_are_told_and_coloured(table, tmp_path, pointclip):
    ply = tmp_path / "parts.ply"
    options = ("--parts", "top, leg", "--category", "table", "--up", "z", "--json", "--ply", ply)
    status, printed, _ = pointclip("parts", table, *options)
    found = json.loads(printed)
    assert status == 0 and found["weights"].startswith("bundled_parts (")
    coloured = trimesh.load(ply)
    of_top, of_leg = (
        np.all(coloured.colors[:, :3] == list(bytes.fromhex(colour[1:])), axis=1) for colour in COLOURS[:2]
    )
    assert np.all(of_top ^ of_leg)
    shares = dict(found["objects"][0]["parts"])
    assert shares == pytest.approx({"top": of_top.mean(), "leg": of_leg.mean()}, abs=1e-4)
    heights = coloured.vertices[:, 2]
    assert np.mean(of_top == (heights > 0.45)) > 0.8


def test_boxes_of_a_room_are_told_in_all_forms(tmp_path, pointclip):
    scan, classes = room()
    path = tmp_path / "room.npy"
    np.save(path, scan.points)
    asked = ("boxes", path, "--labels", ",".join(classes), "--least", "0.5")
    status, printed, _ = pointclip(*asked, "--json")
    boxes = json.loads(printed)["objects"][0]["boxes"]
    assert status == 0 and "armchair" in [box["label"] for box in boxes] and all(box["score"] >= 0.5 for box in boxes)
    _, table, _ = pointclip(*asked, "--csv")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [(row["label"], float(row["x"])) for row in rows] == [(box["label"], box["centre"][0]) for box in boxes]
    _, lines, _ = pointclip(*asked)
    assert len(lines.splitlines()) == len(boxes) + 2 and lines.startswith(str(path))
    _, lines, _ = pointclip(*asked[:-1], "1.1")
    assert lines.splitlines()[1] == "  no box"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("classify", "missing.obj", "--labels", "a,b"), "missing.obj: no such file"),
        (("classify", "README.md", "--labels", "a,b"), "README.md: format '.md'"),
        (("classify", "README.md", "--labels", "a, a"), "--labels: 1 different names"),
        (("classify", "a.ply", "--labels", "a, b", "--backbone", "none_such"), "backbone.none_such: no such entry"),
        (("classify", "a.ply", "--labels", "a, b", "--top", "0"), "top 0: expected"),
        (("classify", "-", "--labels", "-"), "--labels -: the files are read from stdin"),
        (("parts", "missing.ply", "--parts", "seat, leg"), "missing.ply: no such file"),
        (("parts", "missing.ply", "--parts", "seat"), "--parts: 1 different names"),
        (("parts", "-", "--parts", "-"), "--parts -: the files are read from stdin"),
        (("parts", "a.ply", "b.ply", "--parts", "seat, leg", "--ply", "out.ply"), "--ply out.ply: expected one file"),
        (("parts", "a.ply", "--parts", "seat, leg", "--ply", "out.obj"), "--ply out.obj: expected a name"),
        (("parts", "x.ply", "y.ply", "--parts", "a, b", "--backbone", "no"), "backbone.no: no such entry"),
        (("boxes", "missing.ply", "--labels", "a, b"), "missing.ply: no such file"),
        (("boxes", "-", "--labels", "-"), "--labels -: the files are read from stdin"),
    ],
)
def test_a_wrong_call_is_one_line(arguments, says, pointclip):
    status, _, errors = pointclip(*arguments)
    assert status not in (0, None) and len(errors) == 1 and says in errors[0] and errors[0].startswith("error: ")


@pytest.mark.parametrize(("command", "names"), [("parts", "--parts"), ("boxes", "--labels")])
def test_parts_and_boxes_of_the_others_are_told_where_one_file_is_bad(command, names, table, tmp_path, pointclip):
    bad = tmp_path / "bad.stl"
    bad.write_text("<html>")
    status, printed, errors = pointclip(command, bad, table, names, "top, leg", "--up", "z", "--json")
    assert status == 1 and errors == [f"error: {bad}: its content is an HTML page, not a stl file"]
    assert [one["file"] for one in json.loads(printed)["objects"]] == [str(table)]


def test_what_is_wrong_with_more_than_a_file_is_told_once(table, pointclip):
    files = (table, table.with_name("lost.stl"), table.parent)
    given = ("--parts", "top, leg", "--backbone", "rn50", "--device", "mps")
    status, _, [error] = pointclip("parts", *files, *given)
    assert status and error == "error: params.yaml: device 'mps': not available on this machine"


def test_coordinates_of_a_map_keep_their_millimetres(tmp_path, pointclip):
    scan, classes = room()
    np.save(tmp_path / "room.npy", scan.points + np.array([456_789.0, 5_432_100.0, 300.0]))
    _, printed, _ = pointclip("boxes", tmp_path / "room.npy", "--labels", ",".join(classes), "--json")
    centres = [box["centre"] for box in json.loads(printed)["objects"][0]["boxes"] if box["label"] == "armchair"]
    assert centres[0] == pytest.approx([456_793.59, 5_432_101.93, 300.47], abs=0.05)


def test_a_name_that_is_no_text_is_printed_all_the_same(table, tmp_path):
    path = os.fsencode(tmp_path) + b"/t\xffble.stl"
    with open(path, "wb") as file:
        file.write(table.read_bytes())
    command = [sys.executable, "-m", "stages.commands.pointclip", "classify", path, "--labels", "lamp,table"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0 and b"%  table" in done.stdout, done.stderr


@pytest.mark.parametrize("arguments", [("paper", "--check"), ("sweep", "kernels")])
def test_what_needs_a_checkout_says_so(arguments, tmp_path, monkeypatch, pointclip):
    monkeypatch.chdir(tmp_path)
    status, _, [error] = pointclip(*arguments)
    assert status and error.endswith("no dvc.yaml and params.yaml here, expected a checkout of the project")


def test_the_doors_lead_to_what_is_there(monkeypatch, pointclip):
    monkeypatch.chdir(ROOT)
    status, printed, _ = pointclip("paper", "--help")
    assert status == 0 and "--check" in printed
    status, _, [error] = pointclip("sweep", "none_such")
    assert status and "sweep.none_such: no such entry" in error


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example_and_the_forms_of_its_answer(name, pointclip):
    status, printed, _ = pointclip(name, "--help")
    assert status == 0 and f"example:\n  pointclip {name}" in printed
    answers = name not in ("serve", "paper", "sweep")  # these print what they do, not results
    assert ("--json" in printed, "--csv" in printed) == (answers, answers)


def test_help_is_quick_and_the_output_may_be_cut_off(table):
    code = "import sys; sys.argv[1:] = ['--help']; from stages.commands.pointclip.main import main\n"
    code += "try: main()\nexcept SystemExit: print('torch' in sys.modules, 'numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
    cut = f"{sys.executable} -m stages.commands.pointclip classify {table} --labels a,b --csv | true"
    done = subprocess.run(cut, shell=True, cwd=ROOT, text=True, capture_output=True, check=True)
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr
