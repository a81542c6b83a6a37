"""Training recipes: the published constants under one word, and their overrides from params.yaml."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from stages.config.train import Augment, Train
from stages.core.errors import InputError
from stages.fewshot.augment import Augmentation

AdapterVariant = Literal["paper", "released"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model is trained: the optimiser, and a learning rate that rises over `warmup_epochs`, then falls to 0.

    With `warmup_rate` the rate is that in the warm-up instead of rising. `patience` epochs without a better validation
    loss end the training. With `drop_last` an epoch leaves out the samples that do not fill its last batch. The
    gradients of a batch are accumulated over parts of `micro_batch_size`, which are in memory one at a time. In
    training, features are moved by normal noise of `feature_noise` times their length.
    """

    optimiser: Literal["sgd", "adamw"]
    batch_size: int
    micro_batch_size: int
    epochs: int
    learning_rate: float
    weight_decay: float
    warmup_epochs: int
    label_smoothing: float
    patience: int
    feature_noise: float
    warmup_rate: float | None = None
    drop_last: bool = False

    def optimiser_of(self, model: nn.Module) -> Optimizer:
        """An optimiser of the parameters that are trained."""
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if self.optimiser == "sgd":
            return SGD(trained, self.learning_rate, momentum=0.9, weight_decay=self.weight_decay, fused=True)
        return AdamW(trained, self.learning_rate, weight_decay=self.weight_decay)

    def schedule_of(self, optimiser: Optimizer) -> LRScheduler:
        """The learning rate by epoch: linear up to the full rate over the warm-up, then a cosine to 0.

        With `warmup_rate` the cosine is as long as all epochs, as in PointCLIP's training library, and so ends above 0.
        """
        constant = self.warmup_rate is not None
        cosine = CosineAnnealingLR(optimiser, self.epochs if constant else self.epochs - self.warmup_epochs)
        if not self.warmup_epochs:
            return cosine
        if constant:
            warmup = ConstantLR(optimiser, self.warmup_rate / self.learning_rate, total_iters=self.warmup_epochs)
        else:
            warmup = LinearLR(optimiser, 1 / (self.warmup_epochs + 1), total_iters=self.warmup_epochs)
        return SequentialLR(optimiser, [warmup, cosine], milestones=[self.warmup_epochs])


# PointCLIP's released configuration; momentum and weight decay are those of its training library.
POINTCLIP = Recipe(
    optimiser="sgd",
    batch_size=32,
    micro_batch_size=32,
    epochs=250,
    learning_rate=0.01,
    weight_decay=0.0005,
    warmup_epochs=1,
    label_smoothing=0.2,
    patience=250,
    feature_noise=0.0,
    warmup_rate=1e-5,
    drop_last=True,
)
PRESETS = {
    # chosen on held-out folds of train splits (README)
    "ours": dataclasses.replace(
        POINTCLIP,
        batch_size=8,
        micro_batch_size=8,
        epochs=20,
        learning_rate=0.1,
        label_smoothing=0.0,
        patience=10,
        warmup_rate=None,
        drop_last=False,
    ),
    # The report gives batch 8, SGD and a cosine, and says that it combined PointCLIP's code with PointCLIP V2's.
    "report": dataclasses.replace(POINTCLIP, batch_size=8, micro_batch_size=8),
    "pointclip": POINTCLIP,
}
ADAPTER_VARIANTS: dict[str, AdapterVariant] = {"ours": "paper", "report": "released", "pointclip": "released"}
_POINTCLIP_AUGMENTATION = Augmentation(turn=0.0, scale=(2 / 3, 3 / 2), shift=0.2, jitter=0.0, dropout=0.0)
AUGMENTATIONS = {
    "ours": Augmentation(turn=10.0, scale=(0.9, 1.1), shift=0.0, jitter=0.005, dropout=0.3),
    "report": _POINTCLIP_AUGMENTATION,
    "pointclip": _POINTCLIP_AUGMENTATION,
}
# Learnable smoothing has few weights, and every pixel depends on them: larger steps make the training unstable.
SMOOTHING_PRESETS = PRESETS | {"ours": dataclasses.replace(PRESETS["ours"], epochs=8, learning_rate=0.01, patience=8)}
# Tip-Adapter-F's released recipe with the 100 epochs of its EuroSAT configuration, where an epoch is one batch as well.
# The patience is ours.
TIP_ADAPTER_F = Recipe(
    optimiser="adamw",
    batch_size=256,
    micro_batch_size=256,
    epochs=100,
    learning_rate=0.001,
    weight_decay=0.01,
    warmup_epochs=0,
    label_smoothing=0.0,
    patience=100,
    feature_noise=0.0,
)


# The fields of a recipe that section `train` may set one by one.
OVERRIDES = tuple(field.name for field in dataclasses.fields(Recipe) if field.name in Train.__dataclass_fields__)


def resolve(settings: Train, *, presets: Mapping[str, Recipe] = PRESETS) -> Recipe:
    """The preset that `settings` names with every non-null override; InputError where the warm-up takes all epochs."""
    overrides = {name: value for name in OVERRIDES if (value := getattr(settings, name)) is not None}
    recipe = dataclasses.replace(presets[settings.preset], **overrides)
    if recipe.epochs <= recipe.warmup_epochs:
        raise InputError(f"params.yaml: train.epochs {recipe.epochs}: expected more than warmup_epochs")
    return recipe


def resolve_smoothing(settings: Train) -> Recipe:
    """The same from the presets of learnable smoothing."""
    return resolve(settings, presets=SMOOTHING_PRESETS)


def resolve_adapter(settings: Train) -> AdapterVariant:
    """The variant of the inter-view adapter that `settings` or its preset names."""
    return settings.adapter.variant or ADAPTER_VARIANTS[settings.preset]


def resolve_augmentation(settings: Train) -> Augmentation:
    """The augmentation of the preset that `settings` names with every non-null override."""
    given = {name: value for name, value in vars(settings.augment).items() if value is not None}
    if "scale" in given:
        given["scale"] = (1 - given["scale"], 1 + given["scale"])
    return AUGMENTATIONS[settings.preset]._replace(**given)


def as_published(settings: Train) -> Train:
    """The settings of runs by the published protocol: its preset, of which nothing but the epochs is overridden."""
    published = settings.as_published
    return dataclasses.replace(
        settings,
        **dict.fromkeys(OVERRIDES) | {"preset": published.preset, "epochs": published.epochs},
        adapter=dataclasses.replace(settings.adapter, variant=None),
        augment=Augment(turn=None, scale=None, shift=None, jitter=None, dropout=None),
    )
