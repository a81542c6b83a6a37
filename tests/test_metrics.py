"""The metrics contract: any name comes back, a wrong key is one line, and no protocol can stand for another."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import evaluate, evaluate_fewshot
from stages.artifacts.confusions import read_confusions, write_confusions
from stages.artifacts.experiments import FewShotRow, SpeedRow, SweepRow, read_rows, write_rows
from stages.artifacts.features import write_features
from stages.artifacts.fewshot import write_epochs
from stages.artifacts.figures import (
    AccuracyFigures,
    ClassificationMetrics,
    DetectionFigures,
    DetectionMetrics,
    FewShotFigures,
    FewShotMetrics,
    RetrievalFigures,
    SegmentationMetrics,
)
from stages.artifacts.files import write_json
from stages.artifacts.metrics import read_metrics, write_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.predictions import new_predictions
from stages.artifacts.prompts import write_prompts
from stages.artifacts.types import Prompts
from stages.config.params import load_params
from stages.core.errors import InputError

ROOT = Path(__file__).parents[1]
PARAMS = load_params(ROOT)
RUN = ("toy", "small")
NAMES = st.one_of(
    st.sampled_from(["samples", "views", "few_shot", "protocols", "task", "labels_read", "a.b", "", " ", "†"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
PERCENT = st.floats(0, 100)


def accuracy(top1=50.0, labels_read="none"):
    return AccuracyFigures(
        labels_read=labels_read,
        top1=top1,
        top1_low=40.0,
        top1_high=60.0,
        top5=75.0,
        mean_class_accuracy=45.0,
        negative_log_likelihood=1.5,
        expected_calibration_error=5.0,
        mcnemar_p=0.25,
    )


SEARCHES = RetrievalFigures(words_map=75.0, words_first=50.0, objects_map=60.0, above_floor=70.0, false_positives=5.0)


def classification(protocols):
    return ClassificationMetrics(
        samples=4,
        classes=2,
        leakage=0.0,
        protocols=protocols,
        views={0: 50.0, 11: 25.0},
        sentences={"simple": {16: 1.0}},
        retrieval={"test": {"mean": SEARCHES}},
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("metrics") / "toy.json"


@given(st.dictionaries(NAMES, PERCENT, min_size=1, max_size=4))
def test_a_protocol_may_have_any_name(path, top1):
    metrics = classification({name: accuracy(value) for name, value in top1.items()})
    write_metrics(path, metrics)
    assert read_metrics(path, ClassificationMetrics) == metrics


@given(st.dictionaries(NAMES, st.dictionaries(st.integers(0, 99), PERCENT, min_size=1, max_size=3), max_size=3))
def test_methods_and_shots_come_back(path, methods):
    figures = {
        method: {
            shots: FewShotFigures(
                labels_read="train",
                top1_mean=top1,
                top1_std=0.5,
                top1_low=1.0,
                top1_high=2.0,
                gain_low=-1.0,
                gain_high=1.0,
                mean_class_accuracy_mean=3.0,
                seeds=(0, 1),
            )
            for shots, top1 in by_shots.items()
        }
        for method, by_shots in methods.items()
    }
    metrics = FewShotMetrics(samples={"train": 3, "test": 2}, methods=figures)
    write_metrics(path, metrics)
    assert read_metrics(path, FewShotMetrics) == metrics


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, PERCENT, max_size=2), max_size=2))
def test_proposals_and_ablations_may_have_any_name(path, proposals):
    figures = {
        kind: {
            row: DetectionFigures(
                labels_read="none", map25=value, map50=1.0, ar25=1.0, ar50=1.0, per_class={"a.b": {"ap25": value}}
            )
            for row, value in rows.items()
        }
        for kind, rows in proposals.items()
    }
    metrics = DetectionMetrics(scans=1, classes=2, boxes=3, proposals=figures)
    write_metrics(path, metrics)
    assert read_metrics(path, DetectionMetrics) == metrics


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda document: document.pop("leakage"), "leakage: missing"),
        (lambda document: document.update(leak=1.0), "leak: unknown key"),
        (lambda document: document["protocols"]["e"].pop("top5"), "protocols.e.top5: missing"),
        (lambda document: document["protocols"]["e"].update(top9=1.0), "protocols.e.top9: unknown key"),
        (
            lambda document: document["protocols"]["e"].update(top1="50"),
            "protocols.e.top1: Input should be a valid num",
        ),
        (
            lambda document: document["protocols"]["e"].update(labels_read="all"),
            "protocols.e.labels_read: Input should",
        ),
        (lambda document: document.update(task="detection"), "task: Input should be 'classification'"),
    ],
)
def test_a_wrong_key_is_one_line_that_names_the_file_and_the_key(path, change, says):
    write_metrics(path, classification({"e": accuracy()}))
    document = json.loads(path.read_text())
    change(document)
    write_json(path, document)
    with pytest.raises(InputError) as error:
        read_metrics(path, ClassificationMetrics)
    assert str(error.value).startswith(f"{path}: {says}") and "\n" not in str(error.value)


def test_metrics_of_another_task_are_refused(path):
    write_metrics(path, classification({"e": accuracy()}))
    with pytest.raises(InputError, match=r"toy\.json: "):
        read_metrics(path, SegmentationMetrics)


def test_not_a_number_is_not_written(path):
    path.unlink(missing_ok=True)
    with pytest.raises(ValueError, match="[Oo]ut of range float"):
        write_metrics(path, classification({"e": accuracy(float("nan"))}))
    assert not path.exists()


@pytest.fixture
def root(tmp_path):
    """Features, prompts and choices of four samples in two views; the first three are right by any sentence."""
    paths = Paths(tmp_path)
    values = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], "f4")[:, None].repeat(2, axis=1)
    labels = np.array([0, 0, 1, 0])
    for name in ("features", "prompts", "search"):
        getattr(paths, name)(*RUN).parent.mkdir(parents=True, exist_ok=True)
    splits = {"train": (values, labels), "test": (values, labels)}
    write_features(paths.features(*RUN), splits, classes=("a", "b"), logit_scale=10.0)
    write_prompts(
        paths.prompts(*RUN), Prompts(np.array([0, 1]), ("a", "b"), ("simple",) * 2, ("x", "y"), np.eye(2, dtype="f4"))
    )
    choice = {"prompts": [[0], [1]], "view_weights": [0.5, 0.5]}
    read = {"label_free": "none", "search_train": "train", "search_test": "test"}
    write_json(paths.search(*RUN), {name: choice | {"labels_read": labels} for name, labels in read.items()})
    return tmp_path


def params_with(protocols, **changes):
    config = replace(PARAMS.evaluate, protocols=protocols, baseline=next(iter(protocols)), **changes)
    return replace(PARAMS, evaluate=config)


def test_evaluate_takes_names_that_were_keys_of_the_file(root):
    names = ["samples", "views", "few_shot", "a.b", "protocols"]
    evaluate.main(*RUN, params=params_with(dict.fromkeys(names, "simple"), bootstrap_samples=10), root=root)
    metrics = read_metrics(Paths(root).metrics(*RUN), ClassificationMetrics)
    assert set(metrics.protocols) == {*names, "label_free", "search_train", "search_test"}
    assert {name: figures.top1 for name, figures in metrics.protocols.items()} == dict.fromkeys(metrics.protocols, 75)
    assert (metrics.samples, metrics.views) == (4, {0: 75.0, 1: 75.0})
    oracles = [name for name, figures in metrics.protocols.items() if figures.oracle]
    assert oracles == ["search_test"]
    counts = read_confusions(Paths(root).confusions(*RUN), ("a", "b"))
    assert counts.tolist() == [[2, 1], [0, 1]]


def test_a_protocol_named_like_a_search_is_refused_and_nothing_is_written(root):
    with pytest.raises(InputError, match=r"params.yaml: evaluate.protocols.search_train: expected another name"):
        evaluate.main(*RUN, params=params_with({"search_train": "simple"}), root=root)
    assert not (root / "reports").exists() and not (root / "data/predictions").exists()


def test_few_shots_are_scored_apart_from_zero_shot(root):
    labels, folder = np.array([0, 0, 1, 0]), Paths(root).few_shot(*RUN)
    ranked = {("zero_shot", 0, 0): [0, 0, 1, 1], ("adapter", 2, 0): [0, 0, 1, 0]}
    with new_predictions(folder / "predictions.parquet") as add:
        for (method, shots, seed), best in ranked.items():
            add(labels, np.array(best)[:, None], np.ones((4, 1), "f4"), method=method, shots=shots, seed=seed)
    write_epochs(folder / "epochs.parquet", [])
    ours = {"prompts": [[0], [1]], "view_weights": [0.5, 0.5], "labels_read": "none"}
    write_json(folder / "texts.json", {"ours": ours, "as_published": None})
    evaluate_fewshot.main(*RUN, params=PARAMS, root=root)
    metrics = read_metrics(Paths(root).fewshot_metrics(*RUN), FewShotMetrics)
    assert metrics.samples == {"train": 4, "test": 4}
    assert {shots: figures.top1_mean for shots, figures in metrics.methods["adapter"].items()} == {0: 75, 2: 100}
    assert not Paths(root).metrics(*RUN).exists()


HEADER = "value,dataset,backbone,protocol,top1,seconds,top1_low,top1_high,mcnemar_p"
SWEEP = SweepRow(value="a, b", dataset="mine", backbone="small", protocol="e", top1=50.5)


def test_rows_come_back_with_their_types(tmp_path):
    rows = [SWEEP, replace(SWEEP, value="1", seconds=0.25)]
    write_rows(tmp_path / "s.csv", rows, SweepRow)
    assert (tmp_path / "s.csv").read_text().splitlines() == [
        HEADER,
        '"a, b",mine,small,e,50.5,,,,',
        "1,mine,small,e,50.5,0.25,,,",
    ]
    assert read_rows(tmp_path / "s.csv", SweepRow) == tuple(rows)
    write_rows(tmp_path / "s.csv", [], SweepRow)
    assert read_rows(tmp_path / "s.csv", SweepRow) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "columns None, expected value, dataset"),
        ("a,b\n1,2\n", r"columns \['a', 'b'\], expected value, dataset"),
        (
            f"{HEADER}\nx,mine,small,e,high,,,,\n",
            "line 2: top1: Input should be a valid",
        ),
        (f"{HEADER}\nx,mine,small,e,,,,,\n", "line 2: top1: missing"),
        (f"{HEADER}\nx,mine,small,e,1,2,,,,3\n", "line 2: "),
    ],
)
def test_other_rows_are_refused(text, says, tmp_path):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(InputError, match=rf"s\.csv: {says}"):
        read_rows(tmp_path / "s.csv", SweepRow)


@pytest.mark.parametrize(("name", "kind"), [("few_shot", FewShotRow), ("speed", SpeedRow), ("kernels", SweepRow)])
def test_the_committed_rows_load(name, kind):
    assert read_rows(ROOT / f"reports/experiments/{name}.csv", kind)


def test_confusions_of_other_classes_are_refused(tmp_path):
    write_confusions(tmp_path / "c.csv", ["a", "b"], ["a", "c"])
    with pytest.raises(InputError, match=r"c\.csv: line 3: b, c; expected two class names"):
        read_confusions(tmp_path / "c.csv", ("a", "b"))
