"""What the protocols score on the evaluated shapes, category by category, and the figures over all of them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from stages.config.segment import Segment
from stages.core.errors import InputError
from stages.segmentation.part_prompts import PartPrompts
from stages.segmentation.patch_config import PatchConfig, variants
from stages.segmentation.protocols import NEUTRAL, ProtocolInputs, protocols
from stages.segmentation.scores import Scores, percent, score, summarise
from stages.segmentation.shapes import Shapes

BASELINES = ("chance", "largest_part")
ShapesOf = Callable[[str, PatchConfig], Shapes | None]


class CategoryResult(NamedTuple):
    """One category under all methods: predicted parts [N, P], what the protocols chose, and the labels."""

    predicted: dict[str, np.ndarray]
    chosen: dict[str, dict]
    truth: np.ndarray
    parts: tuple[str, ...]
    unseen: float


def segment_category(
    shapes_of: ShapesOf, prompts: PartPrompts, config: Segment, *, logit_scale: float
) -> CategoryResult:
    """All methods on one category; `shapes_of` gives the shapes of a split under a PatchConfig, None without any.

    Besides the protocols there are the neutral sentence under other PatchConfigs and two baselines: parts at random,
    and the most frequent part of the evaluated points for all of them.
    """
    variants_by_name = {f"{NEUTRAL}_{name}": variant for name, variant in variants(config).items()}
    by_name = protocols(config)
    _check_names(config, reserved=(*variants_by_name, *BASELINES))
    test, train, val = (shapes_of(split, PatchConfig.from_params(config)) for split in ("test", "train", "val"))
    inputs = ProtocolInputs(test, train, val, prompts, config, logit_scale)
    results = {name: protocol(inputs) for name, protocol in by_name.items()}
    predicted = {name: test.predict(result.text, view_weights=result.view_weights) for name, result in results.items()}
    neutral = results[NEUTRAL]
    for name, variant in variants_by_name.items():
        predicted[name] = shapes_of("test", variant).predict(neutral.text, view_weights=neutral.view_weights)
    predicted["chance"] = np.random.default_rng(0).integers(0, len(test.parts), test.truth.shape)
    predicted["largest_part"] = np.full_like(test.truth, np.bincount(test.truth.ravel()).argmax())
    chosen = {name: result.document for name, result in results.items()}
    return CategoryResult(predicted, chosen, test.truth, test.parts, test.unseen)


def _check_names(config: Segment, *, reserved: tuple[str, ...]) -> None:
    for name in config.protocols:
        if name in reserved:
            raise InputError(f"params.yaml: segment.protocols.{name}: expected another name than {', '.join(reserved)}")


def whole_split(
    by_category: dict[str, CategoryResult], labels: np.ndarray, *, classes: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Per method the parts u1 [N, P] of all shapes of a split, whose categories are `labels` [N] into `classes`."""
    first = next(iter(by_category.values()))
    whole = {name: np.zeros((len(labels), first.truth.shape[1]), np.uint8) for name in first.predicted}
    for category, found in by_category.items():
        for name, parts in found.predicted.items():
            whole[name][labels == classes.index(category)] = parts
    return whole


def evaluate(by_category: dict[str, CategoryResult], *, mode: str) -> dict:
    """Figures in percent of every method: means over shapes (instance) and categories (class), and of each category.

    `leakage` is the instance mIoU of `search_test` less that of `search_train`.
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
