"""Backbones: unit features, batches that do not matter, weights as files, and clear refusals."""

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from stages.backbones import choose_device, load
from stages.backbones.clip import build, register
from stages.backbones.weights import read_weights, write_weights
from stages.errors import InputError
from stages.settings import Backbone

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
BUNDLED = Backbone(
    architecture=str(ROOT / "data/bundled/bundled.json"),
    pretrained=str(ROOT / "data/bundled/bundled.safetensors"),
    normalise="none",
)
SMALL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def bundled():
    return load("bundled", BUNDLED, device=CPU)


@pytest.fixture
def depth():
    return np.random.default_rng(0).random((3, 2, 20, 20), dtype="f4")


def test_features_have_unit_norm_and_do_not_depend_on_the_batch(bundled, depth):
    features = bundled.encode_depth(depth, batch_size=6)
    assert (features.shape, features.dtype) == ((3, 2, 128), np.float32)
    np.testing.assert_allclose(np.linalg.norm(features, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(bundled.encode_depth(depth, batch_size=1), features, atol=1e-5)
    texts = ["a chair.", "a depth map of a table.", "a chair."]
    text = bundled.encode_text(texts, batch_size=2)
    assert text.shape == (3, 128)
    np.testing.assert_array_equal(text[0], text[2])
    np.testing.assert_allclose(bundled.encode_text(texts, batch_size=3), text, atol=1e-5)


def test_a_local_checkpoint_gives_the_features_of_the_model_it_came_from(depth, tmp_path):
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    torch.manual_seed(0)
    model = build(register(tmp_path / "small.json")).eval()
    save_file(model.state_dict(), tmp_path / "small.safetensors")
    torch.save({"state_dict": model.state_dict()}, tmp_path / "small.pt")
    pixels = torch.nn.functional.interpolate(
        torch.from_numpy(depth).flatten(0, 1)[:, None], (32, 32), mode="bilinear", align_corners=True
    ).expand(-1, 3, -1, -1)
    mean, std = (
        torch.tensor(values).view(3, 1, 1) for values in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    for normalise, seen in (("none", pixels), ("clip", (pixels - mean) / std)):
        with torch.no_grad():
            expected = model.encode_image(seen, normalize=True).view(3, 2, -1).numpy()
        for file in ("small.safetensors", "small.pt"):
            entry = Backbone(
                architecture=str(tmp_path / "small.json"), pretrained=str(tmp_path / file), normalise=normalise
            )
            loaded = load("small", entry, device=CPU)
            np.testing.assert_allclose(loaded.encode_depth(depth, batch_size=4), expected, atol=1e-5)
            assert loaded.logit_scale == pytest.approx(model.logit_scale.exp().item())


def test_compact_weights_come_back_with_zero_rows_for_other_tokens(tmp_path):
    state = {"token_embedding.weight": torch.arange(12.0).view(6, 2), "logit_scale": torch.tensor(1.0)}
    write_weights(tmp_path / "w.safetensors", state, token_ids=torch.tensor([1, 4]))
    back = read_weights(tmp_path / "w.safetensors")
    expected = torch.zeros(6, 2)
    expected[[1, 4]] = state["token_embedding.weight"][[1, 4]]
    assert torch.equal(back["token_embedding.weight"], expected)
    assert back["logit_scale"] == 1


def test_unknown_words_say_nothing(bundled):
    plain, wordy, other = bundled.encode_text(
        ["a depth map of a chair.", "a sturdy quokka depth map of a chair.", "a depth map of a table."], batch_size=3
    )
    assert plain @ wordy > 0.8 > plain @ other


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "ViT-Q"}, r"backbone.mine.architecture 'ViT-Q': not an open_clip model name"),
        ({"architecture": "none.json"}, r"none.json: no such file, expected an open_clip model configuration"),
        ({"pretrained": "none.pt"}, r"none.pt: no such file \(params.yaml: backbone.mine.pretrained\)"),
        ({"pretrained": str(ROOT / "README.md")}, r"README.md: not a checkpoint of tensors alone"),
    ],
)
def test_a_wrong_entry_is_one_line(changes, message):
    values = {"architecture": BUNDLED.architecture, "pretrained": BUNDLED.pretrained, "normalise": "none"} | changes
    with pytest.raises(InputError, match=message) as error:
        load("mine", Backbone(**values), device=CPU)
    assert "\n" not in str(error.value)


def test_weights_of_another_architecture_do_not_load(tmp_path):
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    entry = Backbone(architecture=str(tmp_path / "small.json"), pretrained=BUNDLED.pretrained, normalise="none")
    with pytest.raises(InputError, match="do not load"):
        load("small", entry, device=CPU)


def test_a_device_that_is_absent_is_refused():
    assert choose_device("cpu") == CPU
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="device 'cuda': not available"):
            choose_device("cuda")
