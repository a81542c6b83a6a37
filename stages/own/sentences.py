"""Sentences about labels, and the features of sentences about names."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.artifacts.files import read_text
from stages.artifacts.paths import Paths
from stages.backbones.clip import ClipModel
from stages.core.text import ensemble, warn_of_unknown_words
from stages.language.prompts.templates import display_name, fill, parse_templates


def label_templates(templates: str, *, root: Path) -> tuple[str, ...]:
    """The sentence templates of the file `templates` in prompts/templates."""
    path = Paths(root).templates(templates)
    return parse_templates(read_text(path, hint="expected a file of prompts/templates"), source=str(path))


def label_sentences(labels: Sequence[str], *, templates: str, root: Path) -> dict[str, list[str]]:
    """The sentences that the file `templates` of prompts/templates makes of every label."""
    lines = label_templates(templates, root=root)
    return {label: fill(lines, label) for label in labels}


def average_features(
    model: ClipModel, sentences: dict[str, list[str]], *, words: Sequence[str], batch_size: int
) -> np.ndarray:
    """One feature a name f4 [K, D]: the mean over its sentences, of which all have as many, normalised.

    Those of `words` that the backbone has never seen are told on stderr.
    """
    warn_of_unknown_words(model.unknown_words(map(display_name, words)), backbone=model.name)
    features = model.encode_text([text for of_name in sentences.values() for text in of_name], batch_size=batch_size)
    return ensemble(features, np.arange(len(features)).reshape(len(sentences), -1))
