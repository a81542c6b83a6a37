"""The bundled backbone's training, frozen in the DAG: `python -m stages.bundled.pretrain`.

Needs the objects' clouds at params.yaml: pretrain.objects. Maps are made first and kept in data/cache/pretrain; the
state of the training is kept in data/unfinished, and the same command goes on from it.
"""

import hashlib
import json
from pathlib import Path

import torch

from stages.artifacts.files import complete_file, write_json
from stages.artifacts.paths import Paths
from stages.artifacts.types import PointCloudDataset
from stages.backbones.device import choose_device
from stages.backbones.loading import build, register
from stages.backbones.weights import write_weights
from stages.bundled.pretraining.captions import Captions
from stages.bundled.pretraining.material import Objects, scores, training_captions, training_sources
from stages.bundled.pretraining.objects import HELD_OUT, TRAIN, must_match, read_list, read_objects
from stages.bundled.pretraining.recipe import train
from stages.bundled.pretraining.tokens import Vocabulary, whole_state
from stages.bundled.sentences import load_facts
from stages.config.params import Params, load_params
from stages.core.cli import run_stage, warn
from stages.core.threads import available_cores
from stages.datasets.registry import read
from stages.projection.presets import PRESETS

CONFIG = "bundled.json"
WEIGHTS = "bundled.safetensors"
HISTORY = "bundled_training.json"
OBJECTS = "bundled_training_objects.csv"
FACTS = ("prompts/bundled/facts.yaml", "prompts/bundled/training_facts.yaml")
JUDGE = "modelnet10"  # its train part is looked at in the course of the training


def main(*, params: Params | None = None, root: Path = Path()) -> None:
    """Train on named objects and procedural shapes; write the weights and the course of the training."""
    params, paths = params or load_params(root), Paths(root)
    settings, projection = params.pretrain, PRESETS["v2_classification"]
    file = root / settings.objects
    objects = Objects(read_objects(file), read_list(paths.bundled(OBJECTS)))
    must_match(objects.clouds, objects.listed, source=file)
    captions = training_captions(objects, _facts(root), seed=settings.seed)
    torch.manual_seed(settings.seed)
    torch.set_num_threads(available_cores())
    model = build(register(paths.bundled(CONFIG))).to(choose_device("auto"))
    resolution = model.visual.image_size
    vocabulary = Vocabulary(captions.every(), context_length=model.context_length)
    sources = training_sources(
        objects,
        captions,
        settings,
        projection,
        resolution=resolution,
        folder=root / "data/cache/pretrain",
        processes=available_cores(),
    )
    course = train(
        model,
        sources,
        captions,
        vocabulary,
        settings,
        checkpoint=root / "data/unfinished/pretrain" / f"{_fingerprint(params, paths, captions)}.pt",
        score=scores(objects, _judge(params, root), vocabulary, projection, resolution=resolution),
    )
    with complete_file(paths.bundled(WEIGHTS)) as temporary:
        write_weights(temporary, whole_state(model, vocabulary), token_ids=torch.tensor(vocabulary.ids))
    names = {"trained_names": objects.names(TRAIN), "held_out_names": objects.names(HELD_OUT)}
    write_json(paths.bundled(HISTORY), {"mean_loss_per_100_steps": course.means(100), "scores": course.scores, **names})


def _facts(root: Path) -> list:
    return [load_facts((root / source).read_text(), source=source) for source in FACTS]


def _judge(params: Params, root: Path) -> PointCloudDataset | None:
    """ModelNet10, where it lies on this machine."""
    entry = params.dataset_entry(JUDGE)
    if entry.path is None or not (root / entry.path).exists():
        warn(f"{entry.path}: no such folder (params.yaml: dataset.{JUDGE}.path); the training goes unscored by it")
        return None
    return read(JUDGE, entry, root=root)


def _fingerprint(params: Params, paths: Paths, captions: Captions) -> str:
    """A name for the state of a training: another recipe, architecture or caption does not go on from it."""
    settings = {key: value for key, value in vars(params.pretrain).items() if key != "checkpoint_steps"}
    text = json.dumps([settings, sorted(captions.every())]) + paths.bundled(CONFIG).read_text()
    return hashlib.sha256(text.encode() + paths.bundled(OBJECTS).read_bytes()).hexdigest()[:16]


if __name__ == "__main__":
    run_stage(main)
