"""The commands that a person runs: classify one's own files, the plan of the published selection."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from stages.config.params import load_params
from stages.core.errors import InputError
from stages.reporting.colours import COLOURS

ROOT = Path(__file__).parents[1]


def run(*arguments, given=""):
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, input=given, text=True, capture_output=True, check=False)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table as a mesh, z up."""
    top = trimesh.creation.box((1, 1, 0.08), transform=trimesh.transformations.translation_matrix((0, 0, 0.5)))
    legs = [
        trimesh.creation.box((0.08, 0.08, 1), transform=trimesh.transformations.translation_matrix((x, y, 0)))
        for x in (-0.4, 0.4)
        for y in (-0.4, 0.4)
    ]
    path = tmp_path_factory.mktemp("mesh") / "table.stl"
    trimesh.util.concatenate([top, *legs]).export(path)
    return path


def test_a_mesh_is_classified_with_labels_from_stdin_and_shown(table, tmp_path):
    sheet = tmp_path / "sheet.png"
    cloud = tmp_path / "cloud.npy"
    np.save(cloud, trimesh.load(table).sample(3000).astype("f4"))
    options = ("--labels", "-", "--up", "z", "--json", "--sheet", sheet)
    done = run("stages.commands.classify", table, cloud, *options, given="lamp\ntable\nairplane\n")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [one["best"][0][0] for one in found["objects"]] == ["table", "table"]
    assert found["weights"].startswith("bundled (")
    assert sheet.read_bytes()[:4] == b"\x89PNG"


def test_the_parts_of_a_mesh_are_told_and_coloured(table, tmp_path):
    ply = tmp_path / "parts.ply"
    done = run(
        "stages.commands.classify",
        table,
        "--part",
        "top, leg",
        "--category",
        "table",
        "--up",
        "z",
        "--json",
        "--ply",
        ply,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["weights"].startswith("bundled_parts (")
    coloured = trimesh.load(ply)
    of_top, of_leg = (
        np.all(coloured.colors[:, :3] == list(bytes.fromhex(colour[1:])), axis=1) for colour in COLOURS[:2]
    )
    assert np.all(of_top ^ of_leg)
    shares = dict(found["objects"][0]["parts"])
    assert shares == pytest.approx({"top": of_top.mean(), "leg": of_leg.mean()}, abs=1e-4)
    heights = coloured.vertices[:, 2]
    assert np.mean(of_top == (heights > 0.45)) > 0.8


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("missing.obj", "--labels", "a,b"), "missing.obj"),
        (("README.md", "--labels", "a,b"), "README.md"),
        (("README.md", "--labels", "a, a"), "--labels: 1 different names"),
        (("missing.ply", "--part", "seat, leg"), "missing.ply: no such file"),
        (("missing.ply", "--part", "seat"), "--part: 1 different names"),
        (("a.ply", "b.ply", "--part", "seat, leg", "--ply", "out.ply"), "--ply out.ply: expected"),
        (("a.ply", "--part", "seat, leg", "--ply", "out.obj"), "--ply out.obj: expected"),
        (("a.ply", "--labels", "a, b", "--ply", "out.ply"), "--ply: not with --labels"),
        (("a.ply", "--part", "a, b", "--sheet", "out.png"), "--sheet: not with --part"),
    ],
)
def test_a_wrong_call_is_one_line(arguments, says):
    done = run("stages.commands.classify", *arguments)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("select.data", "unknown key"),
        ("selected", "unknown key"),
        ("selected.datasets", "no such section"),
        ("select.datasets.first", "no such section"),
    ],
)
def test_an_override_of_an_unknown_key_is_one_line(key, says):
    with pytest.raises(InputError, match=rf"params\.yaml: {key}: {says}"):
        load_params(ROOT, overrides={key: ["modelnet40"]})
