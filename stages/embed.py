"""Prompts for the classes of one dataset -> text features: `python -m stages.embed <dataset> <backbone>`."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.artifacts.files import read_text
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points
from stages.artifacts.prompts import write_prompts
from stages.artifacts.sentences import read_sentences
from stages.artifacts.text_cache import read_text_cache, write_text_cache
from stages.artifacts.types import Prompts, SentenceTable
from stages.backbones.clip import ClipModel
from stages.backbones.device import choose_device
from stages.backbones.loading import load_backbone
from stages.backbones.text_cache import encode_cached
from stages.config.embed import Embed
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.errors import InputError
from stages.core.text import warn_of_unknown_words
from stages.language.prompts.published import is_imported
from stages.language.prompts.templates import display_name, fill, parse_templates
from stages.language.prompts.waffle import WAFFLE, waffle


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Encode every prompt of every class and write data/features/<dataset>/<backbone>/prompts.parquet."""
    params, paths = params or load_params(root), Paths(root)
    with open_points(paths.points(dataset)) as points:
        classes = points.classes
    shown = params.dataset_entry(dataset).display_names
    wording = read_sentences(paths.sentences(dataset))
    rows = [
        (index, name, prompt_set, text)
        for prompt_set in _available(params.embed.sets, wording, dataset)
        for index, name in enumerate(classes)
        for text in wording.of(prompt_set, name) or _sentences(prompt_set, shown.get(name, name), params.embed, paths)
    ]
    indices, names, sets, texts = zip(*rows, strict=True)
    model = _load(backbone, params, paths)
    unknown = model.unknown_words(display_name(shown.get(name, name)) for name in classes)
    warn_of_unknown_words(unknown, backbone=backbone)
    for line in _cut_lines(sets, texts, model):
        print(line)
    features = _features(texts, backbone, model, params.embed, paths)
    weights = {name: by_class[classes[0]] for name, by_class in wording.view_weights.items() if name in sets}
    prompts = Prompts(np.array(indices), names, sets, texts, features, unknown, weights)
    write_prompts(paths.prompts(dataset, backbone), prompts)


def _available(prompt_sets: Sequence[str], wording: SentenceTable, dataset: str) -> list[str]:
    """The sets that `dataset` has, with a line about PointCLIP V2's that it has not; InputError when none is left."""
    missing = [name for name in prompt_sets if is_imported(name) and name not in wording.sets]
    if len(missing) == len(prompt_sets):
        raise InputError(f"params.yaml: embed.sets: {dataset} has sentences of none of them: {', '.join(missing)}")
    if missing:
        print(f"note: {dataset} has no sentences of {', '.join(missing)}: left out")
    return [name for name in prompt_sets if name not in missing]


def _load(backbone: str, params: Params, paths: Paths) -> ClipModel:
    device = choose_device(params.embed.device)
    return load_backbone(backbone, params.backbone_entry(backbone), device=device, root=paths.root)


def _cut_lines(sets: Sequence[str], texts: Sequence[str], model: ClipModel) -> list[str]:
    """One line a prompt set that has sentences longer than the backbone's text tower reads."""
    total, cut = Counter(sets), Counter()
    cut.update(name for name, is_cut in zip(sets, model.are_cut(texts), strict=True) if is_cut)
    return [
        f"{name}: {count} of {total[name]} sentences are longer than the {model.context_length} tokens that "
        f"{model.name} reads; their ends are cut off"
        for name, count in cut.items()
    ]


def _features(texts: Sequence[str], backbone: str, model: ClipModel, embed: Embed, paths: Paths) -> np.ndarray:
    """Features f4 [T, D] of the sentences, of which only those that no earlier run has seen are encoded."""
    path = paths.text_cache(backbone, model.text_fingerprint(batch_size=embed.batch_size))
    cache = read_text_cache(path)
    known = len(cache)
    features = encode_cached(model, texts, cache=cache, batch_size=embed.batch_size)
    if len(cache) > known:
        write_text_cache(path, cache)
    return features


def _sentences(prompt_set: str, class_name: str, embed: Embed, paths: Paths) -> list[str]:
    """The sentences of one set about one class that no language model wrote: random words, or a template file's."""
    if prompt_set == WAFFLE:
        return waffle(class_name, count=embed.waffle_count, seed=embed.waffle_seed)
    path = paths.templates(prompt_set)
    text = read_text(path, hint="params.yaml: embed.sets names it, and it is no set of generate.sets")
    return fill(parse_templates(text, source=str(path)), class_name)


if __name__ == "__main__":
    run_stage(main)
