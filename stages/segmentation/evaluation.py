"""What the protocols score on the evaluated shapes, category by category, and the figures over all of them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from stages.artifacts.figures import (
    CategoryFigures,
    Change,
    LabelsRead,
    RefinementFigures,
    SegmentationFigures,
    SegmentationMetrics,
)
from stages.config.segment import Segment
from stages.core.errors import InputError
from stages.segmentation import as_published
from stages.segmentation.as_published import PublishedChoice
from stages.segmentation.part_prompts import PartPrompts
from stages.segmentation.patch_config import PatchConfig, variants
from stages.segmentation.protocols import NEUTRAL, PartResult, ProtocolInputs, protocols
from stages.segmentation.regions import ORACLE, PLAIN, REFINEMENT, ShapeRegions
from stages.segmentation.scores import Scores, percent, score, summarise
from stages.segmentation.shapes import Shapes
from stages.zeroshot.metrics import bootstrap_interval

BASELINES: dict[str, LabelsRead] = {"chance": "none", "largest_part": "test"}
READ_MORE = ("none", "train", "test")  # from the least to the most
ShapesOf = Callable[[str, PatchConfig], Shapes | None]


class CategoryResult(NamedTuple):
    """One category: predicted parts [N, P] by method, whose labels each has read, what the protocols chose; the labels.

    `refined` are the neutral sentence's parts by what refines its scores and to which value. `unseen` is the share of
    points that no view sees.
    """

    predicted: dict[str, np.ndarray]
    refined: dict[str, dict[str, np.ndarray]]
    labels_read: dict[str, LabelsRead]
    chosen: dict[str, dict]
    truth: np.ndarray
    parts: tuple[str, ...]
    unseen: float


def segment_category(
    shapes_of: ShapesOf,
    prompts: PartPrompts,
    config: Segment,
    *,
    logit_scale: float,
    published: PublishedChoice | None = None,
    published_names: Sequence[str] = (),
) -> CategoryResult:
    """All methods on one category; `shapes_of` gives the shapes of a split under a PatchConfig, None without any.

    Besides the protocols there are the neutral sentence under other PatchConfigs and by regions, those of
    `published_names`, which start at the `published` choice, and two baselines: parts at random, and the most frequent
    part of the evaluated points for all of them. With `regions.refine` the scores of all protocols are averaged over
    regions once the protocols have chosen.
    """
    regions, others = config.regions, variants(config)
    by_regions = f"{NEUTRAL}_{'without_regions' if regions.refine else 'regions'}"
    names = tuple(f"{NEUTRAL}_{name}" for name in others)
    by_name = protocols(config)
    _check_names(config, reserved=(*names, by_regions, *BASELINES, *as_published.published_names(config)))
    test, train, val = (shapes_of(split, PatchConfig.from_params(config)) for split in ("test", "train", "val"))
    inputs = ProtocolInputs(test, train, val, prompts, config, logit_scale)
    results = {name: protocol(inputs) for name, protocol in by_name.items()}
    neutral = results[NEUTRAL]
    logits = {name: _logits(test, result) for name, result in results.items()}
    for name, variant in zip(names, others.values(), strict=True):
        logits[name] = _logits(shapes_of("test", variant), neutral)
    cuts = ShapeRegions.of(test.points, regions)
    predicted = {
        name: (cuts.average(found) if regions.refine else found).argmax(axis=-1) for name, found in logits.items()
    }
    predicted[by_regions] = (logits[NEUTRAL] if regions.refine else cuts.average(logits[NEUTRAL])).argmax(axis=-1)
    plain, over_neighbours = (
        (logits[f"{NEUTRAL}_unrefined"], logits[NEUTRAL])
        if config.refine
        else (logits[NEUTRAL], logits[f"{NEUTRAL}_refined"])
    )
    refined = cuts.compare(plain, over_neighbours, test.truth)
    as_test = partial(shapes_of, "test")
    found = as_published.segment_as_published(as_test, prompts, published, published_names) if published else {}
    predicted |= {name: one.predicted for name, one in found.items()}
    predicted["chance"] = np.random.default_rng(0).integers(0, len(test.parts), test.truth.shape)
    predicted["largest_part"] = np.full_like(test.truth, np.bincount(test.truth.ravel()).argmax())
    chosen = {name: result.document for name, result in (results | found).items()}
    read = dict.fromkeys(predicted, "none") | {name: found["labels_read"] for name, found in chosen.items()} | BASELINES
    return CategoryResult(predicted, refined, read, chosen, test.truth, test.parts, test.unseen)


def _logits(shapes: Shapes, result: PartResult) -> np.ndarray:
    return shapes.logits(result.text, view_weights=result.view_weights)


def _check_names(config: Segment, *, reserved: tuple[str, ...]) -> None:
    for name in config.protocols:
        if name in reserved:
            raise InputError(f"params.yaml: segment.protocols.{name}: expected another name than {', '.join(reserved)}")


def whole_split(
    by_category: Mapping[str, CategoryResult],
    scores: Mapping[str, Mapping[str, Scores]],
    labels: np.ndarray,
    *,
    classes: tuple[str, ...],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """By method the parts u1 [N, P] and the IoU f4 [N] of all shapes of a split, of categories `labels` [N].

    `scores` are those of `score_methods`; `classes` are what the labels count.
    """
    first = next(iter(by_category.values()))
    predicted = {name: np.zeros((len(labels), first.truth.shape[1]), np.uint8) for name in first.predicted}
    iou = {name: np.zeros(len(labels), np.float32) for name in first.predicted}
    for category, found in by_category.items():
        rows = labels == classes.index(category)
        for name, parts in found.predicted.items():
            predicted[name][rows], iou[name][rows] = parts, scores[category][name].iou
    return predicted, iou


def choices(by_category: Mapping[str, CategoryResult]) -> dict[str, dict[str, dict]]:
    """What every protocol chose, by protocol and category."""
    names = next(iter(by_category.values())).chosen
    return {name: {category: found.chosen[name] for category, found in by_category.items()} for name in names}


def score_methods(by_category: Mapping[str, CategoryResult]) -> dict[str, dict[str, Scores]]:
    """Scores of every category's shapes, by category and method."""
    return {
        category: {
            method: score(parts, found.truth, parts=len(found.parts)) for method, parts in found.predicted.items()
        }
        for category, found in by_category.items()
    }


def segmentation_metrics(
    by_category: Mapping[str, CategoryResult],
    scores: Mapping[str, Mapping[str, Scores]],
    *,
    config: Segment,
    not_run: Mapping[str, str],
) -> SegmentationMetrics:
    """Figures in percent of every method: means over shapes (instance) and categories (class), and of each category.

    `scores` are those of `score_methods`; `leakage` is what the instance mIoU of the search on test labels has over
    that of the search on train labels. A method has read the labels that it read for any category.
    """
    figures = {}
    for method in next(iter(by_category.values())).predicted:
        of_method = {category: methods[method] for category, methods in scores.items()}
        read = max((found.labels_read[method] for found in by_category.values()), key=READ_MORE.index)
        figures[method] = SegmentationFigures(
            labels_read=read, **summarise(of_method), categories=_category_figures(of_method)
        )
    shapes = {category: len(found.truth) for category, found in by_category.items()}
    unseen = np.average([found.unseen for found in by_category.values()], weights=list(shapes.values()))
    return SegmentationMetrics(
        mode=config.mode,
        samples=sum(shapes.values()),
        shapes=shapes,
        unseen_points=percent(unseen),
        leakage=round(figures["search_test"].instance_miou - figures["search_train"].instance_miou, 2),
        protocols=figures,
        refinements=_refinement_figures(by_category, config),
        not_run=dict(not_run),
    )


def _refinement_figures(
    by_category: Mapping[str, CategoryResult], config: Segment
) -> dict[str, dict[str, RefinementFigures]]:
    """Figures of the neutral sentence by what refines its scores and to which value, against the plain ones."""
    values = {what: list(of) for what, of in next(iter(by_category.values())).refined.items()}
    scores = {
        (what, value): {
            category: score(found.refined[what][value], found.truth, parts=len(found.parts))
            for category, found in by_category.items()
        }
        for what, of in values.items()
        for value in of
    }
    iou = {key: np.concatenate([one.iou for one in of.values()]) for key, of in scores.items()}
    figures = {what: {} for what in values}
    for (what, value), of in scores.items():
        gained = iou[what, value] - iou[REFINEMENT, PLAIN]
        low, high = bootstrap_interval(gained, samples=config.bootstrap_samples, seed=config.bootstrap_seed)
        figures[what][value] = RefinementFigures(
            labels_read="test" if what == ORACLE else "none",
            change=Change(difference=percent(gained.mean()), low=percent(low), high=percent(high)),
            **summarise(of),
        )
    return figures


def _category_figures(by_category: Mapping[str, Scores]) -> dict[str, CategoryFigures]:
    return {
        category: CategoryFigures(accuracy=percent(found.accuracy.mean()), iou=percent(found.iou.mean()))
        for category, found in by_category.items()
    }
