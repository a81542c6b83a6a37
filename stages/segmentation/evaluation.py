"""What the protocols score on the evaluated shapes, category by category, and the figures over all of them."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from stages.config.segment import Segment
from stages.segmentation.protocols import NEUTRAL, Choice, Sentences, protocols
from stages.segmentation.scores import Scores, percent, score, summarise
from stages.segmentation.shapes import Reading, Shapes

BASELINES = ("chance", "largest_part")
ShapesUnder = Callable[[str, Reading], Shapes | None]


class Segmented(NamedTuple):
    """One category under all methods: predicted parts [N, P], what the protocols chose, their seconds; the labels."""

    predicted: dict[str, np.ndarray]
    chosen: dict[str, dict]
    seconds: dict[str, float]
    truth: np.ndarray
    parts: tuple[str, ...]
    unseen: float


def readings(config: Segment) -> dict[str, Reading]:
    """The reading of all protocols, first, and those that show by the neutral sentence what one switch changes."""
    base = Reading(config.mode, config.smooth_window, config.refine_neighbours if config.refine else 0)
    other = "as_released" if config.mode == "correct" else "correct"
    refined = replace(base, refine=0 if config.refine else config.refine_neighbours)
    return {
        NEUTRAL: base,
        f"{NEUTRAL}_{other}": replace(base, mode=other),
        f"{NEUTRAL}_{'unrefined' if config.refine else 'refined'}": refined,
    }


def segment(shapes: ShapesUnder, sentences: Sentences, config: Segment, *, logit_scale: float) -> Segmented:
    """All methods on one category; `shapes` gives those of a split under a reading, None where there are none.

    Besides the protocols and the neutral sentence under other readings there are two baselines: parts at random, and
    the part that most evaluated points have, for all of them.
    """
    base, *variants = readings(config).items()
    test, train, val = (shapes(split, base[1]) for split in ("test", "train", "val"))
    predicted, chosen, seconds = {}, {}, {}
    run = protocols(test, train, val, sentences, config, logit_scale=logit_scale)
    choices: dict[str, Choice] = {}
    for name, protocol in run.items():
        begun = time.perf_counter()
        choices[name] = protocol()
        seconds[name] = time.perf_counter() - begun
        predicted[name] = test.predict(choices[name].text, view_weights=choices[name].view_weights)
        chosen[name] = choices[name].document
    neutral = choices[NEUTRAL]
    for name, reading in variants:
        predicted[name] = shapes("test", reading).predict(neutral.text, view_weights=neutral.view_weights)
    predicted["chance"] = np.random.default_rng(0).integers(0, len(test.parts), test.truth.shape)
    predicted["largest_part"] = np.full_like(test.truth, np.bincount(test.truth.ravel()).argmax())
    return Segmented(predicted, chosen, seconds, test.truth, test.parts, test.unseen)


def whole_split(
    by_category: dict[str, Segmented], labels: np.ndarray, *, classes: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Per method the parts u1 [N, P] of all shapes of a split, whose categories are `labels` [N] into `classes`."""
    first = next(iter(by_category.values()))
    whole = {name: np.zeros((len(labels), first.truth.shape[1]), np.uint8) for name in first.predicted}
    for category, found in by_category.items():
        for name, parts in found.predicted.items():
            whole[name][labels == classes.index(category)] = parts
    return whole


def judge(by_category: dict[str, Segmented], *, mode: str) -> dict:
    """Figures in percent of every method: means over shapes (instance) and categories (class), and of each category.

    `leakage` is what the oracle's instance mIoU has over the honest search's.
    """
    methods = next(iter(by_category.values())).predicted
    scores = {
        method: {
            category: score(found.predicted[method], found.truth, parts=len(found.parts))
            for category, found in by_category.items()
        }
        for method in methods
    }
    figures = {method: summarise(found) | {"categories": _each(found)} for method, found in scores.items()}
    shapes = {category: len(found.truth) for category, found in by_category.items()}
    unseen = np.average([found.unseen for found in by_category.values()], weights=list(shapes.values()))
    return {
        "task": "segmentation",
        "mode": mode,
        "samples": sum(shapes.values()),
        "shapes": shapes,
        "unseen_points": percent(unseen),
        "leakage": round(figures["search_test"]["instance_miou"] - figures["search_train"]["instance_miou"], 2),
        **figures,
    }


def _each(by_category: dict[str, Scores]) -> dict[str, dict[str, float]]:
    return {
        category: {"accuracy": percent(found.accuracy.mean()), "iou": percent(found.iou.mean())}
        for category, found in by_category.items()
    }
