"""A run: one method learns from one few-shot split of the train split and scores the test split.

N, M samples of the train and the test split, C classes.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stages.config.train import Train
from stages.fewshot import recipes
from stages.fewshot.augment import augment
from stages.fewshot.checkpoints import Checkpoint, deserialise, serialise
from stages.fewshot.classifiers import TextClassifier
from stages.fewshot.methods import BuildInputs, Method, method_named
from stages.fewshot.specs import RunSpec
from stages.fewshot.splits import FewShotSplit, few_shot_split, published_support
from stages.fewshot.tasks import Task
from stages.fewshot.training import Epoch, FitConfig, Labelled, TrainingHistory, fit, predict, seeded

FEATURE_BATCH = 1024  # samples scored at a time from stored features


class RunResult(NamedTuple):
    """Test logits f4 [M, C], the trained weights by name, and every epoch where there were any.

    `epoch_predictions` i2 [epochs, M] are the classes predicted on the test split after each epoch, where asked for; a
    method that has a `finish` adds those after it.
    `adapted` are the features that a model of text features gives: test_features f4 [M, D], and validation_features
    f4 [S, D] with validation_labels i8 [S], which runs as published, validated on the test split, have not.
    """

    logits: Tensor
    state: dict[str, Tensor]
    epochs: list[Epoch]
    epoch_predictions: Tensor | None
    adapted: dict[str, Tensor]


def run_specs(settings: Train, *, dataset: str, backbone: str) -> list[RunSpec]:
    """Every run of `settings`, first ours, then those as published; InputError names an unknown method."""
    published = settings.as_published.of(dataset, backbone)
    for name in published:
        method_named(name, key=f"train.as_published.runs.{dataset}/{backbone}")
    ours = [
        RunSpec(name, shots, seed)
        for name in settings.methods
        for shots in (settings.cloud_shots if method_named(name).learns_from == "clouds" else settings.shots)
        for seed in settings.seeds
    ]
    return ours + [
        RunSpec(name, shots, seed, published=True)
        for name, all_shots in published.items()
        for shots in all_shots
        for seed in settings.as_published.seeds
    ]


def split_of(task: Task, spec: RunSpec, settings: Train) -> FewShotSplit:
    """The rows of the train split that a run learns from and is validated on; as published, it is on none of them."""
    labels = task.labels.cpu().numpy()
    cut = {"class_names": task.class_names, "shots": spec.shots, "seed": spec.seed}
    cut["short_classes"] = settings.short_classes
    if spec.published:
        return FewShotSplit(published_support(labels, **cut), np.empty(0, np.int64))
    return few_shot_split(labels, validation_fraction=settings.validation_fraction, **cut)


def run(task: Task, spec: RunSpec, settings: Train, checkpoints: Callable[[str], Checkpoint]) -> RunResult:
    """Carry out `spec` from where an earlier call was killed; the result of a finished run is read again.

    `checkpoints` gives the checkpoint of a name: a run has one until it is finished, and another for its result.
    """
    finished = checkpoints(str(spec))
    content = finished.read()
    if content is not None:
        stored = RunResult(**deserialise(content))
        return stored._replace(epochs=[Epoch(*epoch) for epoch in stored.epochs])
    result = _carry_out(task, spec, settings, checkpoints)
    finished.write(serialise(result._asdict() | {"epochs": [tuple(epoch) for epoch in result.epochs]}))
    return result


def mean_curves(results: dict[RunSpec, RunResult]) -> dict[str, list[Epoch]]:
    """`<method>_<shots>` -> each epoch as the mean of the seeds that reached it; no entry where there are none."""
    histories: dict[str, list[list[Epoch]]] = {}
    for spec, result in results.items():
        if result.epochs:
            histories.setdefault(f"{spec.name}_{spec.shots}", []).append(result.epochs)
    return {name: [_mean(epochs) for epochs in _by_epoch(seeds)] for name, seeds in histories.items()}


def _by_epoch(seeds: list[list[Epoch]]) -> list[list[Epoch]]:
    longest = max(map(len, seeds))
    return [[epochs[i] for epochs in seeds if i < len(epochs)] for i in range(longest)]


def _mean(epochs: list[Epoch]) -> Epoch:
    return Epoch(epochs[0].epoch, *(fmean(values) for values in list(zip(*epochs, strict=True))[1:]))


def _carry_out(task: Task, spec: RunSpec, settings: Train, checkpoints: Callable[[str], Checkpoint]) -> RunResult:
    method = method_named(spec.method)
    train, test = task.inputs(method.learns_from)
    support, validation = (Labelled(train[rows], task.labels[rows]) for rows in split_of(task, spec, settings))
    start = None
    if spec.published:
        settings, task = recipes.as_published(settings), replace(task, zero_shot=task.published.zero_shot)
        validation = Labelled(test, task.published.test_labels)
    elif method.starts_from:
        start = run(task, spec._replace(method=method.starts_from), settings, checkpoints).state
    build = partial(method.build, BuildInputs(task, settings, support, validation, start))
    batch_size = _evaluation_batch_size(method, settings)
    learns_from_clouds = method.learns_from == "clouds"
    if method.recipe is None:
        with seeded(spec.seed, test.device):
            model, history = build().eval(), TrainingHistory([], [])
    else:
        config = FitConfig(
            recipe=method.recipe(settings),
            seed=spec.seed,
            name=str(spec),
            checkpoint_seconds=settings.checkpoint_seconds,
            evaluation_batch_size=batch_size,
            augment=partial(augment, settings=recipes.resolve_augmentation(settings)) if learns_from_clouds else None,
            test_inputs=test if settings.best_on_test and not spec.published else None,
            choose_by="accuracy" if spec.published else "loss",
        )
        model, history = fit(build, support, validation, config, checkpoint=checkpoints(f"{spec}.unfinished"))
    if method.finish:
        method.finish(model, validation)
    logits = predict(model, test, batch_size=batch_size).cpu()
    state = {name: value.cpu() for name, value in model.state_dict().items()}
    predictions = None
    if history.epoch_predictions:  # the finished model counts as one more epoch: it is in none of them
        finished = [logits.argmax(1).short()] if method.finish else []
        predictions = torch.stack(history.epoch_predictions + finished)
    adapted = {}
    if isinstance(model, TextClassifier):
        adapted["test_features"] = _features(model, test, batch_size=batch_size)
        if not spec.published:
            adapted["validation_features"] = _features(model, validation.inputs, batch_size=batch_size)
            adapted["validation_labels"] = validation.labels.cpu()
    return RunResult(logits, state, history.epochs, predictions, adapted)


@torch.no_grad()
def _features(model: TextClassifier, inputs: Tensor, *, batch_size: int) -> Tensor:
    """Features f4 [N, D] that a trained model gives to inputs [N, ...]."""
    return torch.cat([model.features(batch).float().cpu() for batch in inputs.split(batch_size)])


def _evaluation_batch_size(method: Method, settings: Train) -> int:
    """Samples scored at a time: clouds take as much memory as in training, stored features next to none."""
    if method.learns_from == "features":
        return FEATURE_BATCH
    return (method.recipe or recipes.resolve_smoothing)(settings).micro_batch_size
