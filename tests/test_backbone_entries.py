"""Every backbone of params.yaml that has a tag of open_clip, built without its weights: nothing is downloaded."""

import re
from pathlib import Path

import open_clip
import pytest
import torch

from stages.backbones.clip import ClipModel
from stages.backbones.loading import build, weights_tag
from stages.config.params import load_params

ROOT = Path(__file__).parents[1]
PARAMS = load_params(ROOT)
TAGGED = {name: entry for name, entry in PARAMS.backbone.items() if not entry.architecture.endswith(".json")}
CLIPS = (0.48145466, 0.4578275, 0.40821073)  # mean of CLIP's pixels
HALF, NONE = (0.5, 0.5, 0.5), (0.0, 0.0, 0.0)
# name -> tokens, mean of the pixels, whether the activation is QuickGELU: as their authors trained them
TRAINED = {
    "rn50": (77, CLIPS, True),
    "rn101": (77, CLIPS, True),
    "vit_b32": (77, CLIPS, True),
    "vit_b16": (77, CLIPS, True),
    "vit_l14": (77, CLIPS, True),
    "vit_h14_laion2b": (77, CLIPS, False),
    "vit_b16_datacomp": (77, CLIPS, False),
    "siglip_b16": (64, HALF, False),
    "siglip2_b16": (64, HALF, False),
    "siglip2_so400m": (64, HALF, False),
    "pe_core_b16": (32, HALF, False),
    "pe_core_l14": (32, HALF, False),
    "metaclip2_h14": (77, CLIPS, True),
    "mobileclip2_s0": (77, NONE, False),
    "mobileclip2_b": (77, NONE, False),
    "dfn_b16": (77, CLIPS, True),
    "dfn_h14": (77, CLIPS, True),
}


def empty_model(entry):
    """The entry's architecture without memory for its weights, with open_clip's mean and deviation of them."""
    tag = weights_tag(entry)
    with torch.device("meta"):
        normalisation = {key: tag[key] for key in ("mean", "std")}
        return build(entry.architecture, device="meta", force_preprocess_cfg=normalisation)


def test_every_entry_with_a_tag_is_checked():
    assert set(TRAINED) == set(TAGGED)


@pytest.mark.parametrize("name", TAGGED)
def test_an_entry_is_what_open_clip_says_of_architecture_and_weights(name, monkeypatch):
    entry, (tokens, mean, quick) = TAGGED[name], TRAINED[name]
    tag = weights_tag(entry)
    assert tag is not None and (tag["hf_hub"] or tag["url"])
    model = empty_model(entry)
    text = getattr(model, "text", model)
    assert (text.context_length, text.positional_embedding.shape[0]) == (tokens, tokens)
    assert (model.visual.image_mean, tag["mean"]) == (mean, mean)
    kinds = {type(module).__name__ for module in model.modules()}
    assert ("QuickGELU" in kinds, bool(tag.get("quick_gelu"))) == (quick, quick)

    asked = []
    monkeypatch.setattr(open_clip.factory, "HFTokenizer", lambda *_, **options: asked.append(options["context_length"]))
    tokenizer = open_clip.get_tokenizer(entry.architecture)
    assert asked == [tokens] if asked else tokenizer([""]).shape == (1, tokens)


@pytest.mark.parametrize(("normalisation", "expected"), [("clip", [-1.0, 0.0, 1.0]), ("none", [0.0, 0.5, 1.0])])
def test_pixels_are_normalised_as_the_weights_expect(normalisation, expected):
    """Of 0, 1/2 and 1 with SigLIP 2's mean and deviation, in a small model that has them."""
    tag = weights_tag(TAGGED["siglip2_b16"])
    small = build("RN50", force_preprocess_cfg={key: tag[key] for key in ("mean", "std")})
    model = ClipModel(small, lambda _: None, normalisation=normalisation, device=torch.device("cpu"))
    seen = []
    model.encode_pixels = lambda pixels, tower=None: seen.append(pixels) or torch.ones(len(pixels), 2)
    model.encode_maps(torch.tensor([0.0, 0.5, 1.0])[:, None, None].expand(3, 8, 8))
    assert seen[0].shape[1] == 3 and seen[0][:, 0, 0, 0].tolist() == pytest.approx(expected)


def test_the_page_says_the_same():
    page = (ROOT / "stages/backbones/README.md").read_text()
    means = {"0.5, 0.5": HALF, "CLIP's": CLIPS, "0, 1": NONE}
    told = {}
    for entries, tokens, mean, activation in re.findall(r"^\| (`.*`) \| .* \| (\d+) \| (.*) \| (\w+) \|$", page, re.M):
        for name in re.findall(r"\w+", entries):
            told[name] = (int(tokens), means[mean], activation == "QuickGELU")
    assert len(told) == 9 and told == {name: TRAINED[name] for name in told}


def test_make_backbones_tries_each_of_them():
    tried = [name for (name,) in PARAMS.sweep_entry("backbones").values]
    assert tried[0] == "vit_b16" and set(tried[1:]) == {n for n, e in TAGGED.items() if e.normalise == "clip"}
