"""The train stage on made-up features, as a user meets it: killed and run again, and given bad input."""

import signal
import sys
import time

import h5py
import numpy as np
import pytest
import yaml
from checkout import ROOT, Checkout

from stages import train
from stages.artifacts.features import write_features
from stages.artifacts.paths import Paths
from stages.artifacts.prompts import write_prompts
from stages.artifacts.types import Prompts
from stages.core.errors import InputError

CLASSES, SAMPLES, VIEWS, WIDTH = ("bed", "chair", "sofa"), 24, 2, 32
NAMES = ("made_up", "bundled")
SMALL = {"methods": ["adapter"], "shots": [2, 4], "seeds": [0], "short_classes": "error", "device": "cpu"}
SMALL |= {"epochs": 120, "patience": 120, "checkpoint_seconds": 0.0}
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


def test_a_run_that_is_killed_again_and_again_ends_in_the_same_bytes(checkout):
    train.main(*NAMES)
    whole = written(checkout.root)
    assert len(whole) == 2 + 2 + 2 and unfinished() == []  # predictions and epochs, models, curves
    for path in whole:
        path.unlink()
    rng, kills = np.random.default_rng(), 0
    for _ in range(2):
        process = checkout.start(sys.executable, "-m", "stages.train", *NAMES)
        known = {path: path.stat().st_mtime_ns for path in unfinished()}
        while process.poll() is None and known == {path: path.stat().st_mtime_ns for path in unfinished()}:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    assert kills, "it ended before it could be killed"
    train.main(*NAMES)
    assert written(checkout.root) == whole and unfinished() == []


BAD = {
    "too few samples": ({"shots": [2, 16]}, r"train.shots 16: class 'bed' has \d samples"),
    "unknown method": ({"methods": ["adaptor"]}, r"params.yaml: train.methods"),
    "unknown prompt set": ({"text": "no_such_set"}, r"no_such_set"),
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
