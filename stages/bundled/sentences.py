"""Sentences about depth maps composed of hand-written facts: the offline answers to the language model's commands.

Each family of commands has sentence patterns of its own; a pattern is filled with the facts of a class, or of one
part of it, in every way. Sentences come in an order that spreads patterns and facts, so that the first few vary.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, combinations, product, zip_longest
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from stages.bundled.sentence_patterns import CLASS_PATTERNS, PART_PATTERNS
from stages.core.errors import InputError
from stages.core.yaml import load_yaml
from stages.language.prompts.templates import display_name

_strict = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))

OneOrMore = Annotated[tuple[str, ...], Field(min_length=1)]
TwoOrMore = Annotated[tuple[str, ...], Field(min_length=2)]  # as many as a sentence lists
ThreeOrMore = Annotated[tuple[str, ...], Field(min_length=3)]


@_strict
class Views:
    """Noun phrases: what a class looks like from each side."""

    front: str
    side: str
    above: str


@_strict
class PartFacts:
    """Facts of one part: the names it is asked for by, its shape, place and depth."""

    names: OneOrMore
    shape: OneOrMore
    place: OneOrMore
    depth: OneOrMore


@_strict
class ClassFacts:
    """Facts of one class, as the head of facts.yaml explains them."""

    called: str
    kinds: OneOrMore
    nouns: ThreeOrMore
    adjectives: TwoOrMore
    silhouette: OneOrMore
    features: TwoOrMore
    depth: OneOrMore
    views: Views
    parts: dict[str, PartFacts] | None = None


@dataclass(frozen=True)
class Facts:
    """The facts of all classes by display name, and the file that they come from."""

    source: str
    classes: dict[str, ClassFacts]


Slots = dict[str, list[dict[str, str]]]  # what may stand in a pattern's places: alternatives by slot


def load_facts(text: str, *, source: str) -> Facts:
    """The facts in the YAML `text`; InputError that names `source` and the first wrong key."""
    classes = load_yaml(text, dict[str, ClassFacts], source=source)
    for name, facts in classes.items():
        if not (facts.called.startswith(("a ", "an ")) and facts.called.endswith(f" {name}")):
            raise InputError(f"{source}: {name}.called: expected an article and then the name, got '{facts.called}'")
    return Facts(source, classes)


def sentences(facts: Facts, *, family: str, class_name: str, part: str | None, count: int) -> list[str]:
    """The first `count` sentences that a family of commands gets about a class, or about a part of it.

    All are distinct, within and across families, and name the class; where the part has two names ("wheel or tire") a
    sentence has one of them. InputError where the family, class or part is unknown or has fewer sentences.
    """
    if family not in CLASS_PATTERNS:
        raise InputError(f"no bundled sentences for family '{family}', expected one of {', '.join(CLASS_PATTERNS)}")
    if display_name(class_name) not in facts.classes:
        raise InputError(f"{facts.source}: no bundled sentences for class '{class_name}'")
    written = every_sentence(facts, family=family, class_name=class_name, part=part)
    if len(written) < count:
        subject = f"class '{class_name}'" if part is None else f"part '{part}' of '{class_name}'"
        raise InputError(
            f"{facts.source}: {len(written)} bundled sentences of {family} for {subject}, asked for {count}"
        )
    return written[:count]


def every_sentence(facts: Facts, *, family: str, class_name: str, part: str | None) -> list[str]:
    """All sentences that a family of commands gets about a known class or part; the one-sentence families get one.

    None of `description` is about a part.
    """
    name = display_name(class_name)
    about = facts.classes[name]
    if family in ONE_SENTENCE:
        return [] if part else [ONE_SENTENCE[family](about)]
    if part is None:
        patterns, slots = CLASS_PATTERNS[family], _class_slots(about)
    else:
        patterns, slots = PART_PATTERNS[family], _part_slots(facts.source, class_name, about, part)
    slots |= {"a": [{"a": about.called}], "name": [{"name": name}]}
    return list(_spread(patterns, slots, seed=f"{family} {name} {part}"))


def _completion(about: ClassFacts) -> str:
    return f"A depth map of {about.called} would show {about.silhouette[0]}, with {about.features[0]}."


def _description(about: ClassFacts) -> str:
    return f"It is {about.silhouette[0]}, in which one makes out {about.features[0]} and {about.features[1]}."


ONE_SENTENCE = {"completion": _completion, "description": _description}  # families that get one sentence a class


def _class_slots(facts: ClassFacts) -> Slots:
    """The slots of a class's patterns; places that go together, as those of a view, share one slot."""
    return {
        "kind": _alternatives("kind", facts.kinds),
        "nouns": _alternatives("nouns", map(_listed, combinations(facts.nouns, 3))),
        "adjectives": _alternatives("adjectives", map(_listed, combinations(facts.adjectives, 2))),
        "silhouette": _alternatives("silhouette", facts.silhouette),
        "feature": _alternatives("feature", facts.features),
        "features": _alternatives("features", map(" and ".join, combinations(facts.features, 2))),
        "depth": _alternatives("depth", facts.depth),
        "view": [
            {"where": "from the front", "view": facts.views.front},
            {"where": "from the side", "view": facts.views.side},
            {"where": "from above", "view": facts.views.above},
        ],
    }


def _part_slots(source: str, class_name: str, facts: ClassFacts, part: str) -> Slots:
    """The slots of a part's patterns; the verbs share the slot of the name, which may be plural."""
    about = part_facts(facts, part)
    if about is None:
        raise InputError(f"{source}: no bundled sentences for part '{part}' of class '{class_name}'")
    return {
        "part": [{"part": name, **_verbs(name)} for name in part.split(" or ") if name in about.names],
        "shape": _alternatives("shape", about.shape),
        "place": _alternatives("place", about.place),
        "depth": _alternatives("depth", about.depth),
    }


def part_facts(facts: ClassFacts, part: str) -> PartFacts | None:
    """The facts of a part of a class, whichever of its names it is asked for by; None where there are none."""
    asked = part.split(" or ")
    return next((about for about in (facts.parts or {}).values() if set(asked) & set(about.names)), None)


def _verbs(noun: str) -> dict[str, str]:
    if noun.endswith("s") or " and " in noun:
        return {"is": "are", "has": "have", "forms": "form", "shows": "show", "lies": "lie", "adds": "add"}
    return {verb: verb for verb in ("is", "has", "forms", "shows", "lies", "adds")}


def _alternatives(place, values):
    return [{place: value} for value in values]


def _listed(words):
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _spread(patterns: tuple[str, ...], slots: Slots, *, seed: str) -> Iterator[str]:
    """Every sentence once: rounds over the patterns in which each takes its filling whose facts were used least."""
    used = Counter()
    rounds = zip_longest(*(_least_used(pattern, slots, used, seed) for pattern in _shuffled(patterns, seed)))
    return (sentence for sentence in chain.from_iterable(rounds) if sentence)


def _least_used(pattern: str, slots: Slots, used: Counter, seed: str) -> Iterator[str]:
    """The fillings of one pattern, each chosen when it is asked for; `used` counts the facts of all patterns."""
    needed = [slot for slot in slots.values() if any(f"{{{place}}}" in pattern for place in slot[0])]
    fillings = [{place: text for slot in chosen for place, text in slot.items()} for chosen in product(*needed)]
    waiting = {_sentence(pattern, filling): filling for filling in fillings}
    order = _shuffled(tuple(waiting), seed)
    while order:
        sentence = min(order, key=lambda text: sum(used[fact] for fact in waiting[text].values()))
        order.remove(sentence)
        used.update(waiting[sentence].values())
        yield sentence


def _sentence(pattern: str, filling: dict[str, str]) -> str:
    text = pattern.format(**filling)
    return text[0].upper() + text[1:]


def _shuffled(texts: tuple[str, ...], seed: str) -> list[str]:
    """`texts` in an order that depends on `seed` and is the same on every machine."""
    return sorted(texts, key=lambda text: hashlib.sha256(f"{seed} {text}".encode()).digest())
