"""What the bundled backbone is taught to say: captions of classes and of their parts.

The text tower hears templates with names and synonyms, sentences of some families of the bundled record, and both with
filler tokens among their words, whose embedding stays zero: so it learns to pass over the words that it has never seen.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from stages.bundled.procedural import generator
from stages.bundled.sentences import Facts, every_sentence, part_facts
from stages.language.prompts.templates import display_name

TRAINED_FAMILIES = ("caption", "description", "paraphrase")  # the others of the record stay unheard
TEMPLATES = (
    "a depth map of a {}.",
    "a depth map of the {}.",
    "a grayscale depth map of a {}.",
    "a {}.",
    "the {}.",
    "{}",
    "a 3D model of a {}.",
    "a rendering of a {}.",
    "a point cloud of a {}.",
    "a silhouette of a {}.",
    "a photo of a {}.",
    "a depth map would show a {}.",
    "this is the shape of a {}.",
    "a depth image of one {} seen from the side.",
    "a view of a {} from the front.",
    "an object: {}.",
    "the depth map shows a {} with white background.",
)
PART_TEMPLATES = (
    "a depth map of the {part} of a {name}.",
    "a {part} of a {name}.",
    "the {part} of the {name}.",
    "{name} {part}",
)
SYNONYMS = {
    "TV stand": ("TV stand", "television stand"),
    "airplane": ("airplane", "plane"),
    "bathtub": ("bathtub", "bath"),
    "bookshelf": ("bookshelf", "shelf"),
    "cap": ("cap", "hat"),
    "car": ("car", "automobile"),
    "curtain": ("curtain", "drapes"),
    "dresser": ("dresser", "chest of drawers"),
    "earphone": ("earphone", "headphones"),
    "flower pot": ("flower pot", "flowerpot"),
    "fork": ("fork", "cutlery"),
    "hammer": ("hammer", "tool"),
    "knife": ("knife", "cutlery"),
    "mantel": ("mantel", "fireplace"),
    "monitor": ("monitor", "display", "screen"),
    "motorbike": ("motorbike", "motorcycle"),
    "night stand": ("night stand", "nightstand", "bedside table"),
    "oven": ("oven", "stove"),
    "person": ("person", "human"),
    "picture": ("picture", "painting"),
    "pistol": ("pistol", "gun"),
    "refrigerator": ("refrigerator", "fridge"),
    "sofa": ("sofa", "couch"),
    "spoon": ("spoon", "cutlery"),
    "stairs": ("stairs", "staircase"),
    "trash can": ("trash can", "bin", "garbage bin", "trash bin"),
    "wardrobe": ("wardrobe", "closet"),
    "xbox": ("xbox", "game console"),
}
PART_SYNONYMS = {
    "arm": ("arm", "armrest"),
    "desktop": ("desktop", "top"),
    "leg": ("leg", "support"),
    "seat": ("seat", "seat pad"),
}
FILLER = "\N{BLACK SQUARE}"
MOST_SENTENCES = 150  # of one concept and family: more would differ by a few words


@dataclass(frozen=True)
class Concept:
    """Something with captions of its own: a class by its display name, or one part of a class."""

    name: str
    part: str | None = None


@dataclass(frozen=True)
class Captions:
    """The captions of every concept in order: plain ones (filled templates) and sentences, both lists by concept."""

    concepts: tuple[Concept, ...]
    plain: tuple[tuple[str, ...], ...]
    sentences: tuple[tuple[str, ...], ...]

    def drawn_plain(self, concept: int, rng: np.random.Generator) -> str:
        """A random filled template."""
        return _drawn(self.plain[concept], rng)

    def drawn(self, concept: int, rng: np.random.Generator, *, sentence_share: float) -> str:
        """A random caption: a sentence in so many cases, where there are any."""
        sentences = self.sentences[concept]
        return _drawn(sentences if sentences and rng.random() < sentence_share else self.plain[concept], rng)

    def every(self) -> Iterator[str]:
        """All of them."""
        for texts in (*self.plain, *self.sentences):
            yield from texts


def known_names() -> set[str]:
    """Every name that a caption may have without a training object: procedural classes and synonyms."""
    return {display_name(name) for name in generator.CLASSES} | {name for names in SYNONYMS.values() for name in names}


def concepts_of(object_names: Iterable[str], *, seed: int) -> tuple[Concept, ...]:
    """Every class, of objects or procedural, then the parts that a few shapes of ShapeNetPart's categories have."""
    rng = np.random.default_rng(seed)
    concepts = {Concept(name) for name in object_names} | {Concept(display_name(name)) for name in generator.CLASSES}
    for name in generator.PART_CATEGORIES:
        for _ in range(12):
            concepts |= {Concept(name, part) for part in generator.generate(name, points=8, rng=rng)[2]}
    return tuple(sorted(concepts, key=lambda concept: (concept.part is not None, concept.name, concept.part or "")))


def captions_of(concepts: tuple[Concept, ...], facts: Iterable[Facts], *, held_out: Iterable[str]) -> Captions:
    """The captions of `concepts`, with sentences of the facts; none has a name of `held_out` as a word."""
    names = "|".join(map(re.escape, sorted(held_out)))
    forbidden = re.compile(rf"\b({names})\b", re.IGNORECASE) if names else None

    def allowed(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(text for text in texts if not (forbidden and forbidden.search(text)))

    facts = list(facts)
    return Captions(
        concepts,
        tuple(allowed(_plain(concept)) for concept in concepts),
        tuple(allowed(_sentences(concept, facts)) for concept in concepts),
    )


def with_filler(text: str, concept: Concept, rng: np.random.Generator) -> str:
    """`text` with some words replaced by FILLER and more FILLER around it; words of the concept's names are kept."""
    kept = {word for name in (*_names(concept.name), *_part_names(concept.part)) for word in name.lower().split()}
    words = [word if word.strip(".:,").lower() in kept or rng.random() < 0.6 else FILLER for word in text.split(" ")]
    before, after = rng.integers(0, 8, size=2)
    return " ".join([FILLER] * before + words + [FILLER] * after)


def _drawn(texts: tuple[str, ...], rng: np.random.Generator) -> str:
    return texts[rng.integers(len(texts))]


def _plain(concept: Concept) -> Iterator[str]:
    """Filled templates; the first name comes as often as all others together."""
    names = _names(concept.name)
    for name in names + names[:1] * (len(names) - 2):
        if concept.part is None:
            yield from (template.replace("{}", name) for template in TEMPLATES)
        else:
            for part in _part_names(concept.part):
                yield from (text.replace("{part}", part).replace("{name}", name) for text in PART_TEMPLATES)


def _sentences(concept: Concept, facts: list[Facts]) -> Iterator[str]:
    """Sentences of the trained families where some facts speak of the concept."""
    for known in facts:
        about = known.classes.get(concept.name)
        if about and (concept.part is None or part_facts(about, concept.part)):
            for family in TRAINED_FAMILIES:
                texts = every_sentence(known, family=family, class_name=concept.name, part=concept.part)
                yield from texts[:MOST_SENTENCES]


def _names(name: str) -> tuple[str, ...]:
    return SYNONYMS.get(name, (name,))


def _part_names(part: str | None) -> tuple[str, ...]:
    """Names of a part: "engine or frame" has two; a whole object's part has none."""
    return PART_SYNONYMS.get(part, tuple(part.split(" or "))) if part else ()
