"""The part of every point of an object of one's own."""

from collections.abc import Sequence

import numpy as np

from stages.backbones.clip import ClipModel
from stages.config.params import Params
from stages.language.prompts.parts import fill_parts, parse_part_templates
from stages.own.inputs import Cloud
from stages.own.results import Axis
from stages.projection.clouds import orient
from stages.projection.presets import preset_named
from stages.segmentation.inference import segment_cloud
from stages.segmentation.patch_config import PatchConfig


def part_sentences(parts: Sequence[str], *, category: str, neutral: str) -> dict[str, list[str]]:
    """A sentence a part: `neutral`, from which the stage `segment` starts, or "a {part}" of nothing in particular."""
    templates = parse_part_templates(neutral if category else "a {part}", source="params.yaml: segment.neutral")
    return fill_parts(templates, category=category, parts=parts)


def label_points(
    cloud: Cloud, text: np.ndarray, *, parts: Sequence[str], up: Axis, model: ClipModel, params: Params
) -> np.ndarray:
    """Parts i8 [P] of a cloud by text features [K, D]."""
    config = params.patches
    return segment_cloud(
        orient(cloud.points, up),
        lambda depth: model.encode_patches(depth, batch_size=config.batch_size, resolution=config.resolution),
        text,
        projection=preset_named(config.preset, key="patches.preset"),
        parts=parts,
        config=PatchConfig.from_params(params.segment),
        regions=params.segment.regions,
        source=cloud.source,
    )
