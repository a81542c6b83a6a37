"""Patches and sentences -> parts of points and figures: `python -m stages.segment <dataset> <backbone>`.

Reads test labels only to score them, and for the upper bound `search_test`. The image tower is not run.
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages.artifacts.files import read_text, write_json
from stages.artifacts.metrics import write_metrics
from stages.artifacts.patches import read_patches
from stages.artifacts.paths import Paths
from stages.artifacts.points import PointsReader, open_points
from stages.artifacts.segments import write_segments
from stages.artifacts.sentences import read_sentences
from stages.artifacts.types import Clouds, SentenceTable
from stages.backbones.device import choose_device
from stages.backbones.loading import load_backbone
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.language.prompts.parts import fill_parts, parse_part_templates
from stages.language.prompts.published import searched_set
from stages.segmentation.as_published import PublishedChoice, not_run, published_names, sets_needed
from stages.segmentation.evaluation import choices, score_methods, segment_category, segmentation_metrics, whole_split
from stages.segmentation.part_prompts import PartPrompts, PartSentences
from stages.segmentation.patch_config import PatchConfig
from stages.segmentation.protocols import NEUTRAL
from stages.segmentation.shapes import Shapes

SPLIT, NO_SET = "test", "params.yaml: segment names it, and it is no set of generate.sets"
PartNames = dict[str, tuple[str, ...]]  # category -> names of its parts


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Run every protocol on every category; write the predicted parts, what was chosen, and the figures."""
    params, paths = params or load_params(root), Paths(root)
    config = params.segment
    with open_points(paths.points(dataset)) as points:
        part_names, labels = points.require_parts(), points.labels(SPLIT)
        parts = {points.classes[label]: part_names[label] for label in np.unique(labels)}
        generated, searched = read_sentences(paths.sentences(dataset)), searched_set(backbone)
        missing = not_run(config, generated.sets, searched=searched)
        published = [name for name in published_names(config) if name not in missing]
        sets = (*config.protocols.values(), *config.candidates, *sets_needed(published, searched=searched))
        sentences = _sentences(parts, generated, dict.fromkeys(sets), config.neutral, paths)
        by_set = [by_part for sets in sentences.values() for by_part in sets.values()]
        texts = [text for by_part in by_set for of_part in by_part.values() for text in of_part]
        model = load_backbone(backbone, params.backbone_entry(backbone), device=choose_device(config.device), root=root)
        features = dict(zip(texts, model.encode_text(texts, batch_size=config.batch_size), strict=True))
        results = {
            category: segment_category(
                partial(_shapes, points, partial(read_patches, paths.patches(dataset, backbone), category), names),
                PartPrompts(sentences[category], features, category=category, parts=names),
                config,
                logit_scale=model.logit_scale,
                published=PublishedChoice.of(generated, searched, category) if published else None,
                published_names=published,
            )
            for category, names in tqdm(parts.items(), unit="category", desc="segment", disable=None)
        }
        scores = score_methods(results)
        write_segments(
            paths.segments(dataset, backbone),
            *whole_split(results, scores, labels, classes=points.classes),
            classes=points.classes,
            split=SPLIT,
            part_names=part_names,
        )
    write_json(paths.search(dataset, backbone), choices(results))
    metrics = segmentation_metrics(results, scores, config=config, not_run=missing)
    write_metrics(paths.metrics(dataset, backbone), metrics)


def _sentences(
    parts: PartNames, generated: SentenceTable, sets: Iterable[str], neutral: str, paths: Paths
) -> dict[str, PartSentences]:
    """Category -> prompt set -> part -> sentences: a language model's where it wrote the set, else a template's."""
    template = parse_part_templates(neutral, source="params.yaml: segment.neutral")
    sentences = {
        category: {NEUTRAL: fill_parts(template, category=category, parts=names)} for category, names in parts.items()
    }
    for prompt_set in sets:
        path = paths.templates(prompt_set)
        known = prompt_set in generated.sets
        templates = None if known else parse_part_templates(read_text(path, hint=NO_SET), source=str(path))
        for category, names in parts.items():
            sentences[category][prompt_set] = (
                fill_parts(templates, category=category, parts=names)
                if templates
                else {part: generated.of(prompt_set, category, part=part) for part in names}
            )
    return sentences


def _shapes(points: PointsReader, read: Callable, parts: tuple, split: str, config: PatchConfig) -> Shapes | None:
    """The stored shapes of one category's split under a PatchConfig; None where it has none."""
    patches = read(split)
    if patches is None:
        return None
    rows = patches.rows
    clouds = Clouds(points.points(split, rows), points.labels(split)[rows], points.parts(split, rows))
    return Shapes.from_patches(patches, clouds, parts=parts, config=config)


if __name__ == "__main__":
    run_stage(main)
