"""What the bundled backbone is trained on and scored by, brought together: concepts, captions, maps and scores."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stages.artifacts.types import PointCloudDataset
from stages.bundled.pretraining.cache import (
    OBJECTS,
    PARTS,
    PROCEDURAL,
    DrawObject,
    DrawPart,
    DrawProcedural,
    Shapes,
    cache_name,
    cached_maps,
    code_of_the_shapes,
    depth_maps,
    procedural_names,
)
from stages.bundled.pretraining.captions import Captions, Concept, captions_of, concepts_of
from stages.bundled.pretraining.objects import HELD_OUT, TRAIN, Listed, RawObjects
from stages.bundled.pretraining.recipe import Sources, source_of, top1
from stages.bundled.pretraining.tokens import Vocabulary
from stages.bundled.sentences import Facts
from stages.config.pretrain import Pretrain
from stages.language.prompts.templates import display_name
from stages.projection.presets import Projection

CANDIDATES = 50  # names that an object of a held-out name is told from

Score = Callable[[torch.nn.Module], dict[str, float]]


@dataclass(frozen=True)
class Objects:
    """The objects' clouds and their list, row by row."""

    clouds: RawObjects
    listed: list[Listed]

    def names(self, use: str) -> list[str]:
        """The names of the objects of one use, each once, sorted."""
        return sorted({row.name for row in self.listed if row.use == use})


def training_captions(objects: Objects, facts: list[Facts], *, seed: int) -> Captions:
    """The captions of all that is shown: procedural classes and parts, and the objects that are trained on."""
    concepts = concepts_of(objects.names(TRAIN), seed=seed)
    return captions_of(concepts, facts, held_out=objects.names(HELD_OUT))


def training_sources(
    objects: Objects,
    captions: Captions,
    settings: Pretrain,
    projection: Projection,
    *,
    resolution: int,
    folder: Path,
    processes: int,
) -> Sources:
    """The maps to train on with the concept of each row; below `folder`, and made first where they are missing."""
    index = {concept: i for i, concept in enumerate(captions.concepts)}
    parts = tuple(concept for concept in captions.concepts if concept.part)
    points = np.stack([objects.clouds.cloud(row) for row in range(len(objects.listed))])
    shown = [index[Concept(row.name)] if row.use == TRAIN else -1 for row in objects.listed]
    kinds = (
        (OBJECTS, len(points) * settings.object_copies, DrawObject(points), shown),
        (PROCEDURAL, settings.procedural_shapes, DrawProcedural(), [index[Concept(n)] for n in procedural_names()]),
        (PARTS, settings.part_shapes, DrawPart(parts), [index[part] for part in parts]),
    )
    made_of = {
        "resolution": resolution,
        "objects": hashlib.sha256(objects.clouds.points.tobytes()).hexdigest(),
        "parts": [f"{part.name} {part.part}" for part in parts],
        "seed": settings.seed,
        "counts": [count for _, count, _, _ in kinds],
    }
    place = folder / cache_name(made_of, projection=projection, files=code_of_the_shapes())
    sources = []
    for kind, count, draw, concepts in kinds:
        shapes = Shapes(kind, count, settings.seed, draw)
        maps = cached_maps(place, shapes, projection, resolution=resolution, processes=processes)
        sources.append(source_of(maps, np.resize(concepts, count)))
    return Sources(*sources)


def scores(
    objects: Objects,
    known: PointCloudDataset | None,
    vocabulary: Vocabulary,
    projection: Projection,
    *,
    resolution: int,
) -> Score:
    """What a model in training is judged by: objects of held-out names, and the train part of `known` where given."""
    held = objects.names(HELD_OUT)
    rows = [i for i, row in enumerate(objects.listed) if row.use == HELD_OUT]
    others = sorted(objects.names(TRAIN), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    names = (*held, *others[: max(CANDIDATES - len(held), 0)])
    labels = np.array([names.index(objects.listed[i].name) for i in rows])
    sets = {"held_out_names": (_maps([objects.clouds.cloud(i) for i in rows], projection, resolution), labels, names)}
    if known is not None:
        clouds = known.splits["train"]
        names = tuple(map(display_name, known.classes))
        sets["known_train"] = (_maps(list(clouds.points), projection, resolution), clouds.labels, names)

    def score(model: torch.nn.Module) -> dict[str, float]:
        return {key: top1(model, *of, vocabulary) for key, of in sets.items()}

    return score


def _maps(clouds: list[np.ndarray], projection: Projection, resolution: int) -> np.ndarray:
    return depth_maps([cloud.astype(np.float32) for cloud in clouds], projection, resolution)
