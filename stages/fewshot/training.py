"""The training loop of every few-shot model: seeded, stopped early by validation, resumed after a kill, halted by NaN.

N samples, C classes.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from stages.core.errors import InputError
from stages.fewshot.checkpoints import Checkpoint, deserialise, serialise
from stages.fewshot.recipes import Recipe

RECORDED_EPOCHS = 50  # at most, of the epochs whose test predictions are recorded


class Labelled(NamedTuple):
    """Inputs [N, ...] of a model and their labels i8 [N]."""

    inputs: Tensor
    labels: Tensor


class Epoch(NamedTuple):
    """The figures of one epoch; `loss` and `train_accuracy` are means over its steps, NaN for epoch 0, before any."""

    epoch: int
    loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


class TrainingHistory(NamedTuple):
    """Every epoch, and the classes i2 [M] predicted for the test inputs after epoch 0 and then at even intervals."""

    epochs: list[Epoch]
    epoch_predictions: list[Tensor]


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How `fit` trains.

    `name` is shown in the progress bar and in errors. A checkpoint is written after an epoch, at most once in
    `checkpoint_seconds`. `augment` changes the inputs of every step. With `test_inputs` [M, ...] the classes predicted
    for them are recorded, `RECORDED_EPOCHS` times at most. `choose_by` says what on the validation set makes an epoch
    the best.
    """

    recipe: Recipe
    seed: int
    name: str
    checkpoint_seconds: float = 0.0
    evaluation_batch_size: int = 1024
    augment: Callable[[Tensor], Tensor] | None = None
    test_inputs: Tensor | None = None
    choose_by: Literal["loss", "accuracy"] = "loss"


def fit(
    build: Callable[[], nn.Module],
    support: Labelled,
    validation: Labelled,
    config: FitConfig,
    *,
    checkpoint: Checkpoint,
) -> tuple[nn.Module, TrainingHistory]:
    """Build and train a model of inputs -> logits [N, C]; it is returned as it was at its best epoch.

    All random numbers, from the first weights on, come from torch's generator, seeded by the config's seed and restored
    afterwards. The same call continues from `checkpoint`. InputError names the step whose loss is not finite; the
    checkpoint written before it stays.
    """
    device = support.inputs.device
    with seeded(config.seed, device):
        trainer = _Trainer(build().to(device), support, validation, config)
        trainer.start(checkpoint.read())
        written, epochs = time.monotonic(), config.recipe.epochs
        with tqdm(
            total=epochs, initial=trainer.epochs_done, desc=config.name, unit="epoch", leave=False, disable=None
        ) as bar:
            while not trainer.finished:
                trainer.run_epoch()
                bar.update()
                bar.set_postfix(trainer.last_figures())
                if time.monotonic() - written >= config.checkpoint_seconds:
                    checkpoint.write(serialise(trainer.state()))
                    written = time.monotonic()
    trainer.model.load_state_dict(trainer.best)
    return trainer.model.eval(), TrainingHistory(trainer.epochs, trainer.epoch_predictions)


@torch.no_grad()
def predict(model: nn.Module, inputs: Tensor, *, batch_size: int) -> Tensor:
    """Logits f4 [N, C] of inputs [N, ...] in evaluation mode."""
    model.eval()
    return torch.cat([model(batch) for batch in inputs.split(batch_size)])


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's generator seeded within the context, and restored after it."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, *, smoothing: float) -> Tensor:
    """Mean over logits [N, C] of the cross entropy to 1 - smoothing on the label, smoothing / (C - 1) on each other.

    That is the loss of PointCLIP's released code. Torch's `label_smoothing` gives each of all C classes an equal part,
    the label too, so it must be larger by C / (C - 1).
    """
    classes = logits.shape[1]
    return cross_entropy(logits, labels, label_smoothing=smoothing * classes / max(classes - 1, 1))


class _Part(NamedTuple):
    """What one part of a step gave, still on the device: its mean loss, and how many of its samples were right."""

    loss: Tensor
    correct: Tensor
    size: int


class _Trainer:
    """A model in training, with everything that its next step depends on."""

    def __init__(self, model: nn.Module, support: Labelled, validation: Labelled, config: FitConfig):
        self.model, self.support, self.validation, self.config = model, support, validation, config
        self.recipe = config.recipe
        self.optimiser = self.recipe.optimiser_of(model)
        self.schedule = self.recipe.schedule_of(self.optimiser)
        self.epochs: list[Epoch] = []
        self.epoch_predictions: list[Tensor] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0

    @property
    def epochs_done(self) -> int:
        """Epochs that are over; epoch 0 is the untrained model, which is only validated."""
        return len(self.epochs) - 1

    @property
    def finished(self) -> bool:
        """Whether all epochs are over, or as many as `patience` brought no better one."""
        return self.epochs_done >= self.recipe.epochs or self.epochs_done - self.best_epoch >= self.recipe.patience

    def start(self, checkpoint: bytes | None) -> None:
        """Continue from a checkpoint, or validate the untrained model where there is none."""
        if checkpoint is None:
            self._validate(0, math.nan, math.nan)
        else:
            self._restore(deserialise(checkpoint))

    def run_epoch(self) -> None:
        """One pass over the support set in random order, then validation."""
        epoch = self.epochs_done + 1
        self.model.train()
        order = torch.randperm(len(self.support.labels))[: self._samples_used].to(self.support.labels.device)
        steps = [self._step(rows) for rows in _batches(order, self.recipe.batch_size)]
        loss_sum, correct = self._figures(steps, epoch)
        self.schedule.step()
        self._validate(epoch, loss_sum / len(order), correct / len(order))

    @property
    def _samples_used(self) -> int:
        """Samples of an epoch."""
        samples, size = len(self.support.labels), self.recipe.batch_size
        return samples - samples % size if self.recipe.drop_last and samples > size else samples

    def last_figures(self) -> dict[str, str]:
        """The last epoch, for the progress bar."""
        last = self.epochs[-1]
        return {"loss": f"{last.loss:.3f}", "validation": f"{last.validation_accuracy:.1%}"}

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "epochs": [tuple(epoch) for epoch in self.epochs],
            "epoch_predictions": self.epoch_predictions,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "generator": torch.get_rng_state(),
            "cuda_generator": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.epochs = [Epoch(*epoch) for epoch in state["epochs"]]
        self.epoch_predictions, self.best = state["epoch_predictions"], state["best"]
        self.best_epoch = state["best_epoch"]
        torch.set_rng_state(state["generator"])
        if state["cuda_generator"] is not None:
            torch.cuda.set_rng_state(state["cuda_generator"])

    def _step(self, rows: Tensor) -> list[_Part]:
        """One optimiser step on rows of the support set; nothing in it waits for the device."""
        parts = []
        self.optimiser.zero_grad()
        for part in _batches(rows, self.recipe.micro_batch_size):
            inputs, labels = self.support.inputs[part], self.support.labels[part]
            logits = self.model(self.config.augment(inputs) if self.config.augment else inputs)
            loss = smoothed_cross_entropy(logits, labels, smoothing=self.recipe.label_smoothing)
            parts.append(_Part(loss.detach(), _correct(logits, labels), len(part)))
            (loss * (len(part) / len(rows))).backward()
        self.optimiser.step()
        return parts

    def _figures(self, steps: list[list[_Part]], epoch: int) -> tuple[float, int]:
        """Summed loss and number of correct predictions of an epoch's steps, which are waited for here.

        InputError names the first step whose loss is not finite; the epoch then leaves no checkpoint.
        """
        losses = iter(torch.stack([part.loss for step in steps for part in step]).tolist())
        correct = int(torch.stack([part.correct for step in steps for part in step]).sum())
        loss_sum = 0.0
        for number, step in enumerate(steps, start=1):
            where = f"epoch {epoch}, step {number}"
            loss_sum += sum(self._finite(loss, where) * part.size for part, loss in zip(step, losses, strict=False))
        return loss_sum, correct

    def _validate(self, epoch: int, loss: float, train_accuracy: float) -> None:
        """Append the epoch, and keep the weights where no earlier epoch was as good."""
        inputs, labels = self.validation
        logits = predict(self.model, inputs, batch_size=self.config.evaluation_batch_size)
        smoothed = smoothed_cross_entropy(logits, labels, smoothing=self.recipe.label_smoothing)
        validation_loss = self._finite(smoothed.item(), f"epoch {epoch}, step validation")
        accuracy = int(_correct(logits, labels)) / len(labels)
        self.epochs.append(Epoch(epoch, loss, train_accuracy, validation_loss, accuracy))
        if epoch == 0 or self._is_better(self.epochs[epoch], self.epochs[self.best_epoch]):
            self.best_epoch = epoch
            self.best = {key: value.clone() for key, value in self.model.state_dict().items()}
        if self.config.test_inputs is not None and epoch % math.ceil(self.recipe.epochs / RECORDED_EPOCHS) == 0:
            test = predict(self.model, self.config.test_inputs, batch_size=self.config.evaluation_batch_size)
            self.epoch_predictions.append(test.argmax(1).short().cpu())

    def _is_better(self, epoch: Epoch, best: Epoch) -> bool:
        if self.config.choose_by == "accuracy":
            return epoch.validation_accuracy > best.validation_accuracy
        return epoch.validation_loss < best.validation_loss

    def _finite(self, loss: float, where: str) -> float:
        """The loss; InputError where it is not finite."""
        if not math.isfinite(loss):
            raise InputError(
                f"{self.config.name}: the loss is {loss} at {where}, expected a finite one; "
                "the last good checkpoint is kept (params.yaml: train.learning_rate may be too high)"
            )
        return loss


def _correct(logits: Tensor, labels: Tensor) -> Tensor:
    """How many predictions are right, on the device."""
    return (logits.argmax(1) == labels).sum()


def _batches(rows: Tensor, size: int) -> tuple[Tensor, ...]:
    """`rows` in parts of nearly equal length of at most `size`, so that no batch is left with a single sample."""
    return rows.tensor_split(-(-len(rows) // size))
