"""What the command `classify` does with a model: a cloud's best labels, or the shares of its parts."""

import argparse
from pathlib import Path

import numpy as np

from stages.artifacts.files import read_text, write_bytes
from stages.artifacts.paths import Paths
from stages.backbones.clip import ClipModel
from stages.backbones.device import choose_device
from stages.backbones.loading import load_backbone
from stages.commands.answers import Shares, Tell
from stages.config.params import Params
from stages.core.text import ensemble, warn_of_unknown_words
from stages.language.prompts.parts import fill_parts, parse_part_templates
from stages.language.prompts.templates import display_name, fill, parse_templates
from stages.projection.clouds import orient
from stages.projection.presets import preset_named
from stages.projection.rendering import render
from stages.projection.settings import resolve
from stages.reporting.colours import part_colours
from stages.segmentation.inference import coloured_ply, segment_cloud
from stages.segmentation.patch_config import PatchConfig
from stages.zeroshot.classifier import class_logits, rank_classes

TOP = 5


def load_teller(
    names: list[str], asked: argparse.Namespace, params: Params, *, backbone: str, root: Path, depth: dict
) -> Tell:
    """A function that tells the `names` (labels or parts) of a file's cloud; its depth maps go into `depth`."""
    entry = params.backbone_entry(backbone)
    model = load_backbone(backbone, entry, device=choose_device(params.extract.device), root=root)
    warn_of_unknown_words(model.unknown_words(map(display_name, (*names, asked.category or ""))), backbone=backbone)
    return (_part_teller if asked.part else _classifier)(names, model, params, asked, root, depth)


def _classifier(labels: list[str], model: ClipModel, params: Params, asked, root: Path, shown: dict) -> Tell:
    """Gives a cloud's best labels with their probabilities; its depth maps are put into `shown`."""
    projection = resolve(params.render)
    path = Paths(root).templates(asked.templates)
    sentences = parse_templates(
        read_text(path, hint="expected a file of prompts/templates (--templates)"), source=str(path)
    )
    text = _averages({label: fill(sentences, label) for label in labels}, model, params)
    views = np.full(len(projection.view_names), 1 / len(projection.view_names))

    def tell(file: Path, cloud: np.ndarray) -> Shares:
        shown[file] = render([orient(cloud, asked.up)], projection, source=str(file))
        features = model.encode_depth(shown[file], batch_size=params.extract.batch_size)
        logits = class_logits(features, text, view_weights=views, logit_scale=model.logit_scale)
        [ranked], [scores] = rank_classes(logits, top=TOP)
        return [(labels[label], float(score)) for label, score in zip(ranked, scores, strict=True)]

    return tell


def _part_teller(parts: list[str], model: ClipModel, params: Params, asked, root: Path, shown: dict) -> Tell:
    """Gives the share of a cloud's points that each part has, by the sentence that `segment` starts from."""
    config, sentence = params.patches, params.segment.neutral if asked.category else "a {part}"
    templates = parse_part_templates(sentence, source="params.yaml: segment.neutral")
    text = _averages(fill_parts(templates, category=asked.category or "", parts=parts), model, params)

    def tell(file: Path, cloud: np.ndarray) -> Shares:
        labels = segment_cloud(
            orient(cloud, asked.up),
            lambda depth: model.encode_patches(depth, batch_size=config.batch_size, resolution=config.resolution),
            text,
            projection=preset_named(config.preset, key="patches.preset"),
            parts=parts,
            config=PatchConfig.from_params(params.segment),
            source=str(file),
        )
        if asked.ply:
            write_bytes(asked.ply, coloured_ply(cloud, part_colours(labels)))
        return [(part, float(np.mean(labels == index))) for index, part in enumerate(parts)]

    return tell


def _averages(texts: dict[str, list[str]], model: ClipModel, params: Params) -> np.ndarray:
    """One feature a name f4 [K, D]: the mean over its sentences, of which all have as many, normalised."""
    sentences = [sentence for of_name in texts.values() for sentence in of_name]
    features = model.encode_text(sentences, batch_size=params.embed.batch_size)
    return ensemble(features, np.arange(len(features)).reshape(len(texts), -1))
