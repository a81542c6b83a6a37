"""Global, patch and text features are the recorded ones, through an entry of a local checkpoint in OpenAI's layout."""

import json

import numpy as np
import pytest
import torch

from stages.backbones.loading import load_backbone
from stages.config.backbone import Backbone

TEXT_HEAD_WIDTH = 64  # of every model of OpenAI


@pytest.fixture(scope="module")
def recorded(golden):
    return golden("clip_dense")


@pytest.fixture(scope="module")
def state(recorded):
    return {key.removeprefix("state/"): torch.from_numpy(recorded[key]) for key in recorded if key.startswith("state/")}


@pytest.fixture(scope="module", params=["plain", "with marks"])
def model(recorded, state, request, tmp_path_factory):
    """The recorded model as an entry of params.yaml names it: a configuration file and a checkpoint."""
    folder = tmp_path_factory.mktemp("clip_dense")
    (folder / "recorded.json").write_text(json.dumps(configuration(state, heads=int(recorded["vision_heads"]))))
    marks = {"context_length": torch.tensor(len(state["positional_embedding"]))} if request.param != "plain" else {}
    torch.save(state | marks, folder / "recorded.pt")
    entry = Backbone(
        architecture=str(folder / "recorded.json"), pretrained=str(folder / "recorded.pt"), normalise="none"
    )
    return load_backbone("recorded", entry, device=torch.device("cpu"))


def configuration(state, *, heads):
    """open_clip's configuration of a vision transformer whose state dict this is."""
    width, _, patch, _ = state["visual.conv1.weight"].shape
    context, text_width = state["positional_embedding"].shape
    return {
        "embed_dim": state["text_projection"].shape[1],
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": patch * round((len(state["visual.positional_embedding"]) - 1) ** 0.5),
            "layers": blocks(state, "visual.transformer"),
            "width": width,
            "head_width": width // heads,
            "patch_size": patch,
        },
        "text_cfg": {
            "context_length": context,
            "vocab_size": len(state["token_embedding.weight"]),
            "width": text_width,
            "heads": text_width // TEXT_HEAD_WIDTH,
            "layers": blocks(state, "transformer"),
        },
    }


def blocks(state, prefix):
    """Number of residual blocks below `prefix`."""
    start = f"{prefix}.resblocks."
    return len({key.removeprefix(start).split(".")[0] for key in state if key.startswith(start)})


@torch.inference_mode()
def test_global_and_patch_features_are_the_recorded_ones(model, recorded):
    pixels = torch.from_numpy(recorded["images"]).float() / 255
    for found, key in (
        (model.encode_pixels(pixels), "global_features"),
        (model.encode_pixel_patches(pixels), "patch_features"),
    ):
        np.testing.assert_allclose(found, recorded[key], atol=1e-5, err_msg=key)
    assert model.patch_grid() ** 2 == recorded["patch_features"].shape[1]


@torch.inference_mode()
def test_text_features_are_the_recorded_ones(model, recorded):
    found = model.encode_tokens(torch.from_numpy(recorded["tokens"]))
    np.testing.assert_allclose(found, recorded["text_features"], atol=1e-5)


def test_depth_maps_take_the_same_way(model, recorded):
    """Maps at the model's resolution need no resize, so a map is an image of three equal channels."""
    depth = recorded["images"][:, :1].astype("f4") / 255
    with torch.inference_mode():
        pixels = torch.from_numpy(depth).expand(-1, 3, -1, -1)
        single, patches = model.encode_pixels(pixels).numpy(), model.encode_pixel_patches(pixels).numpy()
    for found, raw in (
        (model.encode_depth(depth, batch_size=2)[:, 0], single),
        (model.encode_patches(depth, batch_size=2)[:, 0], patches),
    ):
        np.testing.assert_allclose(found, raw / np.linalg.norm(raw, axis=-1, keepdims=True), atol=1e-5)
