"""Few-shot methods learn from the train split and score the test split: `python -m stages.train <dataset> <backbone>`.

It reads the test labels to hand them on with the predictions, and uses them for nothing.
"""

from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from stages.artifacts.checkpoints import CheckpointDir
from stages.artifacts.features import read_features
from stages.artifacts.fewshot import write_curves, write_epochs, write_tensors
from stages.artifacts.files import read_json
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points
from stages.artifacts.predictions import prediction_columns, stacked, write_predictions
from stages.artifacts.prompts import read_prompts
from stages.artifacts.types import Features
from stages.backbones.clip import choose_device
from stages.backbones.loading import load_backbone
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.fewshot import methods
from stages.fewshot.classifiers import ZeroShot
from stages.fewshot.methods import CloudTask, Plan, Run, Task
from stages.fewshot.recipes import SMOOTHING_METHODS
from stages.fewshot.training import Epoch
from stages.projection.clouds import orient
from stages.projection.presets import resolve
from stages.zeroshot.classifier import average_prompts, class_features, rank_classes

RANKS = 5
SEARCHED = ("search_train", "label_free")  # not the oracle search_test


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Train every method at all shots and seeds; write data/fewshot/... and reports/curves/..."""
    params, paths = params or load_params(root), Paths(root)
    torch.set_num_threads(params.train.threads)
    device = choose_device(params.train.device)
    source = paths.features(dataset, backbone)
    train, test = (read_features(source, split) for split in ("train", "test"))
    tensors = (torch.from_numpy(part).to(device) for part in (train.values, train.labels, test.values))
    clouds = (
        _clouds(dataset, backbone, params, paths, device)
        if set(params.train.methods) & set(SMOOTHING_METHODS)
        else None
    )
    task = Task(*tensors, train.classes, _start(dataset, backbone, train, params.train.text, paths, device), clouds)
    wanted = methods.plans(params.train)
    for plan in wanted:
        methods.draw_for(task, plan, params.train)  # so that too few samples are found before anything is trained
    unfinished = CheckpointDir(paths.unfinished(dataset, backbone), task.fingerprint(params.train))
    bar = tqdm(wanted, unit="run", desc="train", disable=None)
    runs = {plan: methods.run(task, plan, params.train, unfinished.place) for plan in bar}
    _write(paths.few_shot(dataset, backbone), task, runs, test.labels, asdict(params.train))
    paths.curves(dataset, backbone).mkdir(parents=True, exist_ok=True)  # also where no method has epochs
    for name, epochs in methods.mean_curves(runs).items():
        write_curves(paths.curves(dataset, backbone) / f"{name}.csv", Epoch._fields, epochs)
    unfinished.remove()


def _clouds(dataset: str, backbone: str, params: Params, paths: Paths, device: torch.device) -> CloudTask:
    """The clouds of both splits, and how they become features."""
    encoder = load_backbone(backbone, params.backbone_entry(backbone), device=device, root=paths.root)
    checkpoint_batch = params.extract.batch_size if device.type == "cuda" else None
    with open_points(paths.points(dataset)) as points:
        splits = [orient(points.points(split), points.up_axis) for split in ("train", "test")]
    tensors = (torch.from_numpy(split).to(device) for split in splits)
    encode = partial(encoder.encode_maps, checkpoint_batch=checkpoint_batch)
    name = encoder.image_fingerprint(checkpoint_batch=checkpoint_batch)
    return CloudTask(*tensors, resolve(params.render), encode, name)


def _start(dataset: str, backbone: str, train: Features, text: str, paths: Paths, device: torch.device) -> ZeroShot:
    """The zero-shot classifier that `train.text` names."""
    prompts = read_prompts(paths.prompts(dataset, backbone))
    if text in SEARCHED:
        found = read_json(paths.search(dataset, backbone))[text]
        sentences, weights = average_prompts(prompts, found["prompts"]), np.array(found["view_weights"], np.float32)
    else:
        sentences = class_features(prompts, prompt_set=text, class_names=train.classes)
        weights = np.full(train.values.shape[1], 1 / train.values.shape[1], np.float32)
    return ZeroShot(torch.from_numpy(sentences).to(device), torch.from_numpy(weights).to(device), train.logit_scale)


def _write(folder, task: Task, runs: dict[Plan, Run], labels: np.ndarray, recipe: dict) -> None:
    """Predictions of every run and of the zero-shot classifier, the epochs that were watched, and what was learnt."""
    logits = {Plan("zero_shot", 0, 0): task.zero_shot.logits(task.test).cpu()}
    logits |= {plan: done.logits for plan, done in runs.items()}
    ranked = {plan: rank_classes(scores.numpy(), top=RANKS) for plan, scores in logits.items()}
    tables = [prediction_columns(labels, *best, **plan._asdict()) for plan, best in ranked.items()]
    write_predictions(folder / "predictions.parquet", stacked(tables))
    watched = [(*plan, done.watched.numpy()) for plan, done in runs.items() if done.watched is not None]
    write_epochs(folder / "epochs.parquet", watched)
    for plan, done in runs.items():
        state = {name: value.numpy() for name, value in done.state.items()}
        known = {"run": plan._asdict(), "train": recipe, "classes": task.class_names}
        write_tensors(folder / "models" / f"{plan}.safetensors", state, known)


if __name__ == "__main__":
    run_stage(main)
