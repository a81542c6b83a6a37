"""What the bundled backbone is taught to say: captions of classes and of their parts.

The text tower hears whole sentences with known words, and others with filler tokens among them whose embedding stays
zero: so it learns to pass over the words that it will never have seen.
"""

from dataclasses import dataclass

import numpy as np

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
    "airplane": ("airplane", "plane"),
    "bathtub": ("bathtub", "bath"),
    "bookshelf": ("bookshelf", "shelf"),
    "cap": ("cap", "hat"),
    "car": ("car", "automobile"),
    "curtain": ("curtain", "drapes"),
    "dresser": ("dresser", "chest of drawers"),
    "earphone": ("earphone", "headphones"),
    "flower_pot": ("flower pot", "flowerpot"),
    "mantel": ("mantel", "fireplace"),
    "monitor": ("monitor", "display", "screen"),
    "motorbike": ("motorbike", "motorcycle"),
    "night_stand": ("night stand", "nightstand", "bedside table"),
    "person": ("person", "human"),
    "picture": ("picture", "painting"),
    "pistol": ("pistol", "gun"),
    "refrigerator": ("refrigerator", "fridge"),
    "sofa": ("sofa", "couch"),
    "stairs": ("stairs", "staircase"),
    "oven": ("oven", "stove"),
    "trash_can": ("trash can", "bin", "garbage bin", "trash bin"),
    "tv_stand": ("TV stand", "television stand"),
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


@dataclass(frozen=True)
class Concept:
    """Something with captions of its own: a class, or one part of a class."""

    class_name: str
    part: str | None = None


def caption(concept: Concept, rng: np.random.Generator, *, filler: bool) -> str:
    """A random caption of `concept`; with `filler`, FILLER words stand among the others."""
    names = _names(concept.class_name)
    name = names[0] if rng.random() < 0.6 else str(rng.choice(names))
    part = str(rng.choice(_part_names(concept.part)))
    text = str(rng.choice(_templates(concept))).replace("{part}", part).replace("{name}", name).replace("{}", name)
    return _with_filler(text, f"{name} {part}", rng) if filler else text


def vocabulary(concepts: list[Concept]) -> str:
    """One text that holds every word any caption of `concepts` can have."""
    words = [*TEMPLATES, *PART_TEMPLATES]
    for concept in concepts:
        words += [*_names(concept.class_name), *_part_names(concept.part)]
    return " ".join(words).translate(str.maketrans("", "", "{}"))


def _names(class_name: str) -> tuple[str, ...]:
    return SYNONYMS.get(class_name, (class_name.replace("_", " "),))


def _part_names(part: str | None) -> tuple[str, ...]:
    """Names of a part: "engine or frame" has two; a whole object's part is the empty name."""
    return PART_SYNONYMS.get(part, tuple((part or "").split(" or ")))


def _templates(concept: Concept) -> tuple[str, ...]:
    return PART_TEMPLATES if concept.part else TEMPLATES


def _with_filler(text: str, subject: str, rng: np.random.Generator) -> str:
    """`text` with some words replaced by FILLER and more FILLER around it; the words of `subject` are kept."""
    kept = set(subject.split())
    words = [word if word.strip(".:") in kept or rng.random() < 0.5 else FILLER for word in text.split()]
    before, after = rng.integers(0, 12, size=2)
    return " ".join([FILLER] * before + words + [FILLER] * after)
