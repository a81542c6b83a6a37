"""The whole DAG on tiny settings: it runs, stops where nothing changed, repeats byte by byte, and reports bad input."""

import json
import signal
import sys
import time

import h5py
import numpy as np
import pytest
from checkout import new_checkout

from stages import artifacts

STAGES = [
    "download@home_objects",
    "render@home_objects",
    "extract@home_objects-bundled",
    "embed@home_objects-bundled",
    "search@home_objects-bundled",
    "evaluate@home_objects-bundled",
    "report",
]
ARTIFACTS = (
    "data/points/home_objects.h5",
    "data/depth/home_objects.h5",
    "data/features/home_objects/bundled/depth.h5",
    "data/features/home_objects/bundled/prompts.parquet",
    "data/search/home_objects/bundled.json",
    "data/predictions/home_objects/bundled.parquet",
    "reports/metrics/home_objects/bundled.json",
    "reports/tables/zeroshot.md",
    "reports/tables/kernels.md",
    "reports/figures/example.png",
    "reports/figures/depth_maps.png",
    "reports/figures/projections.png",
    "reports/figures/kernels.png",
    "reports/figures/confusion.png",
)


@pytest.fixture
def copy(tiny, tmp_path):
    return tiny.copy(tmp_path / "copy")


def artifact_bytes(checkout):
    return {name: (checkout.root / name).read_bytes() for name in ARTIFACTS}


def test_every_stage_runs_once_and_then_none(tiny):
    assert sorted(tiny.first_run) == sorted(STAGES)
    assert tiny.repro() == []
    metrics = json.loads((tiny.root / "reports/metrics/home_objects/bundled.json").read_text())
    assert metrics["samples"] == 24
    assert set(metrics["template"]) == set(metrics["ensemble"])


def test_two_clean_runs_give_the_same_bytes(tiny, tmp_path):
    other = new_checkout(tmp_path / "other")
    other.repro()
    first, second = artifact_bytes(tiny), artifact_bytes(other)
    assert [name for name in ARTIFACTS if first[name] != second[name]] == []


def test_a_deleted_output_comes_back_from_the_cache(copy):
    before = artifact_bytes(copy)
    (copy.root / "data/depth/home_objects.h5").unlink()
    assert copy.repro() == []
    assert artifact_bytes(copy) == before


def test_an_experiment_reruns_render_and_what_follows(copy):
    done = copy.run("dvc", "exp", "run", "-S", "render.smooth.sigma=1.0")
    ran = {line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")}
    assert ran == set(STAGES) - {"download@home_objects", "embed@home_objects-bundled"}
    changed = copy.run("dvc", "metrics", "diff", "--md").stdout
    assert "template.negative_log_likelihood" in changed
    assert "smooth.sigma" in copy.run("dvc", "params", "diff", "--md").stdout


@pytest.mark.parametrize(
    ("module", "rerun"),
    [
        ("stages/datasets/home_objects.py", ["download@home_objects"]),
        ("stages/projection/voxels.py", ["render@home_objects", "report"]),  # the report draws projections itself
    ],
)
def test_a_comment_in_a_science_module_stops_at_the_first_equal_output(module, rerun, copy):
    copy.edit(module, "import numpy", "# a remark\nimport numpy")
    assert copy.repro() == rerun


def test_a_changed_template_leaves_the_depth_maps_alone(copy):
    copy.edit("prompts/templates/simple.txt", "a silhouette of a {}.", "the outline of a {}.")
    assert copy.repro() == [STAGES[3], STAGES[4], STAGES[5], STAGES[6]]


def test_permuted_test_labels_change_the_oracle_alone(tiny, copy):
    features = copy.root / "data/features/home_objects/bundled/depth.h5"
    writable(features)
    with h5py.File(features, "a") as file:
        labels = file["test/labels"][:]
        file["test/labels"][:] = np.roll(labels, 1)
    for stage in ("search", "evaluate"):
        assert copy.stage(f"stages.{stage}", "home_objects", "bundled").returncode == 0
    before, after = (
        artifacts.read_predictions(one.root / "data/predictions/home_objects/bundled.parquet") for one in (tiny, copy)
    )
    same = {
        method: bool((before["predicted"] == after["predicted"])[before["method"] == method].all())
        for method in np.unique(before["method"])
    }
    assert same == dict.fromkeys(same, True) | {"search_test": False}
    chosen = [json.loads((one.root / "data/search/home_objects/bundled.json").read_text()) for one in (tiny, copy)]
    assert chosen[0]["search_train"] == chosen[1]["search_train"]
    assert chosen[0]["label_free"] == chosen[1]["label_free"]


@pytest.mark.parametrize(("name", "sentences"), [("one", ["{}, as a depth map."]), ("four", list("ABCD"))])
def test_any_prompt_set_runs_through_the_search(name, sentences, copy):
    lines = [sentence if "{}" in sentence else f"depth map {sentence} of a {{}}." for sentence in sentences]
    (copy.root / f"prompts/templates/{name}.txt").write_text("\n".join(lines) + "\n")
    copy.edit("params.yaml", "    - waffle\n  waffle_count", f"    - waffle\n    - {name}\n  waffle_count")
    copy.edit("params.yaml", "    - simple\n    - depth_80\n  start", f"    - {name}\n  start")
    for stage in ("embed", "search", "evaluate"):
        assert copy.stage(f"stages.{stage}", "home_objects", "bundled").returncode == 0
    chosen = json.loads((copy.root / "data/search/home_objects/bundled.json").read_text())
    sets = artifacts.read_prompts(copy.root / "data/features/home_objects/bundled/prompts.parquet").sets
    assert {sets[row] for ids in chosen["label_free"]["prompts"] for row in ids} == {name}
    assert {sets[row] for ids in chosen["search_test"]["prompts"] for row in ids} <= {name, "class_name"}


def test_a_render_that_is_killed_leaves_nothing_that_a_later_run_trusts(tiny, copy):
    output = copy.root / "data/depth/home_objects.h5"
    output.unlink()
    process = copy.start(sys.executable, "-m", "stages.render", "home_objects")
    partial = output.with_name(f".{output.name}.partial")
    while process.poll() is None and not partial.exists():
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    assert partial.exists() and not output.exists()
    assert copy.repro() == []
    assert copy.stage("stages.render", "home_objects").returncode == 0
    assert artifact_bytes(copy) == artifact_bytes(tiny)
    assert not partial.exists()


BAD = {
    "unknown param": (
        "params.yaml",
        "  sheet_objects:",
        "  sheet_object:",
        ("report",),
        "params.yaml: report.sheet_object: unknown key",
    ),
    "wrong type": ("params.yaml", "  dtype: u1", "  dtype: 8", ("render", "home_objects"), "params.yaml: render.dtype"),
    "unknown kernel": (
        "params.yaml",
        "    kernel: null",
        "    kernel: gauss",
        ("render", "home_objects"),
        "params.yaml: render.smooth.kernel 'gauss': expected one of",
    ),
    "unknown dataset": (
        "params.yaml",
        "sheet",
        "sheet",
        ("render", "shapenet"),
        "data/points/shapenet.h5: no such file",
    ),
    "unknown dataset entry": (
        "params.yaml",
        "sheet",
        "sheet",
        ("download", "shapenet"),
        "params.yaml: dataset.shapenet: no such entry",
    ),
    "unknown backbone": (
        "params.yaml",
        "sheet",
        "sheet",
        ("extract", "home_objects", "vit_x"),
        "params.yaml: backbone.vit_x: no such entry",
    ),
    "missing weights": (
        "params.yaml",
        "pretrained: data/bundled/bundled.safetensors",
        "pretrained: data/none.pt",
        ("extract", "home_objects", "bundled"),
        "data/none.pt: no such file",
    ),
    "missing raw data": (
        "params.yaml",
        "path: data/bundled/home_objects.h5",
        "path: data/nothing.h5",
        ("download", "home_objects"),
        "data/nothing.h5: no such file",
    ),
    "missing template": (
        "params.yaml",
        "    - simple",
        "    - fancy",
        ("embed", "home_objects", "bundled"),
        "prompts/templates/fancy.txt: no such file",
    ),
    "unknown candidates": (
        "params.yaml",
        "    - depth_80\n  start",
        "    - fancy\n  start",
        ("search", "home_objects", "bundled"),
        "candidates: ",
    ),
    "unknown baseline": (
        "params.yaml",
        "  baseline: ensemble",
        "  baseline: fancy",
        ("evaluate", "home_objects", "bundled"),
        "params.yaml: evaluate.baseline 'fancy': expected one of class_name, template, ensemble, waffle",
    ),
    "unknown set": (
        "params.yaml",
        "ensemble: simple",
        "ensemble: fancy",
        ("evaluate", "home_objects", "bundled"),
        "prompt set 'fancy'",
    ),
    "view weights": (
        "params.yaml",
        "view_weights: null",
        "view_weights: [1.0]",
        ("evaluate", "home_objects", "bundled"),
        "evaluate.view_weights: 1 weights, expected 10",
    ),
    "example outside": (
        "params.yaml",
        "example_sample: 0",
        "example_sample: 24",
        ("report",),
        "report.example_sample: 24, expected 0 to 23",
    ),
    "too few arguments": (
        "params.yaml",
        "sheet",
        "sheet",
        ("extract", "home_objects"),
        "expected <dataset> <backbone>",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_leaves_the_artifacts(name, tiny, copy):
    file, old, new, (stage, *arguments), message = BAD[name]
    copy.edit(file, old, new)
    assert_one_line(copy.stage(f"stages.{stage}", *arguments), message)
    assert artifact_bytes(copy) == artifact_bytes(tiny)


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("data/points/home_objects.h5", ("render", "home_objects")),
        ("data/depth/home_objects.h5", ("extract", "home_objects", "bundled")),
        ("data/features/home_objects/bundled/depth.h5", ("evaluate", "home_objects", "bundled")),
        ("data/bundled/home_objects.h5", ("download", "home_objects")),
        ("data/bundled/bundled.safetensors", ("embed", "home_objects", "bundled")),
        ("data/features/home_objects/bundled/prompts.parquet", ("evaluate", "home_objects", "bundled")),
    ],
)
def test_a_truncated_file_is_one_line_and_leaves_the_other_artifacts(file, stage, tiny, copy):
    whole = (copy.root / file).read_bytes()
    writable(copy.root / file).write_bytes(whole[: len(whole) // 2])
    assert_one_line(copy.stage(f"stages.{stage[0]}", *stage[1:]), file)
    before, after = artifact_bytes(tiny), artifact_bytes(copy)
    assert [name for name in ARTIFACTS if name != file and before[name] != after[name]] == []


def writable(path):
    """`path` as a file of its own: DVC may have linked it to its cache."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    return path


def assert_one_line(done, message):
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if "it/s" not in line and "?" not in line]
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    assert message in lines[-1] and "Traceback" not in done.stderr
