"""The protocols of part segmentation for one category: what each may look at, and what it chooses.

A choice is text features f4 [K, D] of the category's K parts, view weights f4 [V] of mean 1, and a plain document of
how they were found: the split and the labels that were read, the sentences of each part, the objective.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from stages.config.segment import Segment
from stages.core.errors import InputError
from stages.core.text import ensemble
from stages.prompt_search.candidates import Candidates
from stages.prompt_search.label_free import choose_label_free
from stages.segmentation.part_search import mean_score, search_parts, search_view_weights
from stages.segmentation.shapes import Shapes

NEUTRAL, SEARCHED = "neutral", ("label_free", "search_train", "search_test")
POINTS_AGREEING = 4096  # points of a category whose views the label-free choice compares
LEAST_WEIGHT = 0.05  # of a view in the label-free choice: none is lost for the points that it alone sees

Wording = Mapping[str, Mapping[str, Sequence[str]]]  # prompt set -> part -> sentences, of one category


class Choice(NamedTuple):
    """What a protocol ends in."""

    text: np.ndarray
    view_weights: np.ndarray
    document: dict


class Sentences:
    """The sentences about one category's parts by prompt set, and their features."""

    def __init__(self, wording: Wording, features: Mapping[str, np.ndarray], *, category: str, parts: tuple[str, ...]):
        self._wording, self._features, self._category, self.parts = wording, features, category, parts

    def of(self, prompt_sets: Sequence[str]) -> list[list[str]]:
        """Per part the sentences of all `prompt_sets`, each once; InputError where a part has none."""
        found = [
            list(dict.fromkeys(text for name in prompt_sets for text in self._wording[name].get(part, ())))
            for part in self.parts
        ]
        for part, texts in zip(self.parts, found, strict=True):
            if not texts:
                raise InputError(
                    f"params.yaml: segment: prompt sets {', '.join(prompt_sets)} have no sentence for part '{part}' "
                    f"of '{self._category}'"
                )
        return found

    def candidates(self, texts: list[list[str]]) -> Candidates:
        """`texts` of each part as candidates."""
        features = np.stack([self._features[text] for of_part in texts for text in of_part])
        return Candidates.ragged(features, np.cumsum([0, *map(len, texts)]))

    def average(self, texts: list[list[str]]) -> np.ndarray:
        """Text features f4 [K, D]: the mean of each part's sentences, of unit norm."""
        candidates = self.candidates(texts)
        return ensemble(candidates.features, map(candidates.of_class, range(candidates.classes)))


def averaged(prompt_set: str, sentences: Sentences, *, views: int) -> Choice:
    """All sentences of one set averaged, equal view weights: nothing is read but the words."""
    texts = sentences.of((prompt_set,))
    return _choice(sentences.average(texts), np.ones(views), texts, sentences, split=None, labels_read="none")


def label_free(test: Shapes, sentences: Sentences, config: Segment, *, logit_scale: float) -> Choice:
    """Sentences and view weights on which the views of the same points agree, on the evaluated split without labels."""
    texts = sentences.of(config.candidates)
    found = choose_label_free(
        _views_of_points(test),
        candidates=sentences.candidates(texts),
        logit_scale=logit_scale,
        keep_fraction=config.keep,
    )
    kept = [[of_part[index] for index in rows] for of_part, rows in zip(texts, found.kept, strict=True)]
    weights = np.maximum(found.view_weights, LEAST_WEIGHT)
    return _choice(found.text, weights, kept, sentences, split="test", labels_read="none")


def search_train(
    train: Shapes | None, val: Shapes | None, sentences: Sentences, config: Segment, start: Choice
) -> Choice:
    """The honest search: on the train split, kept where the val split is better for it than for `start`.

    A category without train shapes keeps `start`; without val shapes the search's result stands as it is.
    """
    if train is None:
        return start._replace(document=start.document | {"split": "train", "labels_read": "none", "shapes": 0})
    found = _search(train, sentences, config, start, split="train")
    if val is None:
        return found
    before, after = (
        mean_score(val.predict(one.text, view_weights=one.view_weights), val, objective=config.objective)
        for one in (start, found)
    )
    kept = found if after > before else start
    held_out = {"start": before, "value": after, "kept": after > before}
    told = {key: found.document[key] for key in ("split", "labels_read", "shapes", "objective", "start", "value")}
    return kept._replace(document=kept.document | told | {"held_out": held_out})


def search_test(test: Shapes, sentences: Sentences, config: Segment, start: Choice) -> Choice:
    """The published search, an oracle: it sees the labels of the split that is evaluated."""
    return _search(test, sentences, config, start, split="test")


def _search(shapes: Shapes, sentences: Sentences, config: Segment, start: Choice, *, split: str) -> Choice:
    texts = sentences.of(config.candidates)
    found = search_parts(
        shapes,
        candidates=sentences.candidates(texts),
        initial=start.text,
        view_weights=start.view_weights,
        sweeps=config.sweeps,
        objective=config.objective,
    )
    weights, value = start.view_weights, found.value
    if config.view_search == "coordinate":
        weights, value = search_view_weights(shapes, text=found.text, start=weights, objective=config.objective)
    begun = [start.document["sentences"][part] for part in sentences.parts]
    chosen = [
        [of_part[index]] if index >= 0 else first
        for of_part, first, index in zip(texts, begun, found.choice, strict=True)
    ]
    told = {"objective": config.objective, "start": found.start, "value": value, "shapes": len(shapes)}
    return _choice(found.text, weights, chosen, sentences, split=split, labels_read=split, **told)


def _choice(text: np.ndarray, weights: np.ndarray, texts: list[list[str]], sentences: Sentences, **told) -> Choice:
    """A choice; the weights are scaled to mean 1, which changes no prediction."""
    weights = (weights / np.mean(weights)).astype(np.float32)
    by_part = dict(zip(sentences.parts, texts, strict=True))
    return Choice(text, weights, {**told, "sentences": by_part, "view_weights": [float(one) for one in weights]})


def _views_of_points(shapes: Shapes) -> np.ndarray:
    """Features f4 [S, V, D] of unit norm of some points of every shape that a view sees, evenly many of each.

    A view that does not see the point abstains: it takes the mean of those that do.
    """
    rows = []
    for n in range(len(shapes)):
        features, seen = shapes.point_views(n)
        some = np.flatnonzero(seen.any(axis=0))[: -(-POINTS_AGREEING // len(shapes))]
        own, seen = features[:, some].swapaxes(0, 1), seen[:, some].T[..., None]
        mean = own.sum(axis=1, keepdims=True) / seen.sum(axis=1, keepdims=True)
        rows.append(np.where(seen, own, mean))
    features = np.concatenate(rows)
    return features / np.maximum(np.linalg.norm(features, axis=-1, keepdims=True), 1e-12)


Protocol = Callable[[], Choice]


def protocols(
    test: Shapes, train: Shapes | None, val: Shapes | None, sentences: Sentences, config: Segment, *, logit_scale: float
) -> dict[str, Protocol]:
    """The protocols by name, to be called in this order."""
    neutral = averaged(NEUTRAL, sentences, views=test.views)
    return {
        NEUTRAL: lambda: neutral,
        **{
            name: lambda prompt_set=prompt_set: averaged(prompt_set, sentences, views=test.views)
            for name, prompt_set in config.protocols.items()
        },
        "label_free": lambda: label_free(test, sentences, config, logit_scale=logit_scale),
        "search_train": lambda: search_train(train, val, sentences, config, neutral),
        "search_test": lambda: search_test(test, sentences, config, neutral),
    }
