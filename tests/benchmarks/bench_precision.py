"""What a tower's precision changes: cosine of features and changed predictions against fp32, for each choice.

    python tests/benchmarks/bench_precision.py [--dataset home_objects] [--backbone bundled] [--device auto]

Depth maps of the test split and a sentence for every class go through both towers in each precision; logits are fp32.
The dataset must be one that its reader finds here. TF32 is CUDA's alone; on other devices it is left out.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from stages.backbones.clip import ClipModel
from stages.backbones.device import choose_device
from stages.backbones.loading import load_backbone
from stages.config.params import Params, load_params
from stages.datasets.registry import read
from stages.language.prompts.templates import display_name
from stages.projection.clouds import orient
from stages.projection.rendering import render
from stages.projection.settings import resolve
from stages.zeroshot.classifier import class_logits

ROOT = Path(__file__).parents[2]


def maps_of_test_split(dataset: str, params: Params, samples: int | None) -> tuple[np.ndarray, list[str]]:
    """Depth maps f4 [N, V, R, R] of the test split and a sentence for every class."""
    content = read(dataset, params.dataset_entry(dataset), root=ROOT)
    clouds = orient(content.splits["test"].points[:samples], content.up_axis)
    shown = params.dataset_entry(dataset).display_names
    names = [display_name(shown.get(name, name)) for name in content.classes]
    return render(clouds, resolve(params.render), source=dataset), [f"a depth map of a {name}." for name in names]


def encoded(model: ClipModel, depth: np.ndarray, sentences: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of maps and of sentences, and the class of every sample."""
    features = model.encode_depth(depth, batch_size=256)
    text = model.encode_text(sentences, batch_size=64)
    equal = np.full(features.shape[1], 1 / features.shape[1], np.float32)
    logits = class_logits(features, text, view_weights=equal, logit_scale=model.logit_scale)
    return features, text, logits.argmax(1)


def compared(found: tuple[np.ndarray, ...], exact: tuple[np.ndarray, ...]) -> str:
    """Lowest and mean cosine of maps and of sentences, and how many predictions are others."""
    cosines = [(ours * theirs).sum(-1, dtype=np.float64) for ours, theirs in zip(found[:2], exact[:2], strict=True)]
    images, texts = (f"{cosine.min():.6f} (mean {cosine.mean():.6f})" for cosine in cosines)
    changed = int((found[2] != exact[2]).sum())
    return f"cosine of maps {images}, of sentences {texts}, {changed} of {len(found[2])} predictions changed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="home_objects")
    parser.add_argument("--backbone", default="bundled")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--samples", type=int, help="of the test split; all by default")
    given = parser.parse_args()
    params, device = load_params(ROOT), choose_device(given.device)
    depth, sentences = maps_of_test_split(given.dataset, params, given.samples)
    exact = None
    for precision in ("fp32", "tf32", "bf16") if device.type == "cuda" else ("fp32", "bf16"):
        entry = dataclasses.replace(params.backbone_entry(given.backbone), precision=precision)
        found = encoded(load_backbone(given.backbone, entry, device=device, root=ROOT), depth, sentences)
        exact = exact or found
        print(f"{precision} on {device.type}: {compared(found, exact)}", flush=True)


if __name__ == "__main__":
    main()
