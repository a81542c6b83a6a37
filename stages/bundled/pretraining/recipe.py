"""Training of the bundled backbone: depth maps of named objects and procedural shapes against captions.

Every step shows a batch of shapes in some views of the published classification projection and one caption of each
candidate: the concepts that the batch shows, and a few others. The loss is the cross entropy of image to caption, for
every view and for the mean of the views, and a little of that of sentences to templates of the same concept.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import affine_grid, cross_entropy, grid_sample, normalize
from tqdm import tqdm

from stages.artifacts.files import complete_file
from stages.bundled.pretraining.captions import Captions, with_filler
from stages.bundled.pretraining.tokens import Vocabulary, encode_text, use_small_table
from stages.config.pretrain import Pretrain

LABEL_SMOOTHING = 0.05
SCALES, STRETCH, SHIFT = (0.9, 1.2), 0.05, 0.075  # of maps before they are shown: factors, and shares of the half width
LARGEST_LOGIT_SCALE = 100


@dataclass(frozen=True)
class Source:
    """Maps u1 [N, V, r, r] to draw rows from, each with its concept i8 [N]; a row's `weight` [N] sums up to 1."""

    maps: np.ndarray
    concepts: np.ndarray
    weight: np.ndarray
    rows: np.ndarray  # i8 [M]: those of `maps` that may be shown; `concepts` and `weight` are of these


def source_of(maps: np.ndarray, concepts: np.ndarray) -> Source:
    """The rows whose concept is not negative; a concept of four times as many rows is shown twice as often."""
    rows = np.flatnonzero(concepts >= 0)
    shown = concepts[rows]
    weight = 1 / np.sqrt(np.bincount(shown)[shown])
    return Source(maps, shown, weight / weight.sum(), rows)


@dataclass(frozen=True)
class Sources:
    """Where the shapes of a step come from."""

    objects: Source
    procedural: Source
    parts: Source


@dataclass(frozen=True)
class Batch:
    """Maps f4 [B, v, r, r], captions and plain captions [T] of the candidates, and the target i8 [B] among them."""

    maps: torch.Tensor
    captions: list[str]
    plain: list[str]
    target: torch.Tensor


@dataclass
class Course:
    """The course of a training: the loss of every step, and scores by name at some steps."""

    losses: list[float] = field(default_factory=list)
    scores: list[dict[str, float]] = field(default_factory=list)

    def means(self, width: int) -> list[float]:
        """Mean loss of every `width` steps."""
        starts = range(0, len(self.losses), width)
        return [float(np.mean(self.losses[start : start + width])) for start in starts]


def batch_of(step: int, sources: Sources, captions: Captions, settings: Pretrain) -> Batch:
    """What a step shows; the same for the same seed and step."""
    rng = np.random.default_rng((settings.seed, step, settings.batch_size))
    size = settings.batch_size
    objects, parts, procedural = rng.multinomial(
        size, (settings.object_share, settings.part_share, 1 - settings.object_share - settings.part_share)
    )
    views = np.sort(rng.permutation(sources.objects.maps.shape[1])[: settings.views_shown])
    drawn = [
        _drawn(source, count, views, rng)
        for source, count in ((sources.objects, objects), (sources.parts, parts), (sources.procedural, procedural))
    ]
    maps, shown = (np.concatenate(values) for values in zip(*drawn, strict=True))
    others = rng.choice(len(captions.concepts), min(settings.other_concepts, len(captions.concepts)), replace=False)
    candidates = np.union1d(shown, others)
    texts = [captions.drawn(int(i), rng, sentence_share=settings.sentence_share) for i in candidates]
    plain = [captions.drawn_plain(int(i), rng) for i in candidates]
    if rng.random() < settings.filler_share:
        texts = [with_filler(text, captions.concepts[i], rng) for text, i in zip(texts, candidates, strict=True)]
    target = torch.from_numpy(np.searchsorted(candidates, shown))
    return Batch(_moved(torch.from_numpy(maps), rng), texts, plain, target)


def _drawn(source: Source, count: int, views: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Maps u1 [count, v, r, r] and concepts of so many rows, in the file's order, which reads faster."""
    chosen = np.sort(rng.choice(len(source.rows), count, p=source.weight))
    return source.maps[source.rows[chosen][:, None], views], source.concepts[chosen]


def _moved(maps: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Maps u1 [B, v, r, r] -> f4 in 0..1, each a little larger or smaller, stretched and shifted, 1 all around."""
    count = maps.shape[0] * maps.shape[1]
    scale = 1 / rng.uniform(*SCALES, size=count)
    change = np.zeros((count, 2, 3), np.float32)
    change[:, 0, 0], change[:, 1, 1] = scale, scale * (1 + rng.uniform(-STRETCH, STRETCH, size=count))
    change[:, :, 2] = rng.uniform(-SHIFT, SHIFT, size=(count, 2))
    near = 1 - maps.flatten(0, 1)[:, None].float() / 255  # so that what comes in from outside is background
    grid = affine_grid(torch.from_numpy(change), list(near.shape), align_corners=False)
    return (1 - grid_sample(near, grid, align_corners=False))[:, 0].unflatten(0, maps.shape[:2])


def loss_of(model: torch.nn.Module, batch: Batch, vocabulary: Vocabulary, settings: Pretrain) -> torch.Tensor:
    """Cross entropy of maps to captions, per view plus for the mean view, plus that of captions to templates."""
    device = model.logit_scale.device
    views = batch.maps.shape[1]
    pixels = batch.maps.to(device).flatten(0, 1)[:, None].expand(-1, 3, -1, -1)
    target = batch.target.to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
        image = model.encode_image(pixels.contiguous(memory_format=torch.channels_last))
        text = _text_features(model, batch.captions, vocabulary)
        plain = _text_features(model, batch.plain, vocabulary) if settings.consistency else None
    image = normalize(image.float(), dim=-1).unflatten(0, (-1, views))
    scaled = model.logit_scale.exp() * text
    per_view = _cross_entropy((image @ scaled.T).flatten(0, 1), target.repeat_interleave(views))
    loss = per_view + _cross_entropy(normalize(image.mean(1), dim=-1) @ scaled.T, target)
    if plain is not None:
        same = torch.arange(len(text), device=device)
        loss = loss + settings.consistency * _cross_entropy(scaled @ plain.T, same)
    return loss


def _text_features(model: torch.nn.Module, texts: list[str], vocabulary: Vocabulary) -> torch.Tensor:
    """Unit features [T, D]; the shorter and the longer half go in turn, as one is filled up to its longest."""
    device = model.logit_scale.device
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    features = []
    for half in filter(len, np.array_split(order, 2)):
        rows, ends = vocabulary.rows([texts[i] for i in half])
        features.append(normalize(encode_text(model, rows.to(device), ends.to(device)).float(), dim=-1))
    return torch.cat(features)[torch.tensor(order, device=device).argsort()]


def _cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return cross_entropy(logits, target, label_smoothing=LABEL_SMOOTHING)


def train(
    model: torch.nn.Module,
    sources: Sources,
    captions: Captions,
    vocabulary: Vocabulary,
    settings: Pretrain,
    *,
    checkpoint: Path,
    score: Callable[[torch.nn.Module], dict[str, float]],
) -> Course:
    """Train `model` in place, its token table that of `vocabulary`, and give the course of it.

    The state is kept in `checkpoint` every `checkpoint_steps` steps, with what `score` says of it; where there is one
    already, the training goes on from it and ends as if it had never stopped.
    """
    use_small_table(model, vocabulary, seed=settings.seed)
    model.visual.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        settings.learning_rate,
        total_steps=settings.steps,
        pct_start=settings.warmup_steps / settings.steps,
        cycle_momentum=False,
    )
    course = _restored(checkpoint, model, optimiser, schedule)
    bar = tqdm(total=settings.steps, initial=len(course.losses), unit="step", mininterval=5)
    for step in range(len(course.losses), settings.steps):
        model.train()
        loss = loss_of(model, batch_of(step, sources, captions, settings), vocabulary, settings)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=np.log(LARGEST_LOGIT_SCALE))
        course.losses.append(loss.item())
        bar.set_postfix(loss=f"{np.mean(course.losses[-100:]):.3f}", refresh=False)
        bar.update()
        if (step + 1) % settings.checkpoint_steps == 0 or step + 1 == settings.steps:
            course.scores.append({"step": step + 1, **score(model.eval())})
            tqdm.write(", ".join(f"{name} {value:g}" for name, value in course.scores[-1].items()))
            _keep(checkpoint, model, optimiser, schedule, course)
    bar.close()
    model.eval()
    return course


def _keep(checkpoint: Path, model, optimiser, schedule, course: Course) -> None:
    state = {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "course": vars(course),
    }
    with complete_file(checkpoint) as temporary:
        torch.save(state, temporary)


def _restored(checkpoint: Path, model, optimiser, schedule) -> Course:
    """The course so far; the model, the optimiser and the schedule are as they were kept."""
    if not checkpoint.is_file():
        return Course()
    state = torch.load(checkpoint, map_location=model.logit_scale.device, weights_only=True)
    for what, key in ((model, "model"), (optimiser, "optimiser"), (schedule, "schedule")):
        what.load_state_dict(state[key])
    return Course(**state["course"])


def top1(
    model: torch.nn.Module,
    maps: np.ndarray,
    labels: np.ndarray,
    names: tuple[str, ...],
    vocabulary: Vocabulary,
    *,
    template: str = "a depth map of a {}.",
) -> float:
    """Share of maps u1 [N, V, r, r] whose mean view is nearest to the template of their own name, of all `names`."""
    device = model.logit_scale.device
    with torch.no_grad():
        text = _text_features(model, [template.replace("{}", name) for name in names], vocabulary)
        chosen = []
        for block in np.array_split(maps, max(1, len(maps) // 64)):
            pixels = torch.from_numpy(block).to(device).float().div(255).flatten(0, 1)[:, None].expand(-1, 3, -1, -1)
            image = normalize(model.encode_image(pixels), dim=-1).unflatten(0, block.shape[:2])
            chosen.append((image.mean(1) @ text.T).argmax(1).cpu().numpy())
    return float((np.concatenate(chosen) == labels).mean())
