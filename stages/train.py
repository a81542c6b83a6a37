"""Few-shot methods learn from the train split and score the test split: `python -m stages.train <dataset> <backbone>`.

The test labels are written beside the predictions, and read by runs as published alone.
"""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from stages.artifacts.checkpoints import CheckpointDir
from stages.artifacts.features import read_features
from stages.artifacts.fewshot import write_adapted, write_curves, write_epochs, write_tensors
from stages.artifacts.files import read_json, write_json
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points
from stages.artifacts.predictions import new_predictions
from stages.artifacts.prompts import read_prompts
from stages.backbones.device import choose_device
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.memory import keep_freed_memory
from stages.fewshot.methods import learning_from_clouds
from stages.fewshot.runs import RunResult, mean_curves, run, run_specs, split_of
from stages.fewshot.specs import RunSpec
from stages.fewshot.starts import choose_starts, zero_shot_of
from stages.fewshot.tasks import CloudTask, Published, Task
from stages.fewshot.training import Epoch
from stages.projection.poses import posed
from stages.projection.settings import resolve
from stages.zeroshot.classifier import rank_classes

RANKS = 5


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Train every method at all shots and seeds; write data/fewshot/... and reports/curves/..."""
    params, paths = params or load_params(root), Paths(root)
    specs = run_specs(params.train, dataset=dataset, backbone=backbone)
    torch.set_num_threads(params.train.threads)
    device = choose_device(params.train.device)
    train, test = (read_features(paths.features(dataset, backbone), split) for split in ("train", "test"))
    tensors = (torch.from_numpy(part).to(device) for part in (train.values, train.labels, test.values))
    prompts, searched = read_prompts(paths.prompts(dataset, backbone)), read_json(paths.search(dataset, backbone))
    starts = choose_starts(prompts, searched, train, params.train)
    if starts.as_published is None:
        specs = [spec for spec in specs if not spec.published]
    needs_clouds = learning_from_clouds(spec.method for spec in specs)
    clouds = _clouds(dataset, backbone, params, paths, device) if needs_clouds else None
    task = Task(*tensors, train.classes, zero_shot_of(starts.ours, prompts, train, device), clouds)
    if any(spec.published for spec in specs):
        start = zero_shot_of(starts.as_published, prompts, train, device)
        task = replace(task, published=Published(start, torch.from_numpy(test.labels).to(device)))
    for spec in specs:
        split_of(task, spec, params.train)  # so that too few samples are found before anything is trained
    checkpoints = CheckpointDir(paths.unfinished(dataset, backbone), task.fingerprint(params.train))
    bar = tqdm(specs, unit="run", desc="train", disable=None)
    results = {spec: run(task, spec, params.train, checkpoints.file) for spec in bar}
    _write(paths.few_shot(dataset, backbone), task, results, test.labels, asdict(params.train))
    texts = {kind: start and start._asdict() for kind, start in starts._asdict().items()}
    write_json(paths.few_shot(dataset, backbone) / "texts.json", texts)
    paths.curves(dataset, backbone).mkdir(parents=True, exist_ok=True)  # also where no method has epochs
    for name, epochs in mean_curves(results).items():
        write_curves(paths.curves(dataset, backbone) / f"{name}.csv", Epoch._fields, epochs)
    checkpoints.remove()


def _clouds(dataset: str, backbone: str, params: Params, paths: Paths, device: torch.device) -> CloudTask:
    """The clouds of both splits, and how they become features."""
    from stages.backbones.loading import load_backbone  # here: methods that learn from features need no open_clip

    keep_freed_memory()
    encoder = load_backbone(backbone, params.backbone_entry(backbone), device=device, root=paths.root)
    checkpoint_batch = params.extract.batch_size if device.type == "cuda" else None
    with open_points(paths.points(dataset)) as points:
        how = points.up_axis, params.render
        splits = [posed(points.points(split), *how, split=split) for split in ("train", "test")]
    tensors = (torch.from_numpy(split).to(device) for split in splits)
    encode = partial(encoder.encode_maps, checkpoint_batch=checkpoint_batch)
    fingerprint = encoder.image_fingerprint(checkpoint_batch=checkpoint_batch)
    return CloudTask(*tensors, resolve(params.render), encode, fingerprint)


def _write(folder: Path, task: Task, results: dict[RunSpec, RunResult], labels: np.ndarray, settings: dict) -> None:
    """The predictions of every run and of the zero-shot classifier, those of every epoch, features, and models."""
    logits = {RunSpec("zero_shot", 0, 0): task.zero_shot.logits(task.test).cpu()}
    logits |= {spec: result.logits for spec, result in results.items()}
    with new_predictions(folder / "predictions.parquet") as add:
        for spec, scores in logits.items():
            best = rank_classes(scores.numpy(), top=RANKS)
            add(labels, *best, method=spec.name, shots=spec.shots, seed=spec.seed)
    recorded = [(spec, one.epoch_predictions) for spec, one in results.items() if one.epoch_predictions is not None]
    rows = [(spec.name, spec.shots, spec.seed, predictions.numpy()) for spec, predictions in recorded]
    write_epochs(folder / "epochs.parquet", rows)
    for spec, result in results.items():
        state = {name: value.numpy() for name, value in result.state.items()}
        metadata = {"run": spec._asdict(), "train": settings, "classes": task.class_names}
        write_tensors(folder / "models" / f"{spec}.safetensors", state, metadata)
        if result.adapted:
            adapted = {name: values.numpy() for name, values in result.adapted.items()}
            write_adapted(folder / "adapted" / f"{spec}.safetensors", spec._asdict(), adapted)


if __name__ == "__main__":
    run_stage(main)
