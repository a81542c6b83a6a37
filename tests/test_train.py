"""The train stage on made-up features, as a user meets it: killed and run again, and given bad input."""

import signal
import sys
import time

import h5py
import numpy as np
import pytest
import torch
import yaml
from checkout import ROOT, Checkout

from stages import train
from stages.artifacts.features import write_features
from stages.artifacts.files import write_json
from stages.artifacts.paths import Paths
from stages.artifacts.predictions import read_ranked
from stages.artifacts.prompts import write_prompts
from stages.artifacts.types import Prompts
from stages.core.errors import InputError
from stages.fewshot import methods

CLASSES, SAMPLES, VIEWS, WIDTH = ("bed", "chair", "sofa"), 24, 2, 32
NAMES = ("made_up", "bundled")
SMALL = {"methods": ["adapter"], "shots": [2, 4], "seeds": [0], "short_classes": "error", "device": "cpu"}
SMALL |= {"epochs": 40, "patience": 40, "checkpoint_seconds": 0.0}
LONG = SMALL | {"epochs": 120, "patience": 120}  # long enough to be killed
FEATURES, PROMPTS = Paths().features(*NAMES), Paths().prompts(*NAMES)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Features and prompts of three classes with small settings, as the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stages").symlink_to(ROOT / "stages")
    set_train(SMALL)
    rng = np.random.default_rng(0)
    centres, labels = rng.normal(size=(len(CLASSES), VIEWS, WIDTH)), np.arange(SAMPLES) % len(CLASSES)
    splits = {split: (unit(centres[labels] + rng.normal(size=(SAMPLES, VIEWS, WIDTH))), labels) for split in SPLITS}
    write_features(FEATURES, splits, classes=CLASSES, logit_scale=10.0)
    new_prompts(CLASSES, WIDTH)
    write_json(Paths().search(*NAMES), {})
    return Checkout(tmp_path)


SPLITS = ("train", "test")


def set_train(values):
    """Write params.yaml: the repository's with these values under train."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["train"] |= values
    with open("params.yaml", "w") as file:
        yaml.safe_dump(params, file)


def new_prompts(classes, width):
    rows, texts = np.arange(len(classes)), tuple(f"a {name}." for name in classes)
    features = unit(np.random.default_rng(1).normal(size=(len(classes), width)))
    write_prompts(PROMPTS, Prompts(rows, tuple(classes), ("simple",) * len(classes), texts, features))


def unit(values):
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype("f4")


def written(root):
    """Bytes of everything that the stage wrote."""
    folders = (Paths().few_shot(*NAMES), Paths().curves(*NAMES))
    return {path: path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()}


def unfinished():
    return sorted(Paths().unfinished(*NAMES).rglob("*.pt"))


def test_a_run_that_is_killed_ends_in_the_same_bytes(checkout):
    set_train(LONG)
    train.main(*NAMES)
    whole = written(checkout.root)
    assert len(whole) == 3 + 2 + 2 + 2 and unfinished() == []  # tables and texts, models, features, curves
    for path in whole:
        path.unlink()
    process = checkout.start(sys.executable, "-m", "stages.train", *NAMES)
    while process.poll() is None and not unfinished():
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.3))
    process.kill()
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    train.main(*NAMES)
    assert written(checkout.root) == whole and unfinished() == []


BAD = {
    "too few samples": ({"shots": [2, 16]}, r"train.shots 16: class 'bed' has \d samples"),
    "unknown method": ({"methods": ["adaptor"]}, r"params.yaml: train.methods 'adaptor': expected one of adapter, "),
    "unknown prompt set": ({"text": "no_such_set"}, r"params.yaml: train.text 'no_such_set': expected a prompt set"),
    "no validation set": ({"validation_fraction": 0.01}, r"params.yaml: train.validation_fraction 0.01: it leaves "),
    "too much smoothing": ({"label_smoothing": 0.6}, r"params.yaml: train.label_smoothing: .* equal to 0.5, got 0.6"),
    "old name of a key": ({"at_once": 8}, r"params.yaml: train.at_once: unknown key"),
}


@pytest.mark.parametrize("values, message", BAD.values(), ids=BAD)
def test_bad_settings_are_one_line_and_nothing_is_written(values, message, checkout):
    set_train(SMALL | values)
    with pytest.raises(InputError, match=message) as error:
        train.main(*NAMES)
    assert "\n" not in str(error.value) and written(checkout.root) == {}


@pytest.mark.parametrize("classes, width", [(CLASSES, WIDTH + 1), (CLASSES[:2], WIDTH)], ids=["width", "classes"])
def test_features_of_another_backbone_are_one_line(classes, width, checkout):
    new_prompts(classes, width)
    with pytest.raises(InputError, match=r"another backbone|sofa"):
        train.main(*NAMES)
    assert written(checkout.root) == {}


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint_and_earlier_results(checkout):
    train.main(*NAMES)
    whole = written(checkout.root)
    set_train(SMALL | {"learning_rate": 100.0, "weight_decay": 0.1})
    with pytest.raises(InputError, match=r"the loss is \S+ at epoch \d+, step .* last good checkpoint is kept"):
        train.main(*NAMES)
    assert [path.name for path in unfinished()] == ["adapter-2-0.unfinished.pt"]
    assert written(checkout.root) == whole
    set_train(SMALL)
    train.main(*NAMES)
    assert written(checkout.root) == whole and unfinished() == []


def test_test_labels_change_no_model(checkout):
    train.main(*NAMES)
    before = written(checkout.root)
    with h5py.File(FEATURES, "a") as file:
        file["test/labels"][:] = np.roll(file["test/labels"][:], 1)
    train.main(*NAMES)
    changed = {path.name for path, content in written(checkout.root).items() if content != before[path]}
    assert changed == {"predictions.parquet"}


class NearestClassMean(torch.nn.Module):
    """Logits are negative distances to the mean of each class's support features."""

    def __init__(self, support):
        super().__init__()
        means = [support.inputs[support.labels == label].flatten(1).mean(0) for label in range(len(CLASSES))]
        self.register_buffer("means", torch.stack(means))

    def forward(self, features):
        return -torch.cdist(features.flatten(1), self.means)


def test_a_method_that_is_registered_from_outside_the_package_runs_like_any_other(checkout, monkeypatch):
    monkeypatch.setattr(methods, "METHODS", dict(methods.METHODS))
    methods.register("class_mean", methods.Method(build=lambda inputs: NearestClassMean(inputs.support)))
    set_train(SMALL | {"methods": ["class_mean", "adapter"], "shots": [8], "short_classes": "use_all"})
    train.main(*NAMES)
    models = sorted(path.name for path in written(checkout.root) if path.parent.name == "models")
    assert models == ["adapter-8-0.safetensors", "class_mean-8-0.safetensors"]
    ranked, _ = read_ranked(Paths().few_shot(*NAMES) / "predictions.parquet", method="class_mean")
    assert (ranked[:, 0] == np.arange(SAMPLES) % len(CLASSES)).mean() > 0.8
