"""Searches on the features that few-shot models give: by hand, and from training to the metrics."""

import dataclasses

import h5py
import numpy as np
import pytest
import yaml
from checkout import ROOT
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from stages import evaluate_fewshot, train
from stages.artifacts.features import write_features
from stages.artifacts.fewshot import read_adapted
from stages.artifacts.figures import FewShotMetrics
from stages.artifacts.files import read_json, write_json
from stages.artifacts.metrics import read_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.prompts import write_prompts
from stages.artifacts.types import Prompts
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.fewshot.adapted_search import AdaptedSearch
from stages.fewshot.specs import RunSpec, Start, Starts

CLASSES, WIDTH, VIEWS, SAMPLES = ("bed", "chair", "sofa"), 8, 2, 24
NAMES = ("made_up", "bundled")
PARAMS = load_params(ROOT)
SEARCH = dataclasses.replace(PARAMS.search, candidates=("simple", "llm_four"), sweeps=2)
CONFIG = dataclasses.replace(PARAMS.evaluate_fewshot, text_inputs=("llm_four",))
COUNTS = {"simple": 1, "llm_four": 4, "v2_corpus": 6}  # sentences a class


def unit(values):
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype("f4")


def new_prompts(seed=0, counts=COUNTS):
    """Random sentences of every set about every class."""
    rows = [(c, name) for name, count in counts.items() for c in range(len(CLASSES)) for _ in range(count)]
    indices, sets = (np.array(values) for values in zip(*rows, strict=True))
    texts = tuple(f"{name} {row}" for row, name in enumerate(sets))
    features = unit(np.random.default_rng(seed).normal(size=(len(rows), WIDTH)))
    return Prompts(indices, tuple(CLASSES[c] for c in indices), tuple(sets.tolist()), texts, features)


def rows_of(prompts, name, c):
    return [row for row, of in enumerate(prompts.sets) if of == name and prompts.classes[row] == c]


def published_loop(features, labels, prompts, start, prompt_set):
    """The published code's search in its own words: every sentence in its place, taken where more samples are right."""
    chosen = list(start)

    def right(rows):
        return int(((features @ prompts.features[rows].T).argmax(1) == labels).sum())

    best = right(chosen)
    for _ in range(2):
        for c in range(len(CLASSES)):
            for row in rows_of(prompts, prompt_set, c):
                trial = [*chosen[:c], row, *chosen[c + 1 :]]
                if right(trial) > best:
                    chosen, best = trial, right(trial)
    return chosen, best


@given(st.integers(0, 1000))
@examples(max_examples=25, deadline=None)
def test_the_search_as_published_ends_where_the_published_loop_does(seed):
    prompts, rng = new_prompts(seed), np.random.default_rng(seed)
    features, labels = rng.normal(size=(40, WIDTH)).astype("f4"), rng.integers(0, len(CLASSES), 40)
    own = [rows_of(prompts, "simple", c)[0] for c in range(len(CLASSES))]
    start = Start([[row] for row in own], [0.5, 0.5], "test")
    search = AdaptedSearch(prompts, CLASSES, Starts(start, start), labels, 20.0, SEARCH, CONFIG)
    found = {one.method: one for one in search.run(RunSpec("m", 4, 0, published=True), {"test_features": features})}
    assert list(found) == ["m_as_published_after", "m_as_published_text_llm_four"]
    first = [rows_of(prompts, "llm_four", c)[0] for c in range(len(CLASSES))]
    for (name, one), begin, prompt_set in zip(found.items(), (own, first), ("v2_corpus", "llm_four"), strict=True):
        chosen, best = published_loop(features, labels, prompts, begin, prompt_set)
        assert one.document["correct"] == best == (one.predicted == labels).sum(), name
        kept = [before if row < 0 else row for row, before in zip(one.document["prompts"], begin, strict=True)]
        assert kept == chosen and one.labels_read == "test"


def test_our_search_reads_the_validation_labels_and_its_upper_bound_the_test_labels():
    prompts, rng = new_prompts(), np.random.default_rng(0)
    start = Start([rows_of(prompts, "simple", c) for c in range(len(CLASSES))], [0.5, 0.5], "none")
    features = {"test_features": rng.normal(size=(30, WIDTH)).astype("f4"), "validation_labels": np.arange(12) % 3}
    features["validation_features"] = rng.normal(size=(12, WIDTH)).astype("f4")
    documents = []
    for labels in (np.arange(30) % 3, (np.arange(30) + 1) % 3):
        search = AdaptedSearch(prompts, CLASSES, Starts(start, None), labels, 20.0, SEARCH, CONFIG)
        found = search.run(RunSpec("adapter", 4, 0), features)
        assert [(one.method, one.labels_read) for one in found] == [
            ("adapter_search_train", "train"),
            ("adapter_search_test", "test"),
        ]
        documents.append([one.document for one in found])
        assert search.run(RunSpec("smooth", 4, 0), features) == []  # not among `searched`
        assert found[1].document["correct"] == (found[1].predicted == labels).sum() > found[1].document["start"]
    assert documents[0][0] == documents[1][0] and documents[0][1] != documents[1][1]


def test_a_single_validation_sample_confirms_no_sentence():
    prompts = new_prompts()
    start = Start([rows_of(prompts, "simple", c) for c in range(len(CLASSES))], [0.5, 0.5], "none")
    features = {"validation_labels": np.array([1])}
    features |= {name: np.ones((n, WIDTH), "f4") for name, n in (("validation_features", 1), ("test_features", 3))}
    search = AdaptedSearch(prompts, CLASSES, Starts(start, None), np.array([0, 1, 2]), 20.0, SEARCH, CONFIG)
    found = search.run(RunSpec("adapter", 1, 0), features)[0]
    assert found.method == "adapter_search_train" and found.document["prompts"] == [-1, -1, -1]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Features, prompts and a searched start of three classes, with small settings, as the working directory."""
    monkeypatch.chdir(tmp_path)
    set_params()
    rng, labels = np.random.default_rng(0), np.arange(SAMPLES) % len(CLASSES)
    centres = rng.normal(size=(len(CLASSES), VIEWS, WIDTH))
    splits = {
        name: (unit(centres[labels] + 2 * rng.normal(size=(SAMPLES, VIEWS, WIDTH))), labels)
        for name in ("train", "test")
    }
    write_features(Paths().features(*NAMES), splits, classes=CLASSES, logit_scale=10.0)
    write_prompts(Paths().prompts(*NAMES), new_prompts())
    chosen = [rows_of(new_prompts(), "v2_corpus", c)[:1] for c in range(len(CLASSES))]
    found = {"prompts": chosen, "view_weights": [0.75, 0.25], "labels_read": "test", "split": "test"}
    write_json(Paths().search(*NAMES), {"as_published_before": found})
    return tmp_path


def set_params(**published):
    """Write params.yaml: the repository's with small settings and these values of train.as_published."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["train"] |= {"methods": ["adapter", "tip_adapter"], "shots": [2], "seeds": [0], "epochs": 5, "device": "cpu"}
    runs = {"home_objects/bundled/adapter": [2], "made_up/bundled/adapter": [4]}
    params["train"]["as_published"] |= {"runs": runs, "seeds": [0, 1], "epochs": 6} | published
    params["dataset"]["made_up"] = params["dataset"]["home_objects"]
    params["search"] |= {"candidates": ["simple", "llm_four"], "folds": 2}
    params["evaluate_fewshot"]["text_inputs"] = ["llm_four", "llm_one"]
    with open("params.yaml", "w") as file:
        yaml.safe_dump(params, file)


def run_both():
    train.main(*NAMES)
    evaluate_fewshot.main(*NAMES)
    return read_metrics(Paths().fewshot_metrics(*NAMES), FewShotMetrics)


OURS = {"adapter", "adapter_best_on_test", "adapter_search_train", "adapter_search_test", "tip_adapter"}
PUBLISHED = ("adapter_as_published_before", "adapter_as_published_after", "adapter_as_published_text_llm_four")


def test_from_training_to_the_metrics_before_and_after_the_search(here):
    metrics = run_both()
    assert set(metrics.methods) == OURS | set(PUBLISHED)
    before, after = (metrics.methods[name][4] for name in PUBLISHED[:2])
    assert before.oracle and after.oracle and before.seeds == after.seeds == (0, 1)
    assert after.top1_mean >= before.top1_mean
    chosen = read_json(Paths().fewshot_search(*NAMES))
    assert {name for name in chosen if "published" in name} == {
        f"{name}-4-{s}" for name in PUBLISHED[1:] for s in (0, 1)
    }
    right = [chosen[f"adapter_as_published_after-4-{seed}"] for seed in (0, 1)]
    assert before.top1_mean == pytest.approx(np.mean([one["start"] for one in right]) / SAMPLES * 100, abs=0.01)
    assert after.top1_mean == pytest.approx(np.mean([one["correct"] for one in right]) / SAMPLES * 100, abs=0.01)
    assert metrics.not_run == {
        "adapter_as_published_text_llm_one": "prompt set 'llm_one' is not among these prompts (embed.sets)"
    }


def test_a_start_that_is_not_there_leaves_out_its_rows_and_says_why(here):
    set_params(text="as_published_befor")
    metrics = run_both()
    assert set(metrics.methods) == OURS
    assert set(metrics.not_run) == {*PUBLISHED, "adapter_as_published_text_llm_one"}
    assert "train.as_published.text 'as_published_befor' is neither a prompt set" in metrics.not_run[PUBLISHED[0]]


def test_ours_may_not_start_from_what_has_read_test_labels(here):
    params = load_params()
    params = dataclasses.replace(params, train=dataclasses.replace(params.train, text="as_published_before"))
    with pytest.raises(InputError, match=r"train.text 'as_published_before': expected a prompt set .* no test labels"):
        train.main(*NAMES, params=params)


def test_only_runs_as_published_read_the_test_labels(here):
    train.main(*NAMES)
    folder = Paths().few_shot(*NAMES) / "models"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with h5py.File(Paths().features(*NAMES), "a") as file:
        file["test/labels"][:] = (file["test/labels"][:] + 1) % len(CLASSES)
    train.main(*NAMES)
    changed = {path.name for path in folder.iterdir() if path.read_bytes() != before[path.name]}
    assert {name for name in changed if "published" not in name} == set() != changed


def test_runs_as_published_of_an_unknown_dataset_are_one_line(here):
    set_params(runs={"modelnet_40/bundled/adapter": [4]})
    with pytest.raises(
        InputError, match=r"train.as_published.runs 'modelnet_40/bundled/adapter': no such entry of data"
    ):
        load_params()


def test_adapted_features_that_are_no_safetensors_are_one_line(here):
    train.main(*NAMES)
    path = Paths().few_shot(*NAMES) / "adapted" / "adapter-2-0.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(InputError, match=r"adapted/adapter-2-0.safetensors: no safetensors file") as error:
        read_adapted(Paths().few_shot(*NAMES))
    assert "\n" not in str(error.value)
