"""Patches and sentences -> parts of points and figures: `python -m stages.segment <dataset> <backbone>`.

Reads test labels only to score them, and for the oracle `search_test`. The image tower is not run.
"""

from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages.artifacts.files import read_text, write_json
from stages.artifacts.patches import read_patches
from stages.artifacts.paths import Paths
from stages.artifacts.points import PointsReader, open_points
from stages.artifacts.segments import write_segments
from stages.artifacts.sentences import read_sentences
from stages.artifacts.types import Clouds, SentenceTable
from stages.backbones.clip import choose_device
from stages.backbones.loading import load_backbone
from stages.config.params import Params, load_params
from stages.config.segment import Segment
from stages.core.cli import run_stage
from stages.core.errors import InputError
from stages.language.prompts.parts import fill_parts, parse_part_templates
from stages.segmentation.evaluation import judge, segment, whole_split
from stages.segmentation.protocols import NEUTRAL, Sentences
from stages.segmentation.shapes import Reading, Shapes

SPLIT = "test"


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Run every protocol on every category; write the predicted parts, what was chosen and figures."""
    params, paths = params or load_params(root), Paths(root)
    config, source = params.segment, paths.points(dataset)
    with open_points(source) as points:
        if points.part_names is None:
            raise InputError(
                f"{source}: no parts, expected a dataset with part labels (params.yaml: select.segmentation)"
            )
        labels = points.labels(SPLIT)
        parts = {points.classes[label]: points.part_names[label] for label in np.unique(labels)}
        written = read_sentences(paths.sentences(dataset))
        wording = {category: _wording(category, names, written, config, paths) for category, names in parts.items()}
        texts = [text for sets in wording.values() for one in sets.values() for some in one.values() for text in some]
        model = load_backbone(backbone, params.backbone_entry(backbone), device=choose_device(config.device), root=root)
        features = dict(zip(texts, model.encode_text(texts, batch_size=config.batch_size), strict=True))
        found = {
            category: segment(
                partial(_shapes, points, paths.patches(dataset, backbone, category), names),
                Sentences(wording[category], features, category=category, parts=names),
                config,
                logit_scale=model.logit_scale,
            )
            for category, names in tqdm(parts.items(), unit="category", desc="segment", disable=None)
        }
        write_segments(
            paths.segments(dataset, backbone),
            whole_split(found, labels, classes=points.classes),
            classes=points.classes,
            split=SPLIT,
            part_names=points.part_names,
        )
    protocols = next(iter(found.values())).chosen
    chosen = {name: {category: one.chosen[name] for category, one in found.items()} for name in protocols}
    write_json(paths.search(dataset, backbone), chosen)
    write_json(paths.metrics(dataset, backbone), judge(found, mode=config.mode))


def _wording(
    category: str, parts: tuple[str, ...], written: SentenceTable, config: Segment, paths: Paths
) -> dict[str, dict[str, list[str]]]:
    """Prompt set -> part -> sentences of one category: a language model's where it wrote the set, else a template's."""
    neutral = parse_part_templates(config.neutral, source="params.yaml: segment.neutral")
    wording = {NEUTRAL: fill_parts(neutral, category=category, parts=parts)}
    for name in {*config.protocols.values(), *config.candidates}:
        if name in written.sets:
            wording[name] = {part: written.of(name, category, part=part) for part in parts}
            continue
        path = paths.templates(name)
        text = read_text(path, hint="params.yaml: segment names it, and it is no set of generate.sets")
        templates = parse_part_templates(text, source=str(path))
        wording[name] = fill_parts(templates, category=category, parts=parts)
    return wording


def _shapes(points: PointsReader, path: Path, parts: tuple[str, ...], split: str, reading: Reading) -> Shapes | None:
    """The cached shapes of one category's split under a reading."""
    patches = read_patches(path, split)
    if patches is None:
        return None
    rows = patches.rows
    clouds = Clouds(points.points(split, rows), points.labels(split)[rows], points.parts(split, rows))
    return Shapes.of(patches, clouds, parts=parts, reading=reading)


if __name__ == "__main__":
    run_stage(main)
