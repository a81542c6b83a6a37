"""Bundled sentences: every class and part covered, in clean English, distinct, and refused where there are none."""

import json
import re
from functools import cache
from itertools import combinations
from pathlib import Path

import h5py
import open_clip
import pytest

from stages.bundled.sentence_patterns import CLASS_PATTERNS, PART_PATTERNS
from stages.bundled.sentences import load_facts, sentences
from stages.core.errors import InputError
from stages.language.prompts.templates import display_name

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "prompts/bundled/facts.yaml").read_text()
FACTS = load_facts(TEXT, source="facts.yaml")
FAMILIES = ("caption", "question", "paraphrase", "words")
PER_CLASS, PER_PART = 18, 8  # of each family

MODELNET40 = """airplane bathtub bed bench bookshelf bottle bowl car chair cone cup curtain desk door dresser
    flower_pot glass_box guitar keyboard lamp laptop mantel monitor night_stand person piano plant radio range_hood
    sink sofa stairs stool table tent toilet tv_stand vase wardrobe xbox"""
SCANOBJECTNN = "bag bin box cabinet chair desk display door shelf table bed pillow sink sofa toilet"
SCANNET = """cabinet bed chair sofa table door window bookshelf picture counter desk curtain refrigerator
    shower_curtain toilet sink bathtub garbage_bin"""
SHAPENETPART = {
    "airplane": "body, wing, tail, engine, engine or frame",
    "bag": "handle, body",
    "cap": "panels, crown, peak, visor, panels or crown, visor or peak",
    "car": "roof, hood, wheel, wheel or tire, body",
    "chair": "back, seat, seat pad, leg, arm, armrest",
    "earphone": "earcup, headband, data wire",
    "guitar": "head, head or tuners, neck, body",
    "knife": "blade, handle",
    "lamp": "base, lampshade, canopy, pole, leg, leg or wire",
    "laptop": "keyboard, screen, screen or monitor",
    "motorbike": "gas tank, seat, wheel, handlebars, handles or handlebars, light, engine, engine or frame",
    "mug": "handle, cup",
    "pistol": "barrel, handle, trigger, trigger and guard",
    "rocket": "body, fin, nose cone",
    "skateboard": "wheel, deck, belt",
    "table": "desktop, leg, leg or support, drawer",
}
PART_NAMES = {name for facts in FACTS.classes.values() for part in (facts.parts or {}).values() for name in part.names}
STOP_WORDS = "a an the of in on to is are and or its it that which this with by for from as so"


def _home_objects():
    with h5py.File(ROOT / "data/bundled/home_objects.h5") as file:
        return json.loads(file.attrs["classes"])


LISTED = f"{MODELNET40} {SCANOBJECTNN} {SCANNET}".split()
CLASSES = sorted({*_home_objects(), *LISTED, *SHAPENETPART})
PARTS = [(name, part) for name, parts in SHAPENETPART.items() for part in parts.split(", ")]
SUBJECTS = [*((name, None) for name in CLASSES), *PARTS]


@cache
def _of_all_families(class_name, part=None):
    count = PER_CLASS if part is None else PER_PART
    return [
        text
        for family in FAMILIES
        for text in sentences(FACTS, family=family, class_name=class_name, part=part, count=count)
    ]


def test_the_facts_are_those_of_the_five_datasets():
    assert set(FACTS.classes) == {display_name(name) for name in CLASSES}
    assert {name for name, facts in FACTS.classes.items() if facts.parts} == set(SHAPENETPART)
    blocks = re.findall(r"^(\w.*):$", TEXT, re.MULTILINE)
    assert blocks == list(FACTS.classes) == sorted(blocks, key=str.casefold)


@pytest.mark.parametrize(("class_name", "part"), SUBJECTS)
def test_sentences_are_distinct_whole_and_name_their_subject(class_name, part):
    texts = _of_all_families(class_name, part)
    assert len({text.lower() for text in texts}) == len(texts) == 4 * (PER_CLASS if part is None else PER_PART)
    names = {part} if part is None or part in PART_NAMES else set(part.split(" or "))
    for text in texts:
        assert display_name(class_name).lower() in text.lower()
        assert part is None or any(name in text.lower() for name in names), text
        assert re.fullmatch(r"[A-Z0-9][^{}]*[a-zA-Z]\.", text) and "  " not in text and "_" not in text, text
        assert not re.search(r"\b(\w+) \1\b", text), text
        assert len(text.split()) <= 60


@pytest.mark.parametrize(("class_name", "part"), SUBJECTS)
def test_articles_fit_the_word_that_follows(class_name, part):
    for text in _of_all_families(class_name, part):
        for article, word in re.findall(r"\b(an?) ([\w-]+)", text, flags=re.IGNORECASE):
            vowel = word[0].lower() in "aeiou" or word in ("hourglass", "L", "L-shaped", "xbox")
            assert (article.lower() == "an") == vowel, text


def test_no_two_sentences_of_a_subject_differ_by_stop_words_alone():
    stop_words = set(STOP_WORDS.split())
    for class_name, part in SUBJECTS:
        texts = _of_all_families(class_name, part)
        cores = {tuple(w for w in re.findall(r"[\w-]+", text.lower()) if w not in stop_words) for text in texts}
        assert len(cores) == len(texts), (class_name, part)


def test_all_sentences_fit_into_the_text_tower():
    tokenizer = open_clip.get_tokenizer("ViT-B-16-quickgelu")
    texts = [text for subject in SUBJECTS for text in _of_all_families(*subject)]
    lengths = (tokenizer(texts, context_length=256) != 0).sum(dim=1)
    assert lengths.max() <= 70


def test_the_first_sentences_spread_over_patterns_and_facts():
    chair = FACTS.classes["chair"]
    for family in FAMILIES:
        texts = sentences(FACTS, family=family, class_name="chair", part=None, count=PER_CLASS)
        assert len({text[:12] for text in texts}) >= 9
    texts = " ".join(_of_all_families("chair")).lower()
    facts = [*chair.silhouette, *chair.features, *chair.depth, *chair.nouns, *chair.adjectives]
    assert not [fact for fact in facts if fact.lower() not in texts]


def test_classes_differ_in_their_facts():
    for one, other in combinations(FACTS.classes.values(), 2):
        for field in ("kinds", "silhouette", "features", "depth", "nouns", "adjectives", "views"):
            assert getattr(one, field) != getattr(other, field), (one.called, other.called, field)
        for field in ("silhouette", "features", "depth"):
            assert not set(getattr(one, field)) & set(getattr(other, field)), (one.called, other.called)


def test_every_block_has_as_many_facts():
    for facts in FACTS.classes.values():
        lengths = [len(facts.silhouette), len(facts.features), len(facts.depth), len(facts.nouns)]
        assert lengths == [3, 5, 3, 5] and len(facts.kinds) >= 3 and len(facts.adjectives) == 4
        for part in (facts.parts or {}).values():
            assert [len(part.shape), len(part.place), len(part.depth)] == [3, 2, 3]


def test_a_plural_part_has_a_plural_verb():
    asked = {"family": "question", "class_name": "motorbike", "count": PER_PART}
    plural, singular = sentences(FACTS, part="handlebars", **asked), sentences(FACTS, part="handlebar", **asked)
    assert any("handlebars of a motorbike are " in text for text in plural)
    assert any("handlebar of a motorbike is " in text for text in singular)


def test_a_part_with_two_names_is_called_by_both():
    texts = " ".join(_of_all_families("car", "wheel or tire"))
    assert "the wheel" in texts and "the tire" in texts and "wheel or tire" not in texts


def test_families_have_patterns_for_classes_and_parts():
    assert tuple(CLASS_PATTERNS) == tuple(PART_PATTERNS) == FAMILIES
    patterns = [one for group in (CLASS_PATTERNS, PART_PATTERNS) for family in group.values() for one in family]
    assert len(set(patterns)) == len(patterns)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"class_name": "dragon"}, "no bundled sentences for class 'dragon'"),
        ({"part": "wing"}, "no bundled sentences for part 'wing' of class 'chair'"),
        ({"family": "haiku"}, "no bundled sentences for family 'haiku', expected one of caption, question"),
        ({"count": 10_000}, "bundled sentences of caption for class 'chair', asked for 10000"),
        ({"part": "leg", "count": 10_000}, "bundled sentences of caption for part 'leg' of 'chair', asked for 10000"),
    ],
)
def test_what_cannot_be_said_is_refused(asked, message):
    with pytest.raises(InputError, match=re.escape(message)):
        sentences(FACTS, **({"family": "caption", "class_name": "chair", "part": None, "count": 1} | asked))


CONE = """cone:
  called: a cone
  kinds: [a pylon]
  nouns: [tip, base, slope]
  adjectives: [pointed, round]
  silhouette: [a triangle]
  features: [a sharp apex, a wide base]
  depth: [the tip lies far back]
  views: {front: a triangle, side: a triangle, above: a disc}
"""


def test_a_small_file_says_all_that_it_can():
    facts = load_facts(CONE, source="f.yaml")
    texts = sentences(facts, family="caption", class_name="cone", part=None, count=3)
    assert texts == sentences(facts, family="caption", class_name="cone", part=None, count=15)[:3]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kinds:", "kind:", "f.yaml: cone.kind: unknown key"),
        ("  called: a cone\n", "", "f.yaml: cone.called: missing"),
        ("called: a cone", "called: cone", "f.yaml: cone.called: expected an article and then the name, got 'cone'"),
        ("called: a cone", "called: a cane", "f.yaml: cone.called: expected an article and then the name"),
        ("[a pylon]", "a pylon", "f.yaml: cone.kinds: "),
        ("[a pylon]", "[]", "f.yaml: cone.kinds: "),
        ("[tip, base, slope]", "[tip, base]", "f.yaml: cone.nouns: "),
        ("[a pylon]", "[1]", "f.yaml: cone.kinds.0: "),
        (", above: a disc", "", "f.yaml: cone.views.above: missing"),
        ("cone:", "cone: [", "f.yaml: not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_by_key(old, new, message):
    assert old in CONE
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        load_facts(CONE.replace(old, new, 1), source="f.yaml")
