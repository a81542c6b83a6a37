"""The part of every point of an object of one's own."""

from collections.abc import Sequence

import numpy as np

from stages.backbones.clip import ClipModel
from stages.config.params import Params
from stages.language.prompts.parts import fill_parts, parse_part_templates
from stages.own.inputs import Cloud
from stages.own.results import Axis
from stages.own.sentences import average_features
from stages.projection.clouds import orient
from stages.projection.presets import preset_named
from stages.segmentation.inference import segment_cloud
from stages.segmentation.patch_config import PatchConfig


def label_parts(
    cloud: Cloud, parts: Sequence[str], *, category: str | None, up: Axis, model: ClipModel, params: Params
) -> np.ndarray:
    """Parts i8 [P] of a cloud, by the sentence that the stage `segment` starts from, or "a {part}"."""
    config, sentence = params.patches, params.segment.neutral if category else "a {part}"
    templates = parse_part_templates(sentence, source="params.yaml: segment.neutral")
    sentences = fill_parts(templates, category=category or "", parts=parts)
    text = average_features(model, sentences, batch_size=params.embed.batch_size, backbone=model.name)
    return segment_cloud(
        orient(cloud.points, up),
        lambda depth: model.encode_patches(depth, batch_size=config.batch_size, resolution=config.resolution),
        text,
        projection=preset_named(config.preset, key="patches.preset"),
        parts=parts,
        config=PatchConfig.from_params(params.segment),
        source=cloud.source,
    )
