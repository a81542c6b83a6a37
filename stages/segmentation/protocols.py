"""The protocols of part segmentation for one category: what each reads, and which text and view weights it chooses.

N shapes, P points, V views, D embedding, K parts of the category.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stages.config.segment import Segment
from stages.core.errors import InputError
from stages.prompt_search.label_free import choose_label_free
from stages.segmentation.part_prompts import PartPrompts
from stages.segmentation.part_search import mean_score, search_parts, search_view_weights
from stages.segmentation.shapes import Shapes

NEUTRAL = "neutral"
LABEL_FREE_POINTS = 4096  # points of a category whose views the label-free protocol compares
LABEL_FREE_LEAST_WEIGHT = 0.05  # of a view: with 0 the points that it alone sees would have no logits


class PartResult(NamedTuple):
    """What a protocol chooses: text features f4 [K, D], view weights f4 [V] of mean 1, and how they were found.

    `document` is plain data: the split and the labels that were read, each part's sentences, and the objective.
    """

    text: np.ndarray
    view_weights: np.ndarray
    document: dict


@dataclass(frozen=True)
class ProtocolInputs:
    """One category as a protocol finds it: its shapes by split (None: it has none), its sentences, the settings."""

    test: Shapes
    train: Shapes | None
    val: Shapes | None
    prompts: PartPrompts
    config: Segment
    logit_scale: float


Protocol = Callable[[ProtocolInputs], PartResult]


def average_of(prompt_set: str) -> Protocol:
    """The protocol that averages all sentences of one prompt set, with equal view weights; it reads no split."""

    def averaged(inputs: ProtocolInputs) -> PartResult:
        prompts = inputs.prompts
        sentences = prompts.sentences((prompt_set,))
        weights = np.ones(inputs.test.views)
        return _result(prompts.average(sentences), weights, sentences, prompts, split=None, labels_read="none")

    return averaged


def label_free(inputs: ProtocolInputs) -> PartResult:
    """Sentences and view weights on which the views of the same points agree, on the test split without its labels."""
    prompts, config = inputs.prompts, inputs.config
    sentences = prompts.sentences(config.candidates)
    chosen = choose_label_free(
        _views_of_points(inputs.test),
        candidates=prompts.candidates(sentences),
        logit_scale=inputs.logit_scale,
        keep_fraction=config.keep_fraction,
    )
    kept = [[of_part[index] for index in rows] for of_part, rows in zip(sentences, chosen.kept, strict=True)]
    weights = np.maximum(chosen.view_weights, LABEL_FREE_LEAST_WEIGHT)
    return _result(chosen.text, weights, kept, prompts, split="test", labels_read="none")


def search_train(inputs: ProtocolInputs) -> PartResult:
    """Search on the train split from the neutral sentence; its result is kept where the val split is better for it.

    A category without train shapes keeps the neutral sentence; without val shapes the result stands as it is.
    """
    start = average_of(NEUTRAL)(inputs)
    if inputs.train is None:
        return start._replace(document=start.document | {"split": "train", "labels_read": "none", "shapes": 0})
    searched = _search(inputs, inputs.train, start, split="train")
    if inputs.val is None:
        return searched
    before, after = (_score(result, inputs.val, inputs.config) for result in (start, searched))
    kept = searched if after > before else start
    on_train = {
        key: searched.document[key] for key in ("split", "labels_read", "shapes", "objective", "start", "value")
    }
    held_out = {"start": before, "value": after, "kept": after > before}
    return kept._replace(document=kept.document | on_train | {"held_out": held_out})


def search_test(inputs: ProtocolInputs) -> PartResult:
    """The published search, an upper bound: it sees the labels of the split that is evaluated."""
    return _search(inputs, inputs.test, average_of(NEUTRAL)(inputs), split="test")


# A protocol is added by one more entry: a function of ProtocolInputs.
PROTOCOLS: dict[str, Protocol] = {
    "label_free": label_free,
    "search_train": search_train,
    "search_test": search_test,
}


def protocols(config: Segment) -> dict[str, Protocol]:
    """By name the neutral sentence, the averages that `config.protocols` names, and PROTOCOLS.

    InputError where an average has the name of another protocol.
    """
    for name in config.protocols:
        if name == NEUTRAL or name in PROTOCOLS:
            taken = ", ".join((NEUTRAL, *PROTOCOLS))
            raise InputError(f"params.yaml: segment.protocols.{name}: expected another name than {taken}")
    averages = {name: average_of(prompt_set) for name, prompt_set in config.protocols.items()}
    return {NEUTRAL: average_of(NEUTRAL), **averages, **PROTOCOLS}


def _search(inputs: ProtocolInputs, shapes: Shapes, start: PartResult, *, split: str) -> PartResult:
    """Sentences, then view weights, that score best on the labels of `shapes`."""
    prompts, config = inputs.prompts, inputs.config
    sentences = prompts.sentences(config.candidates)
    found = search_parts(
        shapes,
        candidates=prompts.candidates(sentences),
        initial=start.text,
        view_weights=start.view_weights,
        sweeps=config.sweeps,
        objective=config.objective,
    )
    weights, value = start.view_weights, found.value
    if config.view_search == "coordinate":
        weights, value = search_view_weights(shapes, text=found.text, start=weights, objective=config.objective)
    initial = [start.document["sentences"][part] for part in prompts.parts]
    chosen = [
        [of_part[index]] if index >= 0 else before
        for of_part, before, index in zip(sentences, initial, found.choice, strict=True)
    ]
    details = {"objective": config.objective, "start": found.start, "value": value, "shapes": len(shapes)}
    return _result(found.text, weights, chosen, prompts, split=split, labels_read=split, **details)


def _score(result: PartResult, shapes: Shapes, config: Segment) -> float:
    predicted = shapes.predict(result.text, view_weights=result.view_weights)
    return mean_score(predicted, shapes, objective=config.objective)


def _result(
    text: np.ndarray, weights: np.ndarray, sentences: list[list[str]], prompts: PartPrompts, **details
) -> PartResult:
    """A result whose view weights are scaled to mean 1, which changes no prediction."""
    weights = (weights / np.mean(weights)).astype(np.float32)
    by_part = dict(zip(prompts.parts, sentences, strict=True))
    return PartResult(text, weights, {**details, "sentences": by_part, "view_weights": [float(w) for w in weights]})


def _views_of_points(shapes: Shapes) -> np.ndarray:
    """Features f4 [S, V, D] of unit norm of some points of every shape that a view sees, evenly many of each.

    A view that does not see the point takes the mean of those that do, so that it neither agrees nor disagrees.
    """
    rows = []
    for n in range(len(shapes)):
        features, visible = shapes.point_views(n)
        some = np.flatnonzero(visible.any(axis=0))[: -(-LABEL_FREE_POINTS // len(shapes))]
        by_point, visible = features[:, some].swapaxes(0, 1), visible[:, some].T[..., None]
        mean = by_point.sum(axis=1, keepdims=True) / visible.sum(axis=1, keepdims=True)
        rows.append(np.where(visible, by_point, mean))
    features = np.concatenate(rows)
    return features / np.maximum(np.linalg.norm(features, axis=-1, keepdims=True), 1e-12)
