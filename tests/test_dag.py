"""The whole DAG on tiny settings: it runs, stops where nothing changed, repeats byte by byte, and reports bad input."""

import json
import os
import shutil
import signal
import time

import h5py
import numpy as np
import pytest
from checkout import commit, contents, ran

from stages.artifacts.predictions import read_predictions
from stages.artifacts.prompts import read_prompts
from stages.reporting.experiments import COLUMNS

STAGES = [
    "download@home_objects",
    "generate@home_objects",
    "render@home_objects",
    "extract@home_objects-bundled",
    "embed@home_objects-bundled",
    "search@home_objects-bundled",
    "train@home_objects-bundled",
    "evaluate@home_objects-bundled",
    "download@procedural_parts",
    "generate@procedural_parts",
    "patches@procedural_parts-bundled_parts",
    "segment@procedural_parts-bundled_parts",
    "download@rooms",
    "generate@rooms",
    "detect@rooms-bundled",
    "report",
]
RENDERED = {  # what a change of section `render` reruns
    "render@home_objects",
    "extract@home_objects-bundled",
    "search@home_objects-bundled",
    "train@home_objects-bundled",
    "evaluate@home_objects-bundled",
    "detect@rooms-bundled",
    "report",
}
SAID = {  # what a change of prompts/templates reruns
    "embed@home_objects-bundled",
    "search@home_objects-bundled",
    "train@home_objects-bundled",
    "evaluate@home_objects-bundled",
    "segment@procedural_parts-bundled_parts",
    "detect@rooms-bundled",
    "report",
}
PROJECTING = {
    name for name in STAGES if name.split("@")[0] in ("render", "train", "patches", "segment", "detect", "report")
}
CLOCK = "reports/seconds"  # clock readings: the one thing that differs from run to run
TABLES = [
    "protocols",
    "zeroshot",
    "kernels",
    "text_inputs",
    "few_shot",
    "few_shot_kept",
    "shots",
    "segmentation",
    "segmentation_protocols",
    "detection",
    "prompts",
    "speed",
    "peers",
    "verdicts",
]


@pytest.fixture
def copy(tiny, tmp_path):
    return tiny.copy(tmp_path / "copy")


def artifact_bytes(checkout):
    """Bytes of every output of every stage, by its path."""
    outs = [out["path"] for stage in checkout.locked().values() for out in stage["outs"]]
    return contents(checkout.root, [path for path in outs if not path.startswith(CLOCK)])


def different(first, second):
    """Paths whose bytes differ, or that only one has."""
    return sorted(path for path in first.keys() | second.keys() if first.get(path) != second.get(path))


def test_every_stage_runs_once_and_then_none(tiny):
    assert sorted(tiny.first_run) == sorted(STAGES)
    assert tiny.repro() == []
    metrics = json.loads((tiny.root / "reports/metrics/home_objects/bundled.json").read_text())
    assert metrics["samples"] == 8
    assert set(metrics["template"]) == set(metrics["ensemble"])
    wanted = {f"reports/tables/{name}.{form}" for name in TABLES for form in ("md", "csv", "tex")}
    assert set(contents(tiny.root, ["reports/tables"])) == wanted
    assert (tiny.root / "reports/index.html").stat().st_size > 100_000


def test_two_runs_from_nothing_give_the_same_bytes(tiny, copy):
    for folder in ("data/cache", ".dvc/cache", ".dvc/tmp"):  # outputs, DVC removes itself
        shutil.rmtree(copy.root / folder)
    assert sorted(copy.repro("--force")) == sorted(STAGES)
    assert different(artifact_bytes(tiny), artifact_bytes(copy)) == []


def test_a_deleted_output_comes_back_from_the_cache(copy):
    before = artifact_bytes(copy)
    (copy.root / "data/depth/home_objects.h5").unlink()
    assert copy.repro() == []
    assert different(artifact_bytes(copy), before) == []


def test_comparing_changes_as_the_readme_says(copy):
    done = copy.run("dvc", "exp", "run", "-S", "render.smooth.sigma=1.0")
    assert set(ran(done)) == RENDERED
    assert "template.negative_log_likelihood" in copy.run("dvc", "metrics", "diff", "--md").stdout
    assert "smooth.sigma" in copy.run("dvc", "params", "diff", "--md").stdout
    drawn = copy.run("dvc", "plots", "diff", "HEAD", "--json").stdout
    shown = "".join(json.loads(drawn)["data"])
    assert "reports/plots/confusions" in shown and "reports/curves/home_objects/bundled" in shown
    assert "index.html" in copy.run("dvc", "plots", "show").stdout
    copy.run("git", "checkout", "-q", ".")
    copy.run("dvc", "checkout", "-q")
    copy.run("dvc", "exp", "run", "--queue", "-S", "evaluate.baseline=template,waffle", "evaluate")
    copy.run("dvc", "exp", "run", "--run-all")
    shown = copy.run("dvc", "exp", "show", "--only-changed", "--md").stdout
    assert all(value in shown for value in ("evaluate.baseline", "| template", "| waffle"))


def test_sweeps_are_listed_for_the_report(copy):
    copy.edit("params.yaml", "values: [gaussian, exponential, mish, sigmoid]", "values: [box]")
    copy.edit("params.yaml", "values: [v2_classification, v2_segmentation, v1]", "values: [v1]")
    commit(copy, "one value a sweep")
    before = artifact_bytes(copy)
    done = copy.stage("stages.commands.sweep", "kernels", "view_sets")
    assert done.returncode == 0, done.stderr
    assert different(artifact_bytes(copy), before) == []
    for name, value in {"kernels": "box", "view_sets": "v1"}.items():
        header, *rows = (copy.root / f"reports/experiments/{name}.csv").read_text().splitlines()
        assert header == ",".join(COLUMNS)
        assert {row.split(",")[0] for row in rows} == {value}
    assert copy.repro() == ["report"]
    assert "box" in (copy.root / "reports/tables/kernels.md").read_text()


@pytest.mark.parametrize(
    ("module", "rerun"),
    [
        ("stages/datasets/home_objects.py", {name for name in STAGES if name.startswith("download@")}),
        ("stages/projection/sparse.py", PROJECTING),
    ],
)
def test_a_comment_in_a_science_module_stops_at_the_first_equal_output(module, rerun, copy):
    copy.edit(module, "import numpy", "# a remark\nimport numpy")
    assert set(copy.repro()) == rerun


def test_a_changed_template_leaves_the_depth_maps_alone(copy):
    copy.edit("prompts/templates/simple.txt", "a silhouette of a {}.", "the outline of a {}.")
    assert set(copy.repro()) == SAID


def test_permuted_test_labels_change_the_oracle_alone(tiny, copy):
    features = copy.root / "data/features/home_objects/bundled/depth.h5"
    writable(features)
    with h5py.File(features, "a") as file:
        labels = file["test/labels"][:]
        file["test/labels"][:] = np.roll(labels, 1)
    for stage in ("search", "evaluate"):
        assert copy.stage(f"stages.{stage}", "home_objects", "bundled").returncode == 0
    before, after = (
        read_predictions(one.root / "data/predictions/home_objects/bundled.parquet") for one in (tiny, copy)
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
    copy.edit("params.yaml", "    - simple\n    - llm_four\n  start", f"    - {name}\n  start")
    for stage in ("embed", "search", "evaluate"):
        assert copy.stage(f"stages.{stage}", "home_objects", "bundled").returncode == 0
    chosen = json.loads((copy.root / "data/search/home_objects/bundled.json").read_text())
    sets = read_prompts(copy.root / "data/features/home_objects/bundled/prompts.parquet").sets
    assert {sets[row] for ids in chosen["label_free"]["prompts"] for row in ids} == {name}
    assert {sets[row] for ids in chosen["search_test"]["prompts"] for row in ids} <= {name, "class_name"}


def test_a_repro_that_is_killed_leaves_nothing_that_a_later_one_trusts(tiny, copy):
    output = copy.root / "data/depth/home_objects.h5"
    cache, md5 = copy.root / ".dvc/cache", copy.locked()["render@home_objects"]["outs"][0]["md5"]
    (cache / "files/md5" / md5[:2] / md5[2:]).unlink()  # so that it must be made again
    shutil.rmtree(cache / "runs")
    process = copy.start("dvc", "repro", "--force", "--single-item", "render@home_objects")
    partial = output.with_name(f".{output.name}.partial")
    while process.poll() is None and not partial.exists():
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    assert partial.exists() and not output.exists()
    assert copy.repro() == ["render@home_objects"]
    assert different(artifact_bytes(copy), artifact_bytes(tiny)) == []
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
        "    - llm_four\n  start",
        "    - fancy\n  start",
        ("search", "home_objects", "bundled"),
        "candidates: ",
    ),
    "unknown baseline": (
        "params.yaml",
        "  baseline: ensemble",
        "  baseline: fancy",
        ("evaluate", "home_objects", "bundled"),
        "params.yaml: evaluate.baseline 'fancy': expected one of class_name, template, ensemble, waffle, llm_four",
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
        "example_sample: 8",
        ("report",),
        "report.example_sample: 8, expected 0 to 7",
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
    assert different(artifact_bytes(copy), artifact_bytes(tiny)) == []


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
    assert set(different(artifact_bytes(tiny), artifact_bytes(copy))) <= {file}


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
