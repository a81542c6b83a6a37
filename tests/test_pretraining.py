"""The bundled backbone's training: its vocabulary, its data, and that a few steps repeat to the bit."""

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors import safe_open

from stages.artifacts.types import Clouds
from stages.backbones.loading import build, register
from stages.bundled.pretraining.captions import FILLER, Concept, caption
from stages.bundled.pretraining.recipe import RealShapes, ShapeBatches, augment, concepts_of, train
from stages.bundled.procedural import generator
from stages.config.params import load_params
from stages.config.pretrain import Pretrain
from stages.projection.presets import PRESETS

ROOT = Path(__file__).parents[1]
PROJECTION = PRESETS["v2_classification"]
NAMES = {
    "ModelNet40": """airplane, bathtub, bed, bench, bookshelf, bottle, bowl, car, chair, cone, cup, curtain, desk, door,
        dresser, flower pot, glass box, guitar, keyboard, lamp, laptop, mantel, monitor, night stand, person, piano,
        plant, radio, range hood, sink, sofa, stairs, stool, table, tent, toilet, TV stand, vase, wardrobe, xbox""",
    "ScanObjectNN": """bag, bin, box, cabinet, chair, desk, display, door, shelf, table, bed, pillow, sink, sofa,
        toilet""",
    "ScanNet": """cabinet, bed, chair, sofa, table, door, window, bookshelf, picture, counter, desk, curtain,
        refrigerator, shower curtain, toilet, sink, bathtub, garbage bin""",
    "ShapeNetPart": """airplane, bag, cap, car, chair, earphone, guitar, knife, lamp, laptop, motorbike, mug, pistol,
        rocket, skateboard, table""",
    "ShapeNetPart's parts": """body, wing, tail, engine, frame, handle, panels, crown, visor, peak, roof, hood, wheel,
        tire, back, seat, seat pad, leg, support, arm, armrest, earcup, headband, data wire, head, neck, blade,
        lampshade, base, canopy, keyboard, screen, gas tank, handlebars, light, cup, barrel, trigger, guard, fin, nose
        cone, deck, belt, desktop, drawer""",
}


@pytest.fixture(scope="module")
def recipe():
    params = load_params(ROOT)
    points = np.random.default_rng(0).normal(size=(4, 300, 3)).astype("f4")
    real = RealShapes(Clouds(points, np.array([0, 0, 1, 1])), ("chair", "teapot"))
    changes = {"steps": 4, "batch_size": 3, "warmup_steps": 2, "validation_fraction": 0.0}
    return real, Pretrain(**(vars(params.pretrain) | changes))


@pytest.mark.parametrize("dataset", NAMES)
def test_the_trained_words_cover_the_names_of(dataset):
    encode = open_clip.tokenizer.SimpleTokenizer().encode
    with safe_open(ROOT / "data/bundled/bundled.safetensors", "pt") as file:
        trained = set(file.get_tensor("token_embedding.ids").tolist())
    assert [name for name in NAMES[dataset].split(",") if not set(encode(name)) <= trained] == []


def test_captions_name_their_concept_with_filler_or_without():
    rng = np.random.default_rng(0)
    for filler in (False, True):
        texts = [caption(Concept("mug", "handle"), rng, filler=filler) for _ in range(50)]
        assert all("mug" in text and "handle" in text for text in texts)
        assert any(FILLER in text for text in texts) == filler


def test_a_batch_is_the_same_for_the_same_step_and_other_for_another(recipe):
    real, config = recipe
    concepts = concepts_of(real.classes, seed=0)
    batches = ShapeBatches(real, concepts, config, PROJECTION, 64)
    maps, target = batches[0]
    assert maps.shape == (3, config.views_shown, 64, 64)
    assert torch.equal(batches[0][0], maps) and torch.equal(batches[0][1], target)
    assert not torch.equal(batches[1][0], maps)


def test_augmented_clouds_keep_their_height_axis_and_thin_out():
    rng = np.random.default_rng(0)
    tall = np.random.default_rng(1).normal(size=(3000, 3)).astype("f4") * (0.1, 1, 0.1)
    for _ in range(20):
        cloud = augment(tall, rng)
        assert cloud.dtype == np.float32 and 512 <= len(cloud) <= 2048
        assert np.argmax(cloud.std(axis=0)) == 1


def test_training_repeats_to_the_bit_and_keeps_unknown_words_silent(recipe):
    real, config = recipe
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        torch.set_num_threads(1)
        model = build(register(ROOT / "data/bundled/bundled.json"))
        ids, losses = train(model, real, config, PROJECTION)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert np.isfinite(losses).all()
    other = torch.ones(model.vocab_size, dtype=bool).index_fill(0, ids, False)
    assert not states[0]["token_embedding.weight"][other].any()
    assert len(generator.CLASSES) > 60
