"""What a mesh or cloud of one's own is, or its parts.

    python -m stages.commands.classify chair.obj --labels "chair, floor lamp, cactus"
    python -m stages.commands.classify chair.obj --part "back, seat, leg" --category chair --ply parts.ply

Names may also come one a line from stdin (`--labels -`). Prints the best labels of every file with their scores, or the
share of its points that each part has, and which weights said so.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from stages.artifacts.files import read_text, write_bytes
from stages.artifacts.paths import Paths
from stages.backbones.clip import ClipModel
from stages.backbones.device import choose_device
from stages.backbones.loading import load_backbone
from stages.config.params import Params, load_params
from stages.core.cli import run_command
from stages.core.errors import InputError
from stages.core.root import default_root
from stages.core.text import ensemble
from stages.datasets.objects import read_object
from stages.language.prompts.parts import fill_parts, parse_part_templates
from stages.language.prompts.templates import fill, parse_templates
from stages.projection.clouds import orient
from stages.projection.presets import preset_named
from stages.projection.rendering import render
from stages.projection.settings import resolve
from stages.reporting.colours import part_colours
from stages.reporting.figures import png, sheet_figure
from stages.segmentation.inference import coloured_ply, segment_cloud
from stages.segmentation.patch_config import PatchConfig
from stages.zeroshot.classifier import class_logits, rank_classes

TOP = 5
WITH_PART, WITH_LABELS = ("category", "ply"), ("sheet",)
Clouds = dict[Path, np.ndarray]
Shares = list[tuple[str, float]]


def main(**options) -> None:
    """Classify every file, or tell its parts, and print the result, as lines or as JSON."""
    asked, root = argparse.Namespace(**options), default_root()
    params = load_params(root)
    names = _names(asked)
    backbone = asked.backbone or ("bundled_parts" if asked.part else "bundled")
    entry = params.backbone_entry(backbone)
    clouds = {file: read_object(file, points=asked.points, seed=0) for file in asked.files}
    model = load_backbone(backbone, entry, device=choose_device(params.extract.device), root=root)
    found = (_parts if asked.part else _classes)(clouds, names, model, params, asked, root)
    weights = f"{backbone} ({entry.architecture}, {entry.pretrained})"
    print(_json(found, weights, key="parts" if asked.part else "best") if asked.json else _lines(found, weights))


def _names(asked: argparse.Namespace) -> list[str]:
    """The labels or parts that are asked for; InputError for fewer than two, or for options of the other kind."""
    kind, others, given = ("part", WITH_LABELS, asked.part) if asked.part else ("labels", WITH_PART, asked.labels)
    for option in others:
        if getattr(asked, option):
            raise InputError(f"--{option}: not with --{kind}")
    if asked.ply and (len(asked.files) > 1 or asked.ply.suffix != ".ply"):
        raise InputError(f"--ply {asked.ply}: expected a name that ends in .ply, and one file to colour")
    lines = sys.stdin.read().splitlines() if given == "-" else given.split(",")
    names = list(dict.fromkeys(name.strip() for name in lines if name.strip()))
    if len(names) < 2:
        raise InputError(f"--{kind}: {len(names)} different names, expected at least two")
    return names


def _classes(
    clouds: Clouds, labels: list[str], model: ClipModel, params: Params, asked, root: Path
) -> dict[Path, Shares]:
    """The best labels of every file with their probabilities."""
    projection = resolve(params.render)
    depth = render([orient(cloud, asked.up) for cloud in clouds.values()], projection)
    features = model.encode_depth(depth, batch_size=params.extract.batch_size)
    path = Paths(root).templates(asked.templates)
    sentences = parse_templates(
        read_text(path, hint="expected a file of prompts/templates (--templates)"), source=str(path)
    )
    text = _averages({label: fill(sentences, label) for label in labels}, model, params)
    views = np.full(len(projection.view_names), 1 / len(projection.view_names))
    logits = class_logits(features, text, view_weights=views, logit_scale=model.logit_scale)
    if asked.sheet:
        write_bytes(asked.sheet, png(sheet_figure(depth, [file.name for file in clouds])))
    ranked, scores = rank_classes(logits, top=TOP)
    return {
        file: [(labels[label], float(score)) for label, score in zip(*row, strict=True)]
        for file, *row in zip(clouds, ranked, scores, strict=True)
    }


def _parts(clouds: Clouds, parts: list[str], model: ClipModel, params: Params, asked, root: Path) -> dict[Path, Shares]:
    """The share of every file's points that each part has, by the sentence that `segment` starts from."""
    config, sentence = params.patches, params.segment.neutral if asked.category else "a {part}"
    templates = parse_part_templates(sentence, source="params.yaml: segment.neutral")
    text = _averages(fill_parts(templates, category=asked.category or "", parts=parts), model, params)
    found = {}
    for file, cloud in clouds.items():
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
        found[file] = [(part, float(np.mean(labels == index))) for index, part in enumerate(parts)]
    return found


def _averages(texts: dict[str, list[str]], model: ClipModel, params: Params) -> np.ndarray:
    """One feature a name f4 [K, D]: the mean over its sentences, of which all have as many, normalised."""
    sentences = [sentence for of_name in texts.values() for sentence in of_name]
    features = model.encode_text(sentences, batch_size=params.embed.batch_size)
    return ensemble(features, np.arange(len(features)).reshape(len(texts), -1))


def _json(found: dict[Path, Shares], weights: str, *, key: str) -> str:
    objects = [
        {"file": str(file), key: [[name, round(share, 4)] for name, share in shares]} for file, shares in found.items()
    ]
    return json.dumps({"weights": weights, "objects": objects}, indent=2)


def _lines(found: dict[Path, Shares], weights: str) -> str:
    blocks = [
        "\n".join([str(file), *(f"  {100 * share:5.1f} %  {name}" for name, share in shares)])
        for file, shares in found.items()
    ]
    return "\n".join([*blocks, f"weights: {weights}"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.commands.classify", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="meshes or point clouds")
    names = parser.add_mutually_exclusive_group(required=True)
    names.add_argument("--labels", help="names with commas between, or - to read one a line from stdin")
    names.add_argument("--part", help="names of parts instead, to tell every point's; given as the labels are")
    parser.add_argument("--category", help="what the shape is, for sentences about its parts")
    parser.add_argument("--ply", type=Path, help="PLY to write: the points of the one file, coloured by part")
    parser.add_argument("--up", choices=("x", "y", "z"), default="y", help="axis that points up in the files")
    parser.add_argument("--points", type=int, default=2048, help="points sampled on a mesh, or kept of a cloud")
    parser.add_argument("--backbone", help="entry of params.yaml; bundled, or bundled_parts for parts")
    parser.add_argument("--templates", default="simple", help="file of prompts/templates that describes the labels")
    parser.add_argument("--sheet", type=Path, help="PNG to write: the depth maps of every file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    run_command(main, parser)
