"""Prompts for the classes of one dataset -> text features: `python -m stages.embed <dataset> <backbone>`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages import artifacts, settings
from stages.backbones import choose_device, encode_cached, load
from stages.errors import InputError, run_stage
from stages.language import fill, parse_templates, waffle

TEMPLATES = Path("prompts/templates")
WAFFLE = "waffle"


def main(dataset: str, backbone: str) -> None:
    """Encode every prompt of every class and write data/features/<dataset>/<backbone>/prompts.parquet."""
    params = settings.load()
    with artifacts.open_points(artifacts.points_path(dataset)) as points:
        classes = points.classes
    shown = params.dataset_entry(dataset).display_names
    wording = artifacts.read_sentences(artifacts.sentences_path(dataset))
    rows = [
        (index, name, prompt_set, text)
        for prompt_set in params.embed.sets
        for index, name in enumerate(classes)
        for text in wording.of(prompt_set, name) or _sentences(prompt_set, shown.get(name, name), params.embed)
    ]
    indices, names, sets, texts = zip(*rows, strict=True)
    features = _features(texts, backbone, params.backbone_entry(backbone), params.embed)
    artifacts.write_prompts(
        artifacts.prompts_path(dataset, backbone), artifacts.Prompts(np.array(indices), names, sets, texts, features)
    )


def _features(texts: Sequence[str], name: str, entry: settings.Backbone, embed: settings.Embed) -> np.ndarray:
    """Features f4 [T, D] of the sentences, of which only those that no earlier run has seen are encoded."""
    device = choose_device(embed.device)
    model = load(name, entry, device=device, autocast=embed.autocast, compile=embed.compile)
    path = artifacts.text_cache_path(name, model.text_fingerprint(batch_size=embed.batch_size))
    cache = artifacts.read_text_cache(path)
    known = len(cache)
    features = encode_cached(model, texts, cache=cache, batch_size=embed.batch_size)
    if len(cache) > known:
        artifacts.write_text_cache(path, cache)
    return features


def _sentences(prompt_set: str, class_name: str, embed: settings.Embed) -> list[str]:
    """The sentences of one set about one class that no language model wrote: random words, or a template file's."""
    if prompt_set == WAFFLE:
        return waffle(class_name, count=embed.waffle_count, seed=embed.waffle_seed)
    path = TEMPLATES / f"{prompt_set}.txt"
    if not path.is_file():
        raise InputError(f"{path}: no such file, and no such set in generate.sets (params.yaml: embed.sets)")
    return fill(parse_templates(path.read_text(), source=str(path)), class_name)


if __name__ == "__main__":
    run_stage(main)
