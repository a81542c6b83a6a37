"""Few-shot methods learn from the train split and score the test split: `python -m stages.train <dataset> <backbone>`.

It reads the test labels to hand them on with the predictions, and uses them for nothing.
"""

from dataclasses import asdict
from functools import partial

import numpy as np
import torch
from tqdm import tqdm

from stages import artifacts, settings
from stages.backbones import choose_device, load
from stages.errors import run_stage
from stages.fewshot import methods
from stages.fewshot.classifiers import ZeroShot
from stages.fewshot.methods import CloudTask, Plan, Run, Task
from stages.fewshot.recipes import SMOOTHING_METHODS
from stages.fewshot.training import Epoch
from stages.projection import orient, resolve
from stages.zeroshot import average_prompts, class_features, rank_classes

RANKS = 5
SEARCHED = ("search_train", "label_free")  # not the oracle search_test


def main(dataset: str, backbone: str) -> None:
    """Train every method at all shots and seeds; write data/fewshot/... and reports/curves/..."""
    params = settings.load()
    torch.set_num_threads(params.train.threads)
    device = choose_device(params.train.device)
    source = artifacts.features_path(dataset, backbone)
    train, test = (artifacts.read_features(source, split) for split in ("train", "test"))
    tensors = (torch.from_numpy(part).to(device) for part in (train.features, train.labels, test.features))
    clouds = _clouds(dataset, backbone, params, device) if set(params.train.methods) & set(SMOOTHING_METHODS) else None
    task = Task(*tensors, train.classes, _start(dataset, backbone, train, params.train.text, device), clouds)
    wanted = methods.plans(params.train)
    for plan in wanted:
        methods.draw_for(task, plan, params.train)  # so that too few samples are found before anything is trained
    unfinished = artifacts.Unfinished(artifacts.unfinished_path(dataset, backbone), task.fingerprint(params.train))
    bar = tqdm(wanted, unit="run", desc="train", disable=None)
    runs = {plan: methods.run(task, plan, params.train, unfinished.place) for plan in bar}
    _write(artifacts.few_shot_path(dataset, backbone), task, runs, test.labels, asdict(params.train))
    artifacts.curves_path(dataset, backbone).mkdir(parents=True, exist_ok=True)  # also where no method has epochs
    for name, epochs in methods.mean_curves(runs).items():
        artifacts.write_curves(artifacts.curves_path(dataset, backbone) / f"{name}.csv", Epoch._fields, epochs)
    unfinished.remove()


def _clouds(dataset: str, backbone: str, params: settings.Params, device: torch.device) -> CloudTask:
    """The clouds of both splits, and how they become features."""
    encoder = load(backbone, params.backbone_entry(backbone), device=device)
    checkpoint_batch = params.extract.batch_size if device.type == "cuda" else None
    with artifacts.open_points(artifacts.points_path(dataset)) as points:
        splits = [orient(points.points(split), points.up_axis) for split in ("train", "test")]
    tensors = (torch.from_numpy(split).to(device) for split in splits)
    encode = partial(encoder.encode_maps, checkpoint_batch=checkpoint_batch)
    name = encoder.image_fingerprint(checkpoint_batch=checkpoint_batch)
    return CloudTask(*tensors, resolve(params.render), encode, name)


def _start(dataset: str, backbone: str, train: artifacts.Features, text: str, device: torch.device) -> ZeroShot:
    """The zero-shot classifier that `train.text` names."""
    prompts = artifacts.read_prompts(artifacts.prompts_path(dataset, backbone))
    if text in SEARCHED:
        found = artifacts.read_json(artifacts.search_path(dataset, backbone))[text]
        sentences, weights = average_prompts(prompts, found["prompts"]), np.array(found["view_weights"], np.float32)
    else:
        sentences = class_features(prompts, prompt_set=text, class_names=train.classes)
        weights = np.full(train.features.shape[1], 1 / train.features.shape[1], np.float32)
    return ZeroShot(torch.from_numpy(sentences).to(device), torch.from_numpy(weights).to(device), train.logit_scale)


def _write(folder, task: Task, runs: dict[Plan, Run], labels: np.ndarray, recipe: dict) -> None:
    """Predictions of every run and of the zero-shot classifier, the epochs that were watched, and what was learnt."""
    logits = {Plan("zero_shot", 0, 0): task.zero_shot.logits(task.test).cpu()}
    logits |= {plan: done.logits for plan, done in runs.items()}
    ranked = {plan: rank_classes(scores.numpy(), top=RANKS) for plan, scores in logits.items()}
    tables = [artifacts.prediction_columns(labels, *best, **plan._asdict()) for plan, best in ranked.items()]
    artifacts.write_predictions(folder / "predictions.parquet", artifacts.stacked(tables))
    watched = [(*plan, done.watched.numpy()) for plan, done in runs.items() if done.watched is not None]
    artifacts.write_epochs(folder / "epochs.parquet", watched)
    for plan, done in runs.items():
        state = {name: value.numpy() for name, value in done.state.items()}
        known = {"run": plan._asdict(), "train": recipe, "classes": task.class_names}
        artifacts.write_tensors(folder / "models" / f"{plan}.safetensors", state, known)


if __name__ == "__main__":
    run_stage(main)
