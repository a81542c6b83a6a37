"""What of a `PointClip` goes into a library: how it encodes, and the words that null scores come from."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np

from stages.artifacts.library import Encoding
from stages.config.backbone import Backbone
from stages.own.results import Up
from stages.own.sentences import label_templates
from stages.projection.presets import Projection
from stages.retrieval.background import WORDS


def encoding_of(model, *, up: Up) -> Encoding:
    """How `model`, a `PointClip`, encodes objects whose axis `up` points upward."""
    return Encoding(
        backbone=model.backbone,
        weights=_weights(model._entry, model._root),
        projection=_known_by(model._projection),
        views=model.view_names,
        dimension=model.label_features(WORDS[:1]).shape[1],
        points=model.points,
        seed=0,
        up=up,
        templates=label_templates(model._templates, root=model._root),
    )


def background_features(model) -> np.ndarray:
    """Features f4 [B, D] of those of the background words that the backbone knows."""
    unknown = set(model._clip.unknown_words(WORDS))
    return model.label_features([words for words in WORDS if unknown.isdisjoint(words.split())])


def _weights(entry: Backbone, root: Path) -> dict[str, str]:
    """The entry of the backbone in params.yaml, with the SHA-256 of what is a local file."""
    return {key: _hash_of_file(root / value) or value for key, value in vars(entry).items()}


def _hash_of_file(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _known_by(projection: Projection) -> str:
    """The method of a projection, and a hash of all its constants."""
    constants = json.dumps(dataclasses.asdict(projection), sort_keys=True)
    return f"{projection.method}, sha256:{hashlib.sha256(constants.encode()).hexdigest()[:16]}"
