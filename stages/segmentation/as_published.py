"""PointCLIP V2's released segmentation step by step: its own sentences and view weights, read as it reads features.

They were searched on the test split, so everything here has seen the test labels. The authors name two parts of a lamp
where the labels have four: sentences are those of a category's first parts, and the scores are over all of its parts,
as theirs are. K parts, V views, D embedding.
"""

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

import numpy as np

from stages.artifacts.types import SentenceTable
from stages.config.segment import Segment
from stages.core.errors import InputError
from stages.language.prompts.published import CORPUS
from stages.segmentation.part_prompts import PartPrompts
from stages.segmentation.part_search import search_parts
from stages.segmentation.patch_config import PatchConfig
from stages.segmentation.protocols import NEUTRAL
from stages.segmentation.shapes import Shapes

AS_PUBLISHED, IN_ORDER, NEUTRAL_IN_ORDER = "as_published", "as_published_in_order", f"{NEUTRAL}_in_order"
SEARCH = "as_published_search"
RELEASED, PATCHES_IN_ORDER = PatchConfig("as_released"), PatchConfig("released_lookup")
SWEEPS = 2


class PublishedChoice(NamedTuple):
    """The prompt set that holds the authors' sentences, and their view weights [V] for one category."""

    prompt_set: str
    view_weights: list[float]

    @classmethod
    def of(cls, generated: SentenceTable, prompt_set: str, category: str) -> "PublishedChoice":
        """That of a set and category; InputError where no view weights came with them."""
        weights = generated.view_weights.get(prompt_set, {}).get(category)
        if weights is None:
            raise InputError(f"data/sentences: {prompt_set}: no view weights of '{category}'; run `dvc repro generate`")
        return cls(prompt_set, weights)


class PublishedResult(NamedTuple):
    """What one protocol predicts for the test shapes, parts i8 [N, P], and what it chose as plain data."""

    predicted: np.ndarray
    document: dict


def published_names(config: Segment) -> tuple[str, ...]:
    """The protocols of this module that are asked for."""
    return AS_PUBLISHED, IN_ORDER, NEUTRAL_IN_ORDER, *((SEARCH,) if config.published_search else ())


def sets_needed(names: Iterable[str], *, searched: str) -> tuple[str, ...]:
    """The authors' prompt sets that these protocols need, `searched` being what their search chose."""
    return tuple(dict.fromkeys(of for name in names for of in (searched, *((CORPUS,) if name == SEARCH else ()))))


def not_run(config: Segment, prompt_sets: Collection[str], *, searched: str) -> dict[str, str]:
    """By protocol why it has no figures: one of the authors' prompt sets is not among `prompt_sets` of the dataset."""
    missing = {
        name: [of for of in sets_needed((name,), searched=searched) if of not in prompt_sets]
        for name in published_names(config)
    }
    return {
        name: f"prompt set {' and '.join(sets)}: PointCLIP V2's, not among this dataset's sentences (generate.sets)"
        for name, sets in missing.items()
        if sets
    }


def segment_as_published(
    shapes_of: Callable[[PatchConfig], Shapes], prompts: PartPrompts, choice: PublishedChoice, names: Iterable[str]
) -> dict[str, PublishedResult]:
    """Those of the protocols in `names` on one category; `shapes_of` gives its test shapes under a PatchConfig.

    `as_published` is the released evaluation, `as_published_in_order` the same with the patches in their right order,
    `neutral_in_order` that with the neutral sentence instead. `as_published_search` goes on from the first: two sweeps
    over the authors' corpus. InputError for view weights of another number of views.
    """
    sentences = prompts.first_parts(choice.prompt_set)
    found = {}
    for name in names:
        shapes = shapes_of(PATCHES_IN_ORDER if name in (IN_ORDER, NEUTRAL_IN_ORDER) else RELEASED)
        if len(choice.view_weights) != shapes.views:
            raise InputError(
                f"{choice.prompt_set}: {len(choice.view_weights)} view weights, the patches have {shapes.views} views"
            )
        weights = np.array(choice.view_weights, np.float32)
        said = prompts.sentences((NEUTRAL,)) if name == NEUTRAL_IN_ORDER else sentences
        text, details = prompts.average(said), {}
        if name == SEARCH:
            said, text, details = _search(shapes, prompts, said, text, weights)
        document = {"split": "test", "labels_read": "test", "view_weights": choice.view_weights} | details
        document["sentences"] = dict(zip(prompts.parts, said, strict=False))
        found[name] = PublishedResult(shapes.predict(text, view_weights=weights), document)
    return found


def _search(
    shapes: Shapes, prompts: PartPrompts, start: list[list[str]], text: np.ndarray, weights: np.ndarray
) -> tuple[list[list[str]], np.ndarray, dict]:
    """Sentences of the corpus that raise the mean IoU, one after another, their text f4 [K, D], and the objective."""
    corpus = prompts.first_parts(CORPUS)
    candidates = prompts.candidates(corpus)
    found = search_parts(shapes, candidates=candidates, initial=text, view_weights=weights, sweeps=SWEEPS)
    said = [
        [of_part[index]] if index >= 0 else before
        for of_part, before, index in zip(corpus, start, found.choice, strict=True)
    ]
    return said, found.text, {"objective": "iou", "start": found.start, "value": found.value, "shapes": len(shapes)}
