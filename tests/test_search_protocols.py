"""The registry of search protocols, and the stage that runs it, on a small dataset of two classes."""

from pathlib import Path

import numpy as np
import pytest

from stages.artifacts.features import write_features
from stages.artifacts.files import read_json
from stages.artifacts.paths import Paths
from stages.artifacts.prompts import write_prompts
from stages.artifacts.types import Prompts
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.prompt_search.pool import ProtocolResult
from stages.prompt_search.protocols import PROTOCOLS, SearchProtocol
from stages.search import main

ROOT = Path(__file__).parents[1]
RUN, CLASSES, VIEWS = ("few", "toy"), ("chair", "table"), 3
OVERRIDES = {"search.candidates": ["many"], "search.start": "one"}


@pytest.fixture
def root(tmp_path):
    generator = np.random.default_rng(0)
    write(tmp_path, labels=np.arange(20) % 2)
    classes = np.repeat([0, 1, 0, 1], [1, 1, 6, 6])
    names, sets = tuple(CLASSES[c] for c in classes), ("one",) * 2 + ("many",) * 12
    prompts = Prompts(classes, names, sets, ("",) * 14, unit(generator.normal(size=(14, 8))))
    write_prompts(Paths(tmp_path).prompts(*RUN), prompts)
    return tmp_path


def write(root, *, labels):
    """Features of both splits; only the labels of the test split are `labels`."""
    features = unit(np.random.default_rng(1).normal(size=(20, VIEWS, 8)))
    splits = {"train": (features[::-1].copy(), np.arange(20) % 2), "test": (features, labels)}
    write_features(Paths(root).features(*RUN), splits, classes=CLASSES, logit_scale=100.0)


def unit(values):
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def searched(root, **overrides):
    main(*RUN, params=load_params(ROOT, overrides=OVERRIDES | overrides), root=root)
    return read_json(Paths(root).search(*RUN))


def test_every_document_says_which_labels_were_read(root):
    documents = searched(root)
    assert {name: (one["split"], one["labels_read"]) for name, one in documents.items()} == {
        "label_free": ("test", "none"),
        "search_train": ("train", "train"),
        "search_test": ("test", "test"),
    }
    for document in documents.values():
        assert sum(document["view_weights"]) == pytest.approx(1) and len(document["view_weights"]) == VIEWS
        assert len(document["prompts"]) == len(CLASSES) and all(document["prompts"])


def test_other_test_labels_change_the_choice_of_an_oracle_alone(root):
    before = searched(root)
    write(root, labels=(np.arange(20) // 10) % 2)
    after = searched(root)
    oracles = {name for name, protocol in PROTOCOLS.items() if protocol.labels_read == "test"}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == oracles & before.keys() == {"search_test"}


def test_seconds_are_written_only_where_they_are_asked_for(root):
    untimed = searched(root)
    timed = searched(root, **{"search.timed": True})
    assert all(document.pop("seconds") >= 0 for document in timed.values())
    assert timed == untimed == searched(root)


def first_sentences(features, pool, config):
    """The first candidate of every class; notes the labels that it was shown."""
    shown = sorted(set(features.labels.tolist()))
    ids = [[int(pool.candidates.of_class(c)[0])] for c in range(pool.candidates.classes)]
    return ProtocolResult(ids, np.full(features.values.shape[1], 2.0), {"shown": shown})


@pytest.mark.parametrize(("labels_read", "shown"), [("none", [-1]), ("train", [0, 1])])
def test_a_protocol_from_outside_is_one_entry(root, monkeypatch, labels_read, shown):
    protocol = SearchProtocol("the first", first_sentences, split="train", labels_read=labels_read)
    monkeypatch.setitem(PROTOCOLS, protocol.name, protocol)
    documents = searched(root)
    assert list(documents) == sorted(["label_free", "search_test", "search_train", "the first"])
    assert documents["the first"] == {
        "split": "train",
        "labels_read": labels_read,
        "prompts": [[2], [8]],
        "view_weights": [pytest.approx(1 / 3)] * 3,
        "shown": shown,
    }


def test_each_search_follows_its_own_objective(root):
    accuracy, likelihood = searched(root, **{"search.train_objective": "accuracy"}), searched(root)
    documents = {"accuracy": accuracy, "likelihood": likelihood}
    assert accuracy["search_test"] == likelihood["search_test"]  # by search.objective
    values = {name: [step[4] for step in one["search_train"]["trace"]] for name, one in documents.items()}
    assert max(values["likelihood"]) < 0 and all(value > 0 for value in values["accuracy"])
    assert likelihood["search_train"]["view_weights"] == [pytest.approx(1 / VIEWS)] * VIEWS


def test_a_protocol_that_says_it_reads_no_labels_cannot_search_with_them(root, monkeypatch):
    honest = PROTOCOLS["search_train"]
    lying = SearchProtocol("lying", honest.choose, split="test", labels_read="none")
    monkeypatch.setitem(PROTOCOLS, lying.name, lying)
    with pytest.raises(InputError, match="labels: -1 to -1, expected 0 to 1"):
        searched(root)


def test_a_protocol_reads_the_labels_of_its_own_split_or_none():
    with pytest.raises(ValueError, match="protocol x: reads test labels, but is given train"):
        SearchProtocol("x", first_sentences, split="train", labels_read="test")
