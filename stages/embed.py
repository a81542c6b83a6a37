"""Prompts for the classes of one dataset -> text features: `python -m stages.embed <dataset> <backbone>`."""

from pathlib import Path

import numpy as np

from stages import artifacts, settings
from stages.backbones import choose_device, load
from stages.errors import InputError, run_stage
from stages.language import fill, parse_templates, waffle

TEMPLATES = Path("prompts/templates")
WAFFLE = "waffle"


def main(dataset: str, backbone: str) -> None:
    """Encode every prompt of every class and write data/features/<dataset>/<backbone>/prompts.parquet."""
    params = settings.load()
    with artifacts.open_points(artifacts.points_path(dataset)) as points:
        classes = points.classes
    rows = [
        (index, name, prompt_set, text)
        for prompt_set in params.embed.sets
        for index, name in enumerate(classes)
        for text in _sentences(prompt_set, name, params.embed)
    ]
    indices, names, sets, texts = zip(*rows, strict=True)
    model = load(backbone, params.backbone_entry(backbone), device=choose_device(params.embed.device))
    features = model.encode_text(texts, batch_size=params.embed.batch_size)
    artifacts.write_prompts(
        artifacts.prompts_path(dataset, backbone), artifacts.Prompts(np.array(indices), names, sets, texts, features)
    )


def _sentences(prompt_set: str, class_name: str, embed: settings.Embed) -> list[str]:
    """The sentences of one set about one class."""
    if prompt_set == WAFFLE:
        return waffle(class_name, count=embed.waffle_count, seed=embed.waffle_seed)
    path = TEMPLATES / f"{prompt_set}.txt"
    if not path.is_file():
        raise InputError(f"{path}: no such file (params.yaml: embed.sets)")
    return fill(parse_templates(path.read_text(), source=str(path)), class_name)


if __name__ == "__main__":
    run_stage(main)
