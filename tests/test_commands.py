"""The plan of the published selection, and its run."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from checkout import commit, new_checkout

from stages.config.params import load_params
from stages.core.errors import InputError

ROOT = Path(__file__).parents[1]


def run(*arguments, given=""):
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, input=given, text=True, capture_output=True, check=False)


def test_the_plan_of_the_published_selection_names_sources_terms_and_estimates():
    done = run("stages.commands.reproduce", "--dry-run")
    assert done.returncode == 0, done.stderr
    for word in (
        "modelnet40_ply_hdf5_2048.zip",
        "0.44 GB",
        "sign the makers' form",
        "terms:",
        "ViT-B-16-quickgelu",
        "disk:",
        "PointCLIP V2's own: https://",
        "not included: smooth_adapter",
    ):
        assert word in done.stdout
    maps = (9840 + 2468 + 11416 + 2882) * 10
    assert f"for {maps} maps" in done.stdout


def test_the_published_selection_does_not_start_unasked():
    done = run("stages.commands.reproduce", given="n\n")
    assert done.returncode == 1 and done.stderr == "error: stages.commands.reproduce: not started\n"


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


@pytest.fixture(scope="module")
def slices():
    folder = Path(os.environ.get("SLICES_DIR", ROOT / "../shared/data")).resolve()
    if not (folder / "modelnet40_ply_hdf5_2048").is_dir():
        pytest.skip(f"no ModelNet40 slice in {folder}: set SLICES_DIR")
    return folder


@pytest.mark.slow
def test_the_published_selection_ends_with_a_verdict_per_cell(slices, tmp_path):
    """All of it on a slice of ModelNet40 (which lacks a class), with the bundled weights in CLIP's place."""
    checkout = new_checkout(tmp_path)
    shutil.copy(ROOT / "reports/published.yaml", tmp_path / "reports")
    for kept in ("data/boxes/rooms/.gitignore", "data/segments/procedural_parts/.gitignore"):  # a clone's folders
        (tmp_path / kept).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / kept, tmp_path / kept)
    params = yaml.safe_load((tmp_path / "params.yaml").read_text())
    params["download"]["max_samples"] = None
    params["dataset"]["modelnet40"]["path"] = str(slices / "modelnet40_ply_hdf5_2048")
    params["backbone"]["vit_b16"] = params["backbone"]["bundled"]
    params["train"] |= {"methods": ["tip_adapter"], "shots": [1]}
    params["embed"]["sets"] = ["class_name", "simple"]
    params["evaluate"]["protocols"] = {"ensemble": "simple"}
    params["search"]["candidates"] = ["simple"]
    params["sweep"]["kernels"]["values"] = ["gaussian"]
    params["reproduce"]["sweeps"] = ["kernels"]
    one = {
        "datasets": ["modelnet40"],
        "classification": ["modelnet40"],
        "fewshot": [],
        "segmentation": [],
        "detection": [],
    }
    params["reproduce"]["overrides"] = {
        f"select.{key}": names for key, names in (one | {"backbones": ["vit_b16"]}).items()
    }
    params["reproduce"]["overrides"]["sweep.text_inputs.values"] = [["simple"]]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    commit(checkout, "a slice")
    done = checkout.python("stages.commands.reproduce", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    with open(tmp_path / "reports/tables/verdicts.csv", newline="") as file:
        verdicts = {(row["table"], row["cell"]): row["verdict"] for row in csv.DictReader(file)}
    cells = [verdicts["zero-shot", f"modelnet40, vit_b16, {when}, report"] for when in ("before", "after †")]
    assert all(cell.startswith(("within", "off by")) for cell in cells)
    assert verdicts["kernels", "modelnet40, vit_b16, gaussian, after †, report"]
    assert "modelnet40, vit_b16" in done.stdout
