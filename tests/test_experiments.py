"""Commands that run the DAG in a workspace, in a checkout whose stages only write what the real ones would."""

import shutil
from pathlib import Path

import pytest
import yaml

from stages.artifacts.experiments import FewShotRow, SweepRow, read_rows
from stages.artifacts.figures import FewShotFigures, FewShotMetrics
from stages.artifacts.metrics import write_metrics
from stages.artifacts.paths import Paths
from stages.commands import archive_fewshot, sweep
from stages.commands.workspace import workspace
from stages.core.errors import InputError

ROOT = Path(__file__).parents[1]
FAKE = """
import json, pathlib, sys, yaml
params = yaml.safe_load(open("params.yaml"))
figures = {"labels_read": "none", "top1_low": 1.0, "top1_high": 2.0}
scores = ["top5", "mean_class_accuracy", "negative_log_likelihood", "expected_calibration_error", "mcnemar_p"]
zero_shot = figures | dict.fromkeys(scores, 1.0)
few_shot = figures | {"gain_low": 1.0, "gain_high": 2.0, "top1_std": 0.5, "mean_class_accuracy_mean": 1.0, "seeds": [0]}
def write(path, document):
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(path).write_text(json.dumps(document))
if sys.argv[1] == "evaluate":
    top1 = {"box": 30.0, "mish": 40.0}[params["render"]["smooth"]["kernel"]]
    seconds = {"seconds": 0.5} if params["search"]["seed"] == 7 else {}
    write("data/search/home_objects/bundled.json", {"search_test": {"prompts": []} | seconds})
    protocols = {name: zero_shot | {"top1": top1} for name in ("a.b", "search_test")}
    more = {"samples": 1, "classes": 2, "leakage": 0.0, "views": {}, "sentences": {}, "retrieval": {}}
    write("reports/metrics/home_objects/bundled.json", {"task": "classification", "protocols": protocols} | more)
else:
    assert params["select"]["fewshot"] == params["select"]["datasets"] == ["modelnet10"]
    assert params["select"]["segmentation"] == []
    methods = {"adapter": {"16": few_shot | {"top1_mean": 30.0}, "2": few_shot | {"top1_mean": 20.0}}}
    metrics = {"task": "few_shot", "samples": {"train": 3, "test": 2}, "methods": methods}
    write("reports/metrics/modelnet10/bundled.fewshot.json", metrics)
"""
STAGES = {
    "evaluate": {
        "cmd": "python stages/fake.py evaluate",
        "params": ["render", "search"],
        "outs": ["data/search/home_objects/bundled.json"],
        "metrics": [{"reports/metrics/home_objects/bundled.json": {"cache": False}}],
    },
    "evaluate_fewshot": {
        "cmd": "python stages/fake.py evaluate_fewshot",
        "params": ["select"],
        "metrics": [{"reports/metrics/modelnet10/bundled.fewshot.json": {"cache": False}}],
    },
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What a workspace copies, without git."""
    root = tmp_path_factory.mktemp("checkout")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["dataset"]["modelnet10"] = params["dataset"]["modelnet40"]
    params["sweep"]["kernels"]["values"] = ["box", "mish"]
    params["sweep"]["kernels"]["fixed"] = {"search.seed": 7}
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    stages = {name: stage | {"deps": ["stages/fake.py"]} for name, stage in STAGES.items()}
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    for folder in ("stages", "prompts", "data/bundled", "reports/experiments"):
        (root / folder).mkdir(parents=True)
    (root / "stages/fake.py").write_text(FAKE)
    (root / "reports/published.yaml").touch()
    (root / ".dvcignore").touch()
    return root


def test_a_sweep_lists_every_protocol_with_the_seconds_of_its_search(checkout):
    before = (checkout / "params.yaml").read_bytes()
    sweep.main(["kernels"], root=checkout)
    rows = read_rows(Paths(checkout).experiments("kernels"), SweepRow)
    assert [(row.value, row.protocol, row.top1, row.seconds) for row in rows] == [
        ("box", "a.b", 30.0, None),
        ("box", "search_test", 30.0, 0.5),
        ("mish", "a.b", 40.0, None),
        ("mish", "search_test", 40.0, 0.5),
    ]
    assert (checkout / "params.yaml").read_bytes() == before
    assert not (checkout / "data/search").exists() and not (checkout / "reports/metrics").exists()


def test_few_shots_of_a_dataset_that_is_not_selected_are_archived(checkout):
    archive_fewshot.main("modelnet10", "bundled", root=checkout)
    rows = read_rows(Paths(checkout).experiments("few_shot"), FewShotRow)
    assert [(row.dataset, row.shapes, row.method, row.shots, row.top1_mean) for row in rows] == [
        ("modelnet10", "3 + 2", "adapter", 2, 20.0),
        ("modelnet10", "3 + 2", "adapter", 16, 30.0),
    ]
    assert not (checkout / "reports/metrics").exists()


def test_a_failed_run_and_a_workspace_in_use_are_one_line(checkout):
    with workspace(checkout, "failing") as made:
        made.set_params({"render.smooth.kernel": "none"})
        with pytest.raises(InputError, match="dvc repro evaluate: failed"):
            made.repro("evaluate")
        assert "KeyError: 'none'" in made.repro_quietly("evaluate")
        with pytest.raises(InputError, match="another run is using it"), workspace(checkout, "failing"):
            pass


def test_a_workspace_follows_the_checkout_and_keeps_what_it_has(checkout):
    (checkout / "prompts/a.txt").write_text("first")
    with workspace(checkout, "copied") as made:
        (made.folder / "prompts/recorded").mkdir()
        (made.folder / "prompts/recorded/toy.jsonl").write_text("{}\n")
        (made.folder / "data/archives.lock").write_text("{}\n")
        (made.folder / "dvc.lock").write_text("schema: '2.0'\nstages:\n  evaluate: {cmd: [")  # killed while writing
    assert (checkout / "prompts/recorded/toy.jsonl").read_text() == "{}\n"  # answers may have cost money
    assert (checkout / "data/archives.lock").read_text() == "{}\n"
    (checkout / "prompts/a.txt").unlink()
    (checkout / "prompts/b.txt").write_text("second")
    with workspace(checkout, "copied") as made:
        assert not (made.folder / "prompts/a.txt").exists()
        assert (made.folder / "prompts/b.txt").read_text() == "second"
        assert (made.folder / "prompts/recorded/toy.jsonl").read_text() == "{}\n"
        assert not (made.folder / "dvc.lock").exists()


def test_paths_of_the_users_own_lead_out_of_the_workspace(checkout):
    with workspace(checkout, "paths") as made:
        made.set_params({"dataset.folder.path": "mine/clouds", "dataset.scannet.path": "data/raw/scannet"})
        written = yaml.safe_load((made.folder / "params.yaml").read_text())["dataset"]
    assert written["folder"]["path"] == str(checkout / "mine/clouds")
    assert written["scannet"]["path"] == "data/raw/scannet"


def measured(method, top1, samples=2):
    figures = FewShotFigures(
        labels_read="train",
        top1_mean=top1,
        top1_std=0.5,
        top1_low=40.0,
        top1_high=60.0,
        gain_low=-1.0,
        gain_high=2.0,
        mean_class_accuracy_mean=1.0,
        seeds=(0,),
    )
    return FewShotMetrics(samples={"train": samples, "test": 2}, methods={method: {16: figures, 2: figures}})


def test_an_archived_run_replaces_the_earlier_one_and_leaves_the_others(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    source, path = tmp_path / "measured.json", Paths(tmp_path).experiments("few_shot")
    with pytest.raises(InputError, match=r"measured\.json: no such file"):
        archive_fewshot.main("rooms", "bundled", metrics=source, root=tmp_path)
    assert not path.exists()
    for dataset, method, top1 in (("rooms", "a", 10), ("home_objects", "a", 20), ("home_objects", "b", 40)):
        write_metrics(source, measured(method, top1))
        archive_fewshot.main(dataset, "bundled", metrics=source, root=tmp_path)
    write_metrics(source, measured("a", 30, samples=5))
    archive_fewshot.main("home_objects", "bundled", metrics=source, root=tmp_path)
    assert path.read_text().splitlines()[1:] == [
        "train,home_objects,bundled,2 + 2,b,2,40.0,0.5,40.0,60.0,-1.0,2.0",
        "train,home_objects,bundled,2 + 2,b,16,40.0,0.5,40.0,60.0,-1.0,2.0",
        "train,home_objects,bundled,5 + 2,a,2,30.0,0.5,40.0,60.0,-1.0,2.0",
        "train,home_objects,bundled,5 + 2,a,16,30.0,0.5,40.0,60.0,-1.0,2.0",
        "train,rooms,bundled,2 + 2,a,2,10.0,0.5,40.0,60.0,-1.0,2.0",
        "train,rooms,bundled,2 + 2,a,16,10.0,0.5,40.0,60.0,-1.0,2.0",
    ]


@pytest.mark.parametrize(
    ("names", "says"), [(("rooom", "bundled"), "dataset.rooom"), (("rooms", "none"), "backbone.none")]
)
def test_an_unknown_name_is_one_line(names, says):
    with pytest.raises(InputError, match=f"params.yaml: {says}: no such entry"):
        archive_fewshot.main(*names, root=ROOT)
