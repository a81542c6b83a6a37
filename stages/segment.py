"""Patches and sentences -> parts of points and figures: `python -m stages.segment <dataset> <backbone>`.

Reads test labels only to score them, and for the oracle `search_test`. The image tower is not run.
"""

from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages import artifacts, settings
from stages.backbones import choose_device, load
from stages.errors import InputError, run_stage
from stages.language import fill_parts, parse_part_templates
from stages.segmentation import Reading, Sentences, Shapes, judge, segment, whole_split
from stages.segmentation.protocols import NEUTRAL

TEMPLATES = Path("prompts/templates")
SPLIT = "test"


def main(dataset: str, backbone: str) -> None:
    """Run every protocol on every category; write the predicted parts, what was chosen, figures and seconds."""
    params = settings.load()
    config, source = params.segment, artifacts.points_path(dataset)
    with artifacts.open_points(source) as points:
        if points.part_names is None:
            raise InputError(
                f"{source}: no parts, expected a dataset with part labels (params.yaml: select.segmentation)"
            )
        labels = points.labels(SPLIT)
        parts = {points.classes[label]: points.part_names[label] for label in np.unique(labels)}
        written = artifacts.read_sentences(artifacts.sentences_path(dataset))
        wording = {category: _wording(category, names, written, config) for category, names in parts.items()}
        texts = [text for sets in wording.values() for one in sets.values() for some in one.values() for text in some]
        model = load(backbone, params.backbone_entry(backbone), device=choose_device(config.device))
        features = dict(zip(texts, model.encode_text(texts, batch_size=config.batch_size), strict=True))
        found = {
            category: segment(
                partial(_shapes, points, artifacts.patches_path(dataset, backbone, category), names),
                Sentences(wording[category], features, category=category, parts=names),
                config,
                logit_scale=model.logit_scale,
            )
            for category, names in tqdm(parts.items(), unit="category", desc="segment", disable=None)
        }
        artifacts.write_segments(
            artifacts.segments_path(dataset, backbone),
            whole_split(found, labels, classes=points.classes),
            classes=points.classes,
            split=SPLIT,
            part_names=points.part_names,
        )
    protocols = next(iter(found.values())).chosen
    chosen = {name: {category: one.chosen[name] for category, one in found.items()} for name in protocols}
    seconds = {name: round(sum(one.seconds[name] for one in found.values()), 3) for name in protocols}
    artifacts.write_json(artifacts.search_path(dataset, backbone), chosen)
    artifacts.write_json(artifacts.metrics_path(dataset, backbone), judge(found, mode=config.mode))
    artifacts.write_json(artifacts.seconds_path(dataset, backbone), seconds)


def _wording(
    category: str, parts: tuple[str, ...], written: artifacts.Wording, config: settings.Segment
) -> dict[str, dict[str, list[str]]]:
    """Prompt set -> part -> sentences of one category: a language model's where it wrote the set, else a template's."""
    neutral = parse_part_templates(config.neutral, source="params.yaml: segment.neutral")
    wording = {NEUTRAL: fill_parts(neutral, category=category, parts=parts)}
    for name in {*config.protocols.values(), *config.candidates}:
        if name in written.sets:
            wording[name] = {part: written.of(name, category, part=part) for part in parts}
            continue
        path = TEMPLATES / f"{name}.txt"
        if not path.is_file():
            raise InputError(f"{path}: no such file, and no such set in generate.sets (params.yaml: segment)")
        templates = parse_part_templates(artifacts.read_text(path), source=str(path))
        wording[name] = fill_parts(templates, category=category, parts=parts)
    return wording


def _shapes(
    points: artifacts.PointsReader, path: Path, parts: tuple[str, ...], split: str, reading: Reading
) -> Shapes | None:
    """The cached shapes of one category's split under a reading."""
    patches = artifacts.read_patches(path, split)
    if patches is None:
        return None
    rows = patches.rows
    clouds = artifacts.Clouds(points.points(split, rows), points.labels(split)[rows], points.parts(split, rows))
    return Shapes.of(patches, clouds, parts=parts, reading=reading)


if __name__ == "__main__":
    run_stage(main)
