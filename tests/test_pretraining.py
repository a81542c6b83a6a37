"""The bundled backbone's training: what it reads and hears, its cache of maps, and that its steps repeat and go on."""

import csv
import json
import shutil
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import open_clip
import pytest
import torch
from safetensors import safe_open

from stages.artifacts.record import read_record
from stages.backbones.loading import build, register
from stages.bundled import build_training_objects, pretrain
from stages.bundled.pretraining import cache as maps_cache
from stages.bundled.pretraining import recipe
from stages.bundled.pretraining.augment import augment
from stages.bundled.pretraining.captions import FILLER, TRAINED_FAMILIES, Concept, captions_of, with_filler
from stages.bundled.pretraining.material import Objects, training_captions
from stages.bundled.pretraining.near_duplicates import NEAR, distances, signature
from stages.bundled.pretraining.objects import HELD_OUT, NEAR_DUPLICATE, TRAIN, RawObjects, read_list
from stages.bundled.pretraining.recipe import Sources, batch_of, source_of, train
from stages.bundled.pretraining.tokens import Vocabulary, whole_state
from stages.bundled.procedural import generator
from stages.bundled.sentences import load_facts
from stages.commands import dag
from stages.config.params import load_params
from stages.config.pretrain import Pretrain
from stages.core.errors import InputError
from stages.projection.presets import PRESETS

ROOT = Path(__file__).parents[1]
PROJECTION = PRESETS["v2_classification"]
LISTED = read_list(ROOT / "data/bundled/bundled_training_objects.csv")
FACTS = [load_facts((ROOT / source).read_text(), source=source) for source in pretrain.FACTS]
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


@cache
def _captions():
    """The captions of the committed recipe, which needs no cloud."""
    return training_captions(Objects(None, LISTED), FACTS, seed=load_params(ROOT).pretrain.seed)


@cache
def _heard():
    return frozenset(_captions().every())


@cache
def _home_objects():
    """Signatures [N, 24] of all home_objects, and the group of near duplicates of each."""
    with open(ROOT / "data/bundled/home_objects_labels.csv", newline="") as file:
        groups = {(row["library"], int(row["index"])): row["group"] for row in csv.DictReader(file)}
    signatures, members = [], []
    with h5py.File(ROOT / "data/bundled/home_objects.h5") as file:
        for split in ("train", "test"):
            signatures += [signature(cloud) for cloud in file[split]["points"][:]]
            keys = zip(file[split]["library"][:], file[split]["index"][:], strict=True)
            members += [groups[library.decode(), int(index)] for library, index in keys]
    return np.stack(signatures), np.array(members)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Captions, a vocabulary and sources of a few shapes of two objects and all procedural classes."""
    facts = FACTS[0]
    parts = (Concept("mug", "handle"), Concept("table", "leg"))
    captions = captions_of((Concept("chair"), Concept("sword"), *parts), [facts], held_out=["seat"])
    points = np.random.default_rng(0).normal(size=(2, 300, 3)).astype("f4")
    folder = tmp_path_factory.mktemp("maps")
    draws = (
        (1, 4, maps_cache.DrawObject(points)),
        (0, 3, maps_cache.DrawObject(points)),
        (2, 2, maps_cache.DrawPart(parts)),
    )
    sources = [
        source_of(
            maps_cache.cached_maps(folder, maps_cache.Shapes(kind, n, 0, draw), PROJECTION, resolution=64, processes=1),
            np.resize((2, 3) if kind == 2 else (0, 1), n),
        )
        for kind, n, draw in draws
    ]
    return captions, Vocabulary(captions.every(), context_length=77), Sources(*sources)


def _settings(**changes) -> Pretrain:
    small = {"steps": 4, "batch_size": 4, "warmup_steps": 2, "checkpoint_steps": 2, "other_concepts": 2}
    return Pretrain(**(vars(load_params(ROOT).pretrain) | small | changes))


def _trained(material, checkpoint, settings):
    captions, vocabulary, sources = material
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = build(register(ROOT / "data/bundled/bundled.json"))
    score = {"calls": 0}

    def count(_):
        score["calls"] += 1
        return {"calls": score["calls"]}

    course = train(model, sources, captions, vocabulary, settings, checkpoint=checkpoint, score=count)
    return course, whole_state(model, vocabulary), score["calls"]


@pytest.mark.parametrize("dataset", NAMES)
def test_the_trained_words_cover_the_names_of(dataset):
    encode = open_clip.tokenizer.SimpleTokenizer().encode
    with safe_open(ROOT / "data/bundled/bundled.safetensors", "pt") as file:
        trained = set(file.get_tensor("token_embedding.ids").tolist())
    heard = {token for text in _heard() for token in encode(text)}
    for known in (trained, heard):
        assert [name for name in NAMES[dataset].split(",") if not set(encode(name)) <= known] == []


def test_every_class_that_is_shown_has_templates_and_sentences():
    captions = _captions()
    assert len({row.name for row in LISTED if row.use == TRAIN}) > 130 and len(generator.CLASSES) > 60
    for concept, plain, sentences in zip(captions.concepts, captions.plain, captions.sentences, strict=True):
        assert plain, concept
        assert len(sentences) >= 30 or concept.part, concept


def test_no_training_caption_is_a_sentence_of_a_held_out_family():
    record = read_record(ROOT / "prompts/recorded/bundled.jsonl")
    texts = {"trained": set(), "held out": set()}
    for line in (line for lines in record.values() for line in lines):
        family = "trained" if line["command"] in TRAINED_FAMILIES else "held out"
        texts[family] |= {text.strip().lower() for text in line["answer"].split("\n")}
    heard = {text.lower() for text in _heard()}
    assert len(texts["held out"]) > 2000 and not texts["held out"] & heard
    assert len(texts["trained"] & heard) > 1000  # so that the two are written alike


def test_no_training_caption_names_a_held_out_name():
    held = {row.name for row in LISTED if row.use == HELD_OUT}
    words = [f" {' '.join(''.join(c if c.isalnum() else ' ' for c in text.lower()).split())} " for text in _heard()]
    assert len(held) >= 25
    assert [name for name in held if any(f" {name} " in text for text in words)] == []
    assert not held & {row.name for row in LISTED if row.use == TRAIN}


def test_facts_for_training_are_of_names_that_are_trained_on_and_the_record_does_not_speak_of():
    recorded, added = (set(facts.classes) for facts in FACTS)
    needed = {concept.name for concept in _captions().concepts if not concept.part} - recorded
    assert needed <= added <= needed | {row.name for row in LISTED if row.use == NEAR_DUPLICATE}
    assert list(FACTS[1].classes) == sorted(FACTS[1].classes, key=str.casefold)


def test_no_object_that_is_trained_on_is_a_near_duplicate_of_a_home_object():
    home, _ = _home_objects()
    trained = np.array([row.signature for row in LISTED if row.use == TRAIN])
    assert trained.shape == (622, home.shape[1])
    assert distances(trained, home).min() >= NEAR


def test_the_measure_of_near_duplicates_agrees_with_the_groups_made_by_eye():
    home, groups = _home_objects()
    apart = distances(home, home)
    same = groups[:, None] == groups
    pairs = np.triu(same, 1)
    assert np.median(apart[pairs]) < 0.041 and (apart[pairs] < NEAR).mean() > 0.2
    others = np.where(same, np.inf, apart)
    assert (others.min(axis=1) < NEAR).mean() < 0.15
    assert (apart[~same] < NEAR).mean() < 0.001


def test_a_signature_stays_when_a_shape_is_moved_scaled_turned_or_mirrored():
    points = np.random.default_rng(0).normal(size=(500, 3)) * (1, 2, 0.5)
    sine, cosine = np.sin(0.7), np.cos(0.7)
    turned = points @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    for other in (points * 3 + 5, turned, points * (-1, 1, 1)):
        assert distances(signature(points)[None], signature(other)[None]) < 0.001
    assert distances(signature(points)[None], signature(points[:, [1, 0, 2]])[None]) > NEAR


def test_the_training_does_not_read_home_objects():
    modules = {Path("stages/bundled/pretrain.py")}
    modules |= {path for path in dag.reached_files(ROOT, *modules) if "bundled" in path.parts}
    assert Path("stages/bundled/pretraining/recipe.py") in modules and len(modules) > 10
    assert [path for path in modules if "home_objects" in (ROOT / path).read_text().split('"""', 2)[2]] == []


def test_objects_are_listed_by_name_and_near_duplicates_are_left_out():
    points = (np.random.default_rng(0).uniform(-1, 1, size=(3, 400, 3)) * 32767).astype("i2")
    points[1] = points[1] * np.array([1, 0.1, 1])
    raw = RawObjects(points, ("p",) * 3, ("a", "b", "c"), ("lamp 1", "lamp 1", "thing"))
    rows = build_training_objects.listed(
        raw, {"lamp 1": "lamp", "thing": None}, others=signature(raw.cloud(1))[None], known={"lamp"}
    )
    assert [(row.name, row.use) for row in rows] == [("lamp", "train"), ("lamp", "near_duplicate"), ("", "unnamed")]
    with pytest.raises(InputError, match=r"training_names.yaml: names: 'thing' is missing"):
        build_training_objects.listed(raw, {"lamp 1": "lamp"}, others=np.zeros((1, 24)), known=set())


def test_held_out_names_are_no_words_of_others():
    names = {f"thing{i}" for i in range(18)} | {"sign", "road sign"}
    held = build_training_objects.held_out_names(names, known={"thing0 top"})
    assert len(held) == 3 and not held & {"sign", "thing0"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("pack,file\np,f\n", "columns are"),
        ("pack,file,name,use,signature\np,f,chair,shown,1 2\n", "line 2: expected a name and a use of"),
        ("pack,file,name,use,signature\np,f,,train,1 2\n", "line 2: expected a name and a use of"),
    ],
)
def test_a_wrong_list_gives_one_line(content, message, tmp_path):
    (tmp_path / "list.csv").write_text(content)
    with pytest.raises(InputError, match=rf"list.csv: {message}"):
        read_list(tmp_path / "list.csv")


def test_clouds_that_are_missing_or_are_others_give_one_line(tmp_path):
    params = load_params(ROOT)
    with pytest.raises(InputError, match=r"objects.h5: no such file \(params.yaml: pretrain.objects\)"):
        pretrain.main(params=params, root=tmp_path)
    file = tmp_path / params.pretrain.objects
    file.parent.mkdir(parents=True)
    (tmp_path / "data/bundled").mkdir()
    shutil.copy(ROOT / "data/bundled/bundled_training_objects.csv", tmp_path / "data/bundled")
    with h5py.File(file, "w") as written:
        written["points"] = np.zeros((1, 8, 3), "i2")
        for key in ("pack", "file", "name"):
            written[key] = ["other"]
    with pytest.raises(InputError, match=r"objects.h5: object 0 is other other, expected \w+ \w+ as in the list"):
        pretrain.main(params=params, root=tmp_path)


def test_filler_keeps_the_names_of_the_concept():
    rng, concept = np.random.default_rng(0), Concept("mug", "handle")
    texts = [with_filler("The handle of a mug, an open loop, at its side.", concept, rng) for _ in range(50)]
    assert all("mug," in text and "handle" in text for text in texts)
    assert any(FILLER in text for text in texts)


def test_captions_with_a_held_out_word_are_not_heard(material):
    captions, _, _ = material
    assert captions.plain[0] and captions.sentences[0] and captions.sentences[2]
    assert [
        text for text in captions.every() if "seat" in text.lower().replace(".", " ").replace(",", " ").split()
    ] == []


def test_augmented_clouds_keep_their_height_axis_and_thin_out():
    rng = np.random.default_rng(0)
    tall = np.random.default_rng(1).normal(size=(3000, 3)).astype("f4") * (0.1, 1, 0.1)
    for _ in range(20):
        cloud = augment(tall, rng)
        assert cloud.dtype == np.float32 and 512 <= len(cloud) <= 2048
        assert np.argmax(cloud.std(axis=0)) == 1


def test_cached_maps_go_on_where_they_stopped_and_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(maps_cache, "BLOCK", 2)
    shapes = maps_cache.Shapes(maps_cache.PROCEDURAL, 5, 3, maps_cache.DrawProcedural())

    def made(folder):
        return maps_cache.cached_maps(folder, shapes, PROJECTION, resolution=16, processes=1)

    whole = np.array(made(tmp_path / "whole"))
    assert whole.shape == (5, PROJECTION.views, 16, 16) and (whole.min(axis=(1, 2, 3)) < 255).all()
    make, blocks = maps_cache._make, []

    def stop_at_the_second(block, *rest):
        blocks.append(block)
        if len(blocks) == 2:
            raise KeyboardInterrupt
        return make(block, *rest)

    monkeypatch.setattr(maps_cache, "_make", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "stopped")
    np.testing.assert_array_equal(made(tmp_path / "stopped"), whole)
    assert blocks == [0, 1, 1, 2]
    made(tmp_path / "stopped")
    assert len(blocks) == 4


def test_a_batch_is_the_same_for_the_same_step_and_other_for_another(material):
    captions, _, sources = material
    settings = _settings(filler_share=0.5)
    first, again, other = (batch_of(step, sources, captions, settings) for step in (0, 0, 1))
    assert first.maps.shape == (4, settings.views_shown, 64, 64) and first.target.max() < len(first.captions)
    assert torch.equal(first.maps, again.maps) and first.captions == again.captions
    assert not torch.equal(first.maps, other.maps)


def test_rows_of_objects_that_are_not_trained_on_are_never_drawn(material):
    captions, _, sources = material
    only = source_of(sources.objects.maps, np.array([-1, 1, -1, 1]))
    assert only.rows.tolist() == [1, 3] and only.concepts.tolist() == [1, 1] and only.weight.sum() == pytest.approx(1)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_two_runs_and_one_that_was_cut_off_end_with_the_same_bits(material, precision, tmp_path, monkeypatch):
    settings = _settings(precision=precision)
    course, state, _ = _trained(material, tmp_path / "a.pt", settings)
    again, same, calls = _trained(material, tmp_path / "b.pt", settings)
    assert np.isfinite(course.losses).all() and len(course.losses) == 4 and calls == 2
    assert course.losses == again.losses and all(torch.equal(state[key], same[key]) for key in state)

    whole = recipe.batch_of

    def cut_off(step, *rest):
        if step == 3:
            raise KeyboardInterrupt
        return whole(step, *rest)

    monkeypatch.setattr(recipe, "batch_of", cut_off)
    with pytest.raises(KeyboardInterrupt):
        _trained(material, tmp_path / "c.pt", settings)
    monkeypatch.undo()
    resumed, ended, calls = _trained(material, tmp_path / "c.pt", settings)
    assert calls == 1 and resumed.losses == course.losses
    assert all(torch.equal(state[key], ended[key]) for key in state)


def test_unknown_words_stay_silent_and_known_ones_learn(material, tmp_path):
    _, vocabulary, _ = material
    _, state, _ = _trained(material, tmp_path / "a.pt", _settings(filler_share=1.0))
    table = state["token_embedding.weight"]
    encode = open_clip.tokenizer.SimpleTokenizer().encode
    known = torch.zeros(len(table), dtype=bool).index_fill(0, torch.tensor(vocabulary.ids), True)
    silent = torch.tensor(encode(FILLER))
    assert not table[~known].any() and not table[silent].any()
    assert table[torch.tensor(encode("chair"))].any()


def test_a_step_lowers_the_loss_of_its_own_batch(material, tmp_path):
    settings = _settings(steps=30, batch_size=6, filler_share=0.0, checkpoint_steps=30, precision="fp32")
    course, _, _ = _trained(material, tmp_path / "a.pt", settings)
    assert np.mean(course.losses[-5:]) < np.mean(course.losses[:5])
    assert json.dumps(course.means(10)) and len(course.means(10)) == 3
