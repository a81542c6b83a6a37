"""The few-shot methods by name: each learns from a draw of the train split and scores the test split.

N, M samples of the train and the test split, V views, D embedding, C classes, P points. CLIP is frozen throughout.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stages.config.train import Train
from stages.core.errors import InputError
from stages.fewshot import recipes
from stages.fewshot.adapter import new_adapter
from stages.fewshot.augment import augment
from stages.fewshot.baselines import linear_probe, tip_adapter
from stages.fewshot.classifiers import AdapterClassifier, CloudClassifier, ZeroShot
from stages.fewshot.draws import Draw, draw
from stages.fewshot.recipes import SMOOTHING_METHODS
from stages.fewshot.spans import SpanClassifier, Table
from stages.fewshot.storage import Storage, pack, source_code, unpack
from stages.fewshot.training import Course, Epoch, Labelled, fit, predict
from stages.projection.presets import Projection

FEATURES_AT_ONCE = 1024


class CloudTask(NamedTuple):
    """What learnable smoothing needs: oriented clouds f4 [N, P, 3] and [M, P, 3], and how they become features.

    `encode` gives unit features [B, D] of maps [B, R, R] and passes gradients to the maps; `encoder` is a fingerprint
    of all that they depend on.
    """

    train: Tensor
    test: Tensor
    projection: Projection
    encode: Callable[[Tensor], Tensor]
    encoder: str


@dataclass(frozen=True)
class Task:
    """One dataset with one backbone: features f4 [N, V, D] and [M, V, D], train labels i8 [N], class names [C].

    There are no test labels in it.
    """

    train: Tensor
    labels: Tensor
    test: Tensor
    class_names: tuple[str, ...]
    zero_shot: ZeroShot
    clouds: CloudTask | None = None

    def __post_init__(self):
        views, width = self.train.shape[1:]
        shapes = {
            "test features": (self.test.shape[1:], (views, width)),
            "text": (self.zero_shot.text.shape, (len(self.class_names), width)),
            "view weights": (self.zero_shot.view_weights.shape, (views,)),
        }
        for name, (found, expected) in shapes.items():
            if tuple(found) != expected:
                raise InputError(f"features of another backbone: {name} {list(found)}, expected {list(expected)}")
        if self.clouds and (len(self.clouds.train), len(self.clouds.test)) != (len(self.train), len(self.test)):
            raise InputError("points and features differ in their number of samples; run `dvc repro`")
        if self.clouds and self.clouds.projection.views != views:
            raise InputError(f"features have {views} views, params.yaml: render {self.clouds.projection.views}")

    def inputs(self, split: str, method: str) -> Tensor:
        """What `method` takes of `split`: clouds or features."""
        return getattr(self.clouds if method in SMOOTHING_METHODS else self, split)

    def fingerprint(self, settings: Train) -> str:
        """A name for everything that the runs depend on, this package's code included."""
        known = (settings, self.class_names, self.zero_shot.logit_scale)
        known += (self.clouds.projection, self.clouds.encoder) if self.clouds else ()
        found = hashlib.sha256(repr(known).encode() + source_code())
        tensors = [self.train, self.labels, self.test, self.zero_shot.text, self.zero_shot.view_weights]
        for tensor in tensors + ([self.clouds.train, self.clouds.test] if self.clouds else []):
            found.update(tensor.cpu().numpy().tobytes())
        return found.hexdigest()[:16]


class Plan(NamedTuple):
    """One run: a method, how many shots, and the seed of its draw and its training."""

    method: str
    shots: int
    seed: int

    def __str__(self) -> str:
        return f"{self.method}-{self.shots}-{self.seed}"


class Run(NamedTuple):
    """What a run ends with: test logits f4 [M, C], what was learnt by name, every epoch where there were any.

    `watched` i2 [epochs, M] are the classes predicted on the test split after each epoch, where that was asked for.
    """

    logits: Tensor
    state: dict[str, Tensor]
    epochs: list[Epoch]
    watched: Tensor | None


def plans(settings: Train) -> list[Plan]:
    """Every run that `settings` asks for."""
    return [
        Plan(method, shots, seed)
        for method in settings.methods
        for shots in (settings.smooth_shots if method in SMOOTHING_METHODS else settings.shots)
        for seed in settings.seeds
    ]


def draw_for(task: Task, plan: Plan, settings: Train) -> Draw:
    """The rows of the train split that a run learns from and decides by."""
    return draw(
        task.labels.cpu().numpy(),
        class_names=task.class_names,
        shots=plan.shots,
        seed=plan.seed,
        validation_fraction=settings.validation_fraction,
        short_classes=settings.short_classes,
    )


def run(task: Task, plan: Plan, settings: Train, storages: Callable[[str], Storage]) -> Run:
    """Carry out `plan` from where an earlier call was killed; a run that was finished is read again.

    `storages` gives the place of a name: each run has one until it is finished, and one from then on.
    """
    finished = storages(str(plan))
    content = finished.get()
    if content is not None:
        known = Run(**unpack(content))
        return known._replace(epochs=[Epoch(*epoch) for epoch in known.epochs])
    done = _carry_out(task, plan, settings, storages)
    finished.put(pack(done._asdict() | {"epochs": [tuple(epoch) for epoch in done.epochs]}))
    return done


def mean_curves(runs: dict[Plan, Run]) -> dict[str, list[Epoch]]:
    """`<method>_<shots>` -> every epoch as the mean of the seeds that came so far; methods without epochs have none."""
    courses: dict[str, list[list[Epoch]]] = {}
    for plan, done in runs.items():
        if done.epochs:
            courses.setdefault(f"{plan.method}_{plan.shots}", []).append(done.epochs)
    return {name: [_mean(epochs) for epochs in _by_epoch(seeds)] for name, seeds in courses.items()}


def _by_epoch(seeds: list[list[Epoch]]) -> list[list[Epoch]]:
    longest = max(map(len, seeds))
    return [[epochs[i] for epochs in seeds if i < len(epochs)] for i in range(longest)]


def _mean(epochs: list[Epoch]) -> Epoch:
    return Epoch(epochs[0].epoch, *(fmean(values) for values in list(zip(*epochs, strict=True))[1:]))


def _carry_out(task: Task, plan: Plan, settings: Train, storages: Callable[[str], Storage]) -> Run:
    smoothing, recipe = plan.method in SMOOTHING_METHODS, recipes.of(plan.method, settings)
    train, test = (task.inputs(split, plan.method) for split in ("train", "test"))
    support, validation = (Labelled(train[rows], task.labels[rows]) for rows in draw_for(task, plan, settings))
    build = partial(MODELS[plan.method], task, settings, support, validation)
    if plan.method == "smooth_adapter":
        learnt = run(task, plan._replace(method="adapter"), settings, storages)
        build = partial(_starting_at, build, learnt.state)
    at_once = recipe.at_once if smoothing else FEATURES_AT_ONCE
    watch = plan.method == "adapter" and settings.best_on_test
    if recipe is None:
        model, course = build().eval(), Course([], [])
    else:
        in_span = plan.method == "adapter" and _stays_in_span(settings, recipe, support)
        learning = _in_span if in_span else Learning
        build, support, validation, watched = learning(build, support, validation, test)
        model, course = fit(
            build,
            support,
            validation,
            recipe,
            seed=plan.seed,
            name=str(plan),
            storage=storages(f"{plan}.unfinished"),
            every_seconds=settings.checkpoint_seconds,
            judged_at_once=at_once,
            augment=partial(augment, settings=settings.augment) if smoothing else None,
            watch=partial(_classes, inputs=watched) if watch else None,
        )
        model = model.classifier() if in_span else model
    state = {name: value.cpu() for name, value in model.state_dict().items()}
    watched = torch.stack(course.watched) if watch else None
    return Run(predict(model, test, at_once=at_once).cpu(), state, course.epochs, watched)


class Learning(NamedTuple):
    """What `fit` is given (the model's builder, what it learns from and is judged by), and the test split."""

    build: Callable[[], nn.Module]
    support: Labelled
    validation: Labelled
    test: Tensor


def _stays_in_span(settings: Train, recipe: recipes.Recipe, support: Labelled) -> bool:
    """Whether W1 can be written in the support set's features, and is smaller then."""
    samples, views, width = support.inputs.shape
    plain = settings.adapter.variant == "paper" and recipe.optimiser == "sgd" and not recipe.feature_noise
    return plain and samples < views * width


def _in_span(build: Callable[[], nn.Module], support: Labelled, validation: Labelled, test: Tensor) -> Learning:
    """The same training with rows of a table for features; the model that comes back has a `classifier` of features."""
    features = (support.inputs, validation.inputs, test)
    table = Table.of(*features)
    rows = torch.arange(len(table.features), device=test.device).split([len(part) for part in features])
    labelled = [part._replace(inputs=own) for part, own in zip((support, validation), rows, strict=False)]
    return Learning(lambda: SpanClassifier(build(), table), *labelled, rows[-1])


def _classes(model: nn.Module, inputs: Tensor) -> Tensor:
    return predict(model, inputs, at_once=FEATURES_AT_ONCE).argmax(1).short().cpu()


def _adapter(task: Task, settings: Train, *_: Labelled) -> nn.Module:
    _, views, width = task.train.shape
    return _adapted(task, settings, new_adapter(settings.adapter, views=views, width=width))


def _smooth(task: Task, settings: Train, *_: Labelled) -> nn.Module:
    return _smoothed(task, settings, _adapted(task, settings, nn.Identity()))


def _smooth_adapter(task: Task, settings: Train, *_: Labelled) -> nn.Module:
    return _smoothed(task, settings, _adapter(task, settings))


def _adapted(task: Task, settings: Train, adapter: nn.Module) -> AdapterClassifier:
    return AdapterClassifier(adapter, task.zero_shot, noise=recipes.resolve(settings).feature_noise)


def _smoothed(task: Task, settings: Train, classify: AdapterClassifier) -> CloudClassifier:
    clouds = task.clouds
    return CloudClassifier(classify, clouds.projection, clouds.encode, channels=settings.smooth_channels)


def _starting_at(build: Callable[[], nn.Module], adapter: dict[str, Tensor]) -> nn.Module:
    """A classifier of clouds whose adapter is one that was learnt on stored features: seconds instead of epochs."""
    model = build()
    model.classify.load_state_dict(adapter)
    return model


def _tip_adapter(task: Task, settings: Train, support: Labelled, validation: Labelled) -> nn.Module:
    return tip_adapter(support, validation, task.zero_shot)


def _tip_adapter_f(task: Task, settings: Train, support: Labelled, validation: Labelled) -> nn.Module:
    return tip_adapter(support, validation, task.zero_shot, trained=True)


def _linear_probe(task: Task, settings: Train, support: Labelled, validation: Labelled) -> nn.Module:
    return linear_probe(support, validation, task.zero_shot, start=settings.probe_start)


# A method is added by one more line: a function that builds its model, and its recipe in `recipes.of`.
MODELS: dict[str, Callable[[Task, Train, Labelled, Labelled], nn.Module]] = {
    "adapter": _adapter,
    "smooth": _smooth,
    "smooth_adapter": _smooth_adapter,
    "tip_adapter": _tip_adapter,
    "tip_adapter_f": _tip_adapter_f,
    "linear_probe": _linear_probe,
}
