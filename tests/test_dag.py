"""The whole DAG on tiny settings: it runs, stops where nothing changed, repeats byte by byte, and reports bad input."""

import importlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from checkout import commit, contents, ran

from stages.artifacts.features import read_features
from stages.artifacts.figures import ClassificationMetrics
from stages.artifacts.metrics import read_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.predictions import read_predictions
from stages.artifacts.prompts import read_prompts
from stages.config.params import load_params
from stages.core.corruptions import kinds, split_of
from stages.core.errors import InputError
from stages.core.sampling import spread

ROOT = Path(__file__).parents[1]
RUN = ("home_objects", "bundled")
OF_RUN = "home_objects-bundled"
STAGES = [
    "download@home_objects",
    "download@procedural_parts",
    "download@rooms",
    "weights",
    "render@home_objects",
    "generate@home_objects",
    "generate@procedural_parts",
    "generate@rooms",
    f"extract@{OF_RUN}",
    f"embed@{OF_RUN}",
    f"search@{OF_RUN}",
    f"evaluate@{OF_RUN}",
    f"train@{OF_RUN}",
    f"evaluate_fewshot@{OF_RUN}",
    "patches@procedural_parts-bundled_parts",
    "segment@procedural_parts-bundled_parts",
    "detect@rooms-bundled",
    "examples",
    "report",
]
# What a change may rerun: the stages named first, and those after them where their output is another one.
RENDERED = ["render", "extract", "search", "evaluate", "train", "evaluate_fewshot", "examples", "report"]
EDITS = {
    "stages/reporting/tables.py": ["report"],
    "stages/prompt_search/greedy.py": ["search", "evaluate_fewshot", "segment"],
    "stages/segmentation/part_search.py": ["segment"],
    "stages/fewshot/adapter.py": ["train", "evaluate_fewshot"],
    "stages/projection/kernels.py": ["render", "extract", "train", "patches", "detect", "examples"],
    "stages/datasets/folder.py": ["download"],
    "stages/artifacts/boxes.py": ["detect", "report"],
    "stages/config/detect.py": ["detect", "report"],
    "stages/commands/pointclip/classify.py": [],
    "stages/bundled/rooms.py": [],
    "stages/projection/README.md": [],
}
CACHES = ("data/cache", "data/unfinished", "prompts/recorded", "params.yaml")  # no artifacts, or no path in `deps`


@pytest.fixture
def copy(tiny, tmp_path):
    return tiny.copy(tmp_path / "copy")


def artifact_bytes(checkout):
    """Bytes of every output of every stage, by its path."""
    return contents(checkout.root, [out for stage in checkout.stages() for out in stage.outs])


def different(first, second):
    """Paths whose bytes differ, or that only one has."""
    return sorted(path for path in first.keys() | second.keys() if first.get(path) != second.get(path))


def below(path, paths):
    """Whether `path` is one of `paths` or lies in one of them."""
    return any(path == other or path.startswith(f"{other}/") for other in paths)


def test_dvc_knows_these_stages_and_finds_nothing_to_do(tiny):
    assert sorted(stage.name for stage in tiny.stages()) == sorted(STAGES)
    assert tiny.repro() == []
    assert read_metrics(Paths(tiny.root).metrics(*RUN), ClassificationMetrics).samples == 8
    assert (tiny.root / "reports/index.html").stat().st_size > 100_000


def test_every_table_is_written_in_every_form(tiny):
    tables = tiny.root / "reports/tables"
    names = {path.stem for path in (ROOT / "reports/tables").iterdir()}
    assert {path.name for path in tables.iterdir()} == {
        f"{name}.{form}" for name in names for form in ("md", "csv", "tex")
    }


def test_a_stage_reads_what_dvc_yaml_says_and_nothing_else(tiny):
    for stage in tiny.stages():
        odd = [path for path in tiny.traces[stage.name]["read"] if not below(path, (*stage.deps, *stage.outs, *CACHES))]
        own = [path for path in odd if not path.startswith("stages/")]  # code is the agreement test's
        if stage.module != "stages.weights":
            own = [path for path in own if not path.startswith("data/bundled/bundled")]  # known by data/weights_used
        assert own == [], stage.name


def test_a_stage_writes_what_dvc_yaml_says_and_nothing_else(tiny):
    for stage in tiny.stages():
        written = tiny.traces[stage.name]["written"]
        assert [path for path in written if not below(path, (*stage.outs, *CACHES))] == [], stage.name
        kept = [out for out in stage.outs if not out.startswith("prompts/recorded")]  # written only by new answers
        assert [out for out in kept if not any(below(path, (out,)) for path in written)] == [], stage.name


def test_no_data_stands_in_dvc_yaml_that_its_stage_does_not_read(tiny):
    used = {}  # a dependency of all datasets, such as a bundled file, need be read for one of them
    for stage in tiny.stages():
        for dependency in stage.deps:
            read = any(below(path, (dependency,)) for path in tiny.traces[stage.name]["read"])
            used[stage.module, dependency] = used.get((stage.module, dependency), False) or read
    idle = [key for key, read in used.items() if not read and not key[1].startswith(("stages/", "data/weights"))]
    read_with_other_settings = ("stages.train", "data/points/home_objects")
    assert idle == [read_with_other_settings]


def test_two_runs_from_nothing_give_the_same_bytes(tiny, copy):
    for path in [out for stage in copy.stages() for out in stage.outs if not out.startswith("prompts/")]:
        target = copy.root / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    shutil.rmtree(copy.root / "data/cache", ignore_errors=True)
    for stage in copy.stages():
        copy.run_stage(stage)
    assert different(artifact_bytes(tiny), artifact_bytes(copy)) == []


def test_a_deleted_output_comes_back_from_the_cache(copy):
    before = artifact_bytes(copy)
    shutil.rmtree(copy.root / "data/depth/home_objects")
    assert copy.repro() == []
    assert different(artifact_bytes(copy), before) == []


def test_features_from_points_wait_for_no_depth_maps(copy):
    (features,) = (stage.outs[0] for stage in copy.stages() if stage.name.startswith("extract"))
    stored = read_features(copy.root / features, "test")
    copy.set_params({"extract.maps": "points"})
    (stage,) = (stage for stage in copy.stages() if stage.name.startswith("extract"))
    assert "data/points/home_objects" in stage.deps and not any("data/depth" in dep for dep in stage.deps)
    shutil.rmtree(copy.root / "data/depth")
    copy.run_stage(stage)
    found = read_features(copy.root / features, "test")
    assert (found.values * stored.values).sum(-1).min() > 0.998


@pytest.mark.parametrize("file", EDITS)
def test_an_edit_reruns_the_stages_that_depend_on_it(file, tiny):
    touched = {stage.module.removeprefix("stages.") for stage in tiny.stages() if below(file, stage.deps)}
    ignored = file.endswith(".md")  # .dvcignore
    assert (set() if ignored else touched) == set(EDITS[file])


def test_dvc_reruns_what_an_edit_touches(copy):
    copy.edit("stages/reporting/tables.py", "import csv", "# a remark\nimport csv")
    (copy.root / "stages/projection/README.md").write_text("another page\n")
    assert copy.repro() == ["report"]


def test_local_weights_are_watched(copy):
    weights = copy.root / "data/bundled/bundled.safetensors"
    (copy.root / "data/weights/mine.safetensors").write_bytes(weights.read_bytes())
    copy.set_params({"backbone.bundled.pretrained": "data/weights/mine.safetensors"})
    commit(copy, "weights of my own")
    copy.repro("weights")
    before = json.loads(Paths(copy.root).weights_used("bundled").read_text())
    # the same tensors in a file of another hash
    (copy.root / "data/weights/mine.safetensors").write_bytes(
        (copy.root / "data/bundled/bundled_parts.safetensors").read_bytes()
    )
    assert copy.repro("weights") == ["weights"]
    assert json.loads(Paths(copy.root).weights_used("bundled").read_text()) != before
    assert f"extract@{OF_RUN}" in copy.would_run()
    outside = copy.root / "data/raw/mine.safetensors"
    outside.parent.mkdir()
    shutil.copy(weights, outside)
    with pytest.raises(
        InputError, match=r"backbone.bundled.pretrained: data/raw/mine.safetensors: expected a file below"
    ):
        run_main("weights", (), copy, {"backbone.bundled.pretrained": "data/raw/mine.safetensors"})


def run_main(stage, arguments, checkout, overrides=None):
    """A stage's main in this process, with keys of params.yaml set."""
    params = load_params(checkout.root, overrides=overrides)
    importlib.import_module(f"stages.{stage}").main(*arguments, params=params, root=checkout.root)


@pytest.mark.slow
def test_comparing_changes_as_the_readme_says(copy):
    done = copy.run("dvc", "exp", "run", "-S", "render.smooth.sigma=1.0")
    assert {name.split("@")[0] for name in ran(done)} == set(RENDERED)
    assert "negative_log_likelihood" in copy.run("dvc", "metrics", "diff", "--md").stdout
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


def test_permuted_test_labels_change_the_oracle_alone(tiny, copy):
    features = Paths(copy.root).features(*RUN)
    writable(features)
    with h5py.File(features, "a") as file:
        labels = np.roll(file["test/labels"][:], 1)
        file["test/labels"][:] = labels
        for copies in (file[split_of(*kind)]["labels"] for kind in kinds(tuple(file))):
            copies[:] = labels[spread(len(labels), len(copies))]
    for stage in ("search", "evaluate"):
        run_main(stage, RUN, copy)
    before, after = (read_predictions(Paths(one.root).predictions(*RUN)) for one in (tiny, copy))
    same = {
        method: bool((before["predicted"] == after["predicted"])[before["method"] == method].all())
        for method in np.unique(before["method"])
    }
    assert same == dict.fromkeys(same, True) | {"search_test": False}
    chosen = [json.loads(Paths(one.root).search(*RUN).read_text()) for one in (tiny, copy)]
    assert chosen[0]["search_train"] == chosen[1]["search_train"]
    assert chosen[0]["label_free"] == chosen[1]["label_free"]


@pytest.mark.parametrize(("name", "sentences"), [("one", ["{}, as a depth map."]), ("four", list("ABCD"))])
def test_any_prompt_set_runs_through_the_search(name, sentences, copy):
    lines = [sentence if "{}" in sentence else f"depth map {sentence} of a {{}}." for sentence in sentences]
    (copy.root / f"prompts/templates/{name}.txt").write_text("\n".join(lines) + "\n")
    sets = yaml.safe_load((copy.root / "params.yaml").read_text())["embed"]["sets"]
    for stage in ("embed", "search", "evaluate"):
        run_main(stage, RUN, copy, {"embed.sets": [*sets, name], "search.candidates": [name]})
    chosen = json.loads(Paths(copy.root).search(*RUN).read_text())
    sets = read_prompts(Paths(copy.root).prompts(*RUN)).sets
    assert {sets[row] for ids in chosen["label_free"]["prompts"] for row in ids} == {name}
    assert {sets[row] for ids in chosen["search_test"]["prompts"] for row in ids} <= {name, "class_name"}


@pytest.mark.slow
def test_a_repro_that_is_killed_leaves_nothing_that_a_later_one_trusts(tiny, copy):
    output = copy.root / "data/depth/home_objects"
    locked = yaml.safe_load((copy.root / "dvc.lock").read_text())["stages"]
    cache, md5 = copy.root / ".dvc/cache", locked["render@home_objects"]["outs"][0]["md5"]
    (cache / "files/md5" / md5[:2] / md5[2:]).unlink()  # so that it must be made again
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
    "unknown kernel": (
        "render",
        RUN[:1],
        {"render.smooth.kernel": "gauss"},
        "render.smooth.kernel 'gauss': expected one",
    ),
    "unknown dataset": ("render", ("shapenet",), {}, "data/points/shapenet: no such folder"),
    "unknown dataset entry": ("download", ("shapenet",), {}, "params.yaml: dataset.shapenet: no such entry"),
    "unknown backbone": ("extract", (RUN[0], "vit_x"), {}, "params.yaml: backbone.vit_x: no such entry"),
    "missing weights": ("extract", RUN, {"backbone.bundled.pretrained": "data/none.pt"}, "data/none.pt: no such file"),
    "missing raw data": (
        "download",
        RUN[:1],
        {"dataset.home_objects.path": "data/nothing.h5"},
        "data/nothing.h5: no such file",
    ),
    "missing template": ("embed", RUN, {"embed.sets": ["fancy"]}, "prompts/templates/fancy.txt: no such file"),
    "unknown candidates": ("search", RUN, {"search.candidates": ["fancy"]}, "candidates: "),
    "unknown baseline": (
        "evaluate",
        RUN,
        {"evaluate.baseline": "fancy"},
        "evaluate.baseline 'fancy': expected one of class_name, template, ensemble, waffle, llm_four",
    ),
    "unknown set": ("evaluate", RUN, {"evaluate.protocols": {"ensemble": "fancy"}}, "prompt set 'fancy'"),
    "view weights": (
        "evaluate",
        RUN,
        {"evaluate.view_weights": [1.0]},
        "evaluate.view_weights: 1 weights, expected 10",
    ),
    "example outside": ("report", (), {"report.example_sample": 8}, "report.example_sample: 8, expected 0 to 7"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_leaves_the_artifacts(name, tiny):
    stage, arguments, overrides, message = BAD[name]
    before = artifact_bytes(tiny)
    with pytest.raises(InputError) as error:
        run_main(stage, arguments, tiny, overrides)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert different(artifact_bytes(tiny), before) == []


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("data/points/home_objects/00000.h5", ("render", "home_objects")),
        ("data/depth/home_objects/00000.h5", ("extract", *RUN)),
        ("data/features/home_objects/bundled/depth.h5", ("evaluate", *RUN)),
        ("data/bundled/home_objects.h5", ("download", "home_objects")),
        ("data/bundled/bundled.safetensors", ("embed", *RUN)),
        ("data/features/home_objects/bundled/prompts.parquet", ("evaluate", *RUN)),
    ],
)
def test_a_truncated_file_is_one_line_and_leaves_the_other_artifacts(file, stage, tiny, copy):
    whole = (copy.root / file).read_bytes()
    writable(copy.root / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=file) as error:
        run_main(stage[0], stage[1:], copy)
    assert "\n" not in str(error.value)
    assert set(different(artifact_bytes(tiny), artifact_bytes(copy))) <= {file}


@pytest.mark.parametrize(
    ("file", "old", "new", "call", "message"),
    [
        (
            "params.yaml",
            "example_sample:",
            "example_sampel:",
            ["report"],
            "params.yaml: report.example_sampel: unknown key",
        ),
        ("params.yaml", "  dtype: u1", "  dtype: 8", ["render", "home_objects"], "params.yaml: render.dtype"),
    ],
)
def test_the_command_line_ends_on_one_line_and_shows_more_when_asked(file, old, new, call, message, copy):
    copy.edit(file, old, new)
    done = copy.python(f"stages.{call[0]}", *call[1:])
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith(f"error: {message}")
    assert "Traceback" not in done.stderr
    assert "Traceback" in copy.python(f"stages.{call[0]}", *call[1:], "--traceback").stderr


def writable(path):
    """`path` as a file of its own: DVC may have linked it to its cache."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    return path
