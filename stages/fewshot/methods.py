"""The few-shot methods by name: how each builds its model, how it is trained, and what it learns from.

To add a method: a function that builds its model, and an entry in METHODS or a call of `register`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from stages.config.train import Train
from stages.core.errors import InputError
from stages.fewshot import recipes
from stages.fewshot.adapter import new_adapter
from stages.fewshot.baselines import gaussian_discriminant, linear_probe, tip_adapter, tip_adapter_f, weigh_cache
from stages.fewshot.classifiers import AdapterClassifier, CloudClassifier
from stages.fewshot.recipes import Recipe
from stages.fewshot.tasks import InputKind, Task
from stages.fewshot.training import Labelled


class BuildInputs(NamedTuple):
    """What a model is built from; `start` are the trained weights of the method that this one starts from."""

    task: Task
    settings: Train
    support: Labelled
    validation: Labelled
    start: dict[str, Tensor] | None


@dataclass(frozen=True, kw_only=True)
class Method:
    """A few-shot method.

    `build` gives a model of inputs -> logits [N, C]. `recipe` says how gradient steps train it; where it is None, the
    model comes trained from `build`. `starts_from` names a method that is trained first, on the same split; runs by the
    published protocol start from none. `finish` chooses on the validation set what gradient steps do not train, after
    them.
    """

    build: Callable[[BuildInputs], nn.Module]
    recipe: Callable[[Train], Recipe] | None = None
    learns_from: InputKind = "features"
    starts_from: str | None = None
    finish: Callable[[nn.Module, Labelled], None] | None = None


def register(name: str, method: Method) -> None:
    """Make `method` known as `name` in train.methods; ValueError where the name is taken or `starts_from` unknown."""
    if name in METHODS:
        raise ValueError(f"few-shot method '{name}' is registered already")
    if method.starts_from is not None and method.starts_from not in METHODS:
        raise ValueError(f"few-shot method '{name}' starts from '{method.starts_from}', which is not registered")
    METHODS[name] = method


def method_named(name: str, *, key: str = "train.methods") -> Method:
    """The method of that name, which `key` of params.yaml has; InputError lists the known names."""
    if name not in METHODS:
        raise InputError(f"params.yaml: {key} '{name}': expected one of {', '.join(sorted(METHODS))}")
    return METHODS[name]


def learning_from_clouds(names: Iterable[str]) -> list[str]:
    """Those of the named methods that learn from clouds: they render and encode their shots again at every step."""
    return [name for name in names if method_named(name).learns_from == "clouds"]


def _adapter(inputs: BuildInputs) -> AdapterClassifier:
    _, views, width = inputs.task.train.shape
    variant = recipes.resolve_adapter(inputs.settings)
    adapter = new_adapter(variant, inputs.settings.adapter, views=views, width=width)
    return _adapter_classifier(inputs, adapter)


def _smooth(inputs: BuildInputs) -> CloudClassifier:
    return _cloud_classifier(inputs, _adapter_classifier(inputs, nn.Identity()))


def _smooth_adapter(inputs: BuildInputs) -> CloudClassifier:
    model = _cloud_classifier(inputs, _adapter(inputs))
    # an adapter trained on stored features takes seconds, one trained from the start through the image tower minutes
    if inputs.start is not None:
        model.classify.load_state_dict(inputs.start)
    return model


def _adapter_classifier(inputs: BuildInputs, adapter: nn.Module) -> AdapterClassifier:
    noise = recipes.resolve(inputs.settings).feature_noise
    return AdapterClassifier(adapter, inputs.task.zero_shot, noise=noise)


def _cloud_classifier(inputs: BuildInputs, classify: AdapterClassifier) -> CloudClassifier:
    clouds = inputs.task.clouds
    return CloudClassifier(classify, clouds.projection, clouds.encode, channels=inputs.settings.smooth_channels)


def _tip_adapter(inputs: BuildInputs) -> nn.Module:
    return tip_adapter(inputs.support, inputs.validation, inputs.task.zero_shot)


def _tip_adapter_f(inputs: BuildInputs) -> nn.Module:
    return tip_adapter_f(inputs.support, inputs.task.zero_shot)


def _linear_probe(inputs: BuildInputs) -> nn.Module:
    start = inputs.settings.probe_start
    return linear_probe(inputs.support, inputs.validation, inputs.task.zero_shot, start=start)


def _gaussian_discriminant(inputs: BuildInputs) -> nn.Module:
    return gaussian_discriminant(inputs.support, inputs.validation, inputs.task.zero_shot)


METHODS: dict[str, Method] = {
    "adapter": Method(build=_adapter, recipe=recipes.resolve),
    "smooth": Method(build=_smooth, recipe=recipes.resolve_smoothing, learns_from="clouds"),
    "smooth_adapter": Method(
        build=_smooth_adapter, recipe=recipes.resolve_smoothing, learns_from="clouds", starts_from="adapter"
    ),
    "tip_adapter": Method(build=_tip_adapter),
    "tip_adapter_f": Method(build=_tip_adapter_f, recipe=lambda _: recipes.TIP_ADAPTER_F, finish=weigh_cache),
    "linear_probe": Method(build=_linear_probe),
    "gaussian_discriminant": Method(build=_gaussian_discriminant),
}
