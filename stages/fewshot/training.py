"""One training loop for every few-shot model: seeded, stopped by validation, resumed after a kill, halted by NaN."""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from stages.core.errors import InputError
from stages.fewshot.losses import smoothed_cross_entropy
from stages.fewshot.recipes import Recipe
from stages.fewshot.storage import Storage, pack, unpack

WATCHED = 50  # times at most that a training is watched


class Labelled(NamedTuple):
    """Inputs [N, ...] of a model and their labels i8 [N]."""

    inputs: Tensor
    labels: Tensor


class Epoch(NamedTuple):
    """What one epoch ended with; its own loss and accuracy are means over its steps, NaN for epoch 0, before any."""

    epoch: int
    loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


class Course(NamedTuple):
    """Every epoch, and what `watch` gave after epoch 0 and then in steps, `WATCHED` of them at most."""

    epochs: list[Epoch]
    watched: list[Tensor]


def fit(
    build: Callable[[], nn.Module],
    support: Labelled,
    validation: Labelled,
    recipe: Recipe,
    *,
    seed: int,
    name: str,
    storage: Storage,
    every_seconds: float = 0.0,
    judged_at_once: int = 1024,
    augment: Callable[[Tensor], Tensor] | None = None,
    watch: Callable[[nn.Module], Tensor] | None = None,
) -> tuple[nn.Module, Course]:
    """Build and train a model of inputs -> logits [N, C]; it comes back as it was at its lowest validation loss.

    All that is random, from the first weights on, comes from torch's generator, seeded by `seed` and left as it was
    found. The whole state goes into `storage` after an epoch, at most once in `every_seconds`, and the same call
    continues from there. InputError names the step whose loss is not finite; what was stored before it stays.
    """
    device = support.inputs.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        training = _Training(build().to(device), support, validation, recipe, name, judged_at_once, augment, watch)
        stored, content = time.monotonic(), storage.get()
        if content is None:
            training.judge(0, math.nan, math.nan)
        else:
            training.restore(unpack(content))
        with tqdm(
            total=recipe.epochs, initial=training.done, desc=name, unit="epoch", leave=False, disable=None
        ) as bar:
            while not training.over:
                training.judge(training.done + 1, *training.learn(training.done + 1))
                bar.update()
                bar.set_postfix(training.figures())
                if time.monotonic() - stored >= every_seconds:
                    storage.put(pack(training.state()))
                    stored = time.monotonic()
    training.model.load_state_dict(training.best)
    return training.model.eval(), Course(training.epochs, training.watched)


@torch.no_grad()
def predict(model: nn.Module, inputs: Tensor, *, at_once: int) -> Tensor:
    """Logits f4 [N, C] of inputs [N, ...] in evaluation mode, `at_once` inputs at a time."""
    model.eval()
    return torch.cat([_logits(model, batch) for batch in inputs.split(at_once)])


class _Training:
    """A model in training with everything that its next step depends on."""

    def __init__(self, model, support, validation, recipe, name, judged_at_once, augment, watch):
        self.model, self.support, self.validation, self.recipe, self.name = model, support, validation, recipe, name
        self.judged_at_once, self.augment, self.watch = judged_at_once, augment, watch
        self.optimiser = recipe.optimiser_of(model)
        self.epochs: list[Epoch] = []
        self.watched: list[Tensor] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0

    @property
    def done(self) -> int:
        """Epochs that are over; epoch 0, the start, is judged only."""
        return len(self.epochs) - 1

    @property
    def over(self) -> bool:
        """Whether all epochs are, or patience is."""
        return self.done >= self.recipe.epochs or self.done - self.best_epoch >= self.recipe.patience

    def learn(self, epoch: int) -> tuple[float, float]:
        """One pass over the support set in random order; its mean loss and accuracy."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate(epoch - 1)
        self.model.train()
        inputs, labels = self.support
        order, loss_sum, hits = torch.randperm(len(labels)).to(labels.device), 0.0, 0
        for step, rows in enumerate(_pieces(order, self.recipe.batch_size), start=1):
            self.optimiser.zero_grad()
            for part in _pieces(rows, self.recipe.at_once):
                shown = self.augment(inputs[part]) if self.augment else inputs[part]
                logits = _logits(self.model, shown)
                loss = smoothed_cross_entropy(logits, labels[part], smoothing=self.recipe.label_smoothing)
                self._check(loss, epoch, step)
                (loss * (len(part) / len(rows))).backward()
                loss_sum += loss.item() * len(part)
                hits += int((logits.argmax(1) == labels[part]).sum())
            self.optimiser.step()
        return loss_sum / len(labels), hits / len(labels)

    def judge(self, epoch: int, loss: float, accuracy: float) -> None:
        """Note the epoch, and keep the weights where no earlier validation loss was as low."""
        logits = predict(self.model, self.validation.inputs, at_once=self.judged_at_once)
        validation_loss = smoothed_cross_entropy(logits, self.validation.labels, smoothing=self.recipe.label_smoothing)
        self._check(validation_loss, epoch, "validation")
        validation_accuracy = (logits.argmax(1) == self.validation.labels).float().mean()
        if not self.epochs or validation_loss < self.epochs[self.best_epoch].validation_loss:
            self.best_epoch = epoch
            self.best = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.epochs.append(Epoch(epoch, loss, accuracy, validation_loss.item(), validation_accuracy.item()))
        if self.watch and epoch % math.ceil(self.recipe.epochs / WATCHED) == 0:
            self.watched.append(self.watch(self.model))

    def figures(self) -> dict[str, str]:
        """The last epoch, for the progress bar."""
        last = self.epochs[-1]
        return {"loss": f"{last.loss:.3f}", "validation": f"{last.validation_accuracy:.1%}"}

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epochs": [tuple(epoch) for epoch in self.epochs],
            "watched": self.watched,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "generator": torch.get_rng_state(),
            "cuda_generator": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epochs = [Epoch(*epoch) for epoch in state["epochs"]]
        self.watched, self.best, self.best_epoch = state["watched"], state["best"], state["best_epoch"]
        torch.set_rng_state(state["generator"])
        if state["cuda_generator"] is not None:
            torch.cuda.set_rng_state(state["cuda_generator"])

    def _check(self, loss: Tensor, epoch: int, step: int | str) -> None:
        if not loss.isfinite():
            raise InputError(
                f"{self.name}: the loss is {loss.item()} at epoch {epoch}, step {step}, expected a finite one; "
                "the last good checkpoint is kept (params.yaml: train.learning_rate may be too high)"
            )


def _logits(model: nn.Module, inputs: Tensor) -> Tensor:
    """Logits f4 [B, C]; on CUDA the arithmetic is in bfloat16 where that is safe."""
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=inputs.device.type == "cuda"):
        return model(inputs).float()


def _pieces(rows: Tensor, at_most: int) -> tuple[Tensor, ...]:
    """`rows` in pieces of nearly equal length, none of more than `at_most`: no batch is left with a single sample."""
    return rows.tensor_split(-(-len(rows) // at_most))
