"""Sentences of random words: what is left of a prompt set's gain when its words mean nothing.

Roth et al., Waffling around for performance (ICCV 2023): a class's name followed by random words and characters does
about as well as many language models' descriptions. A set of sentences must beat this one to have said something.
"""

import string

import numpy as np

from stages.language.prompts.templates import display_name

WAFFLE = "waffle"  # the name of the prompt set that is drawn here and has no file
WORDS = (
    "amber",
    "anchor",
    "basil",
    "brisk",
    "cedar",
    "cobalt",
    "copper",
    "crisp",
    "dawn",
    "ember",
    "fable",
    "fern",
    "flint",
    "gale",
    "hazel",
    "hollow",
    "indigo",
    "ivory",
    "jade",
    "juniper",
    "kelp",
    "lilac",
    "lunar",
    "maple",
    "meadow",
    "mellow",
    "nectar",
    "nimble",
    "ochre",
    "opal",
    "pebble",
    "plume",
    "quartz",
    "quiet",
    "raven",
    "ripple",
    "saffron",
    "sage",
    "thistle",
    "timber",
    "umber",
    "velvet",
    "violet",
    "willow",
    "wander",
    "yarrow",
    "zephyr",
    "zinc",
)


def waffle(class_name: str, *, count: int, seed: int) -> list[str]:
    """`count` sentences "a depth map of a <class>, which has ..." with two random words, or two of random characters.

    The random part of sentence i is the same for every class, so that it cannot tell classes apart.
    """
    rng = np.random.default_rng(seed)
    return [
        f"a depth map of a {display_name(class_name)}, which has {_nonsense(rng, words=i % 2 == 0)}."
        for i in range(count)
    ]


def _nonsense(rng: np.random.Generator, *, words: bool) -> str:
    if words:
        return " ".join(rng.choice(WORDS, 2))
    return " ".join("".join(rng.choice(list(string.ascii_lowercase), 5)) for _ in range(2))
