"""Training of the bundled backbone: depth maps against captions, from real CAD models and procedural shapes.

Every step shows a batch of objects in some views of the published classification projection and one fresh caption per
concept (class, or part of a class); the loss is the cross entropy of image to caption, for every view and for the mean
of the views (CLIP's image-to-text half with all concepts as candidates).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import open_clip
import torch
from torch.nn.functional import cross_entropy, normalize
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from stages.artifacts.types import Clouds
from stages.backbones.clip import ClipModel, resize
from stages.bundled.pretraining.captions import FILLER, Concept, caption, vocabulary
from stages.bundled.procedural import generator
from stages.config.pretrain import Pretrain
from stages.core.sampling import farthest_points
from stages.language.prompts.templates import fill
from stages.projection.presets import Projection
from stages.projection.rendering import render
from stages.zeroshot.classifier import class_logits, rank_classes
from stages.zeroshot.metrics import top_k_accuracy

POINTS_DRAWN = 3000
POINTS_SHOWN = (512, 2048)
MIN_PART_POINTS = 128
OTHER_PARTS = 8  # part captions of a step that no object of it shows
FILLER_STEPS = 0.2  # steps whose captions hold unknown words


@dataclass(frozen=True)
class RealShapes:
    """CAD models to learn from: clouds and their class names [C]."""

    clouds: Clouds
    classes: tuple[str, ...]


def concepts_of(classes: tuple[str, ...], *, seed: int) -> list[Concept]:
    """Every class, real or procedural, then the parts that a few shapes of the ShapeNetPart categories have, sorted."""
    rng = np.random.default_rng(seed)
    concepts = {Concept(name) for name in (*classes, *generator.CLASSES)}
    for name in generator.PART_CATEGORIES:
        for _ in range(12):
            concepts |= {Concept(name, part) for part in generator.generate(name, points=8, rng=rng)[2]}
    return sorted(concepts, key=lambda concept: (concept.part is not None, concept.class_name, concept.part or ""))


class ShapeBatches(Dataset):
    """Step -> (some views of B objects f4 [B, v, r, r], each object's concept i8 [B]); the same for the same seed."""

    def __init__(
        self, real: RealShapes, concepts: list[Concept], settings: Pretrain, projection: Projection, resolution: int
    ):
        self._real, self._settings, self._projection, self._resolution = real, settings, projection, resolution
        self._index = {concept: i for i, concept in enumerate(concepts)}
        self._procedural = [
            concept.class_name
            for concept in concepts
            if concept.part is None and concept.class_name in generator.CLASSES
        ]
        counts = np.bincount(real.clouds.labels, minlength=len(real.classes))
        # square root: a class of 20 models is seen more often than one of 5, but not four times as often
        weight = 1 / np.sqrt(counts[real.clouds.labels])
        self._real_weight = weight / weight.sum()

    def __len__(self) -> int:
        return self._settings.steps

    def __getitem__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng((self._settings.seed, step))
        shapes = [self._draw(rng) for _ in range(self._settings.batch_size)]
        depth = render([augment(points, rng) for points, _ in shapes], self._projection, threads=1)
        views = rng.permutation(depth.shape[1])[: self._settings.views_shown]
        maps = resize(torch.from_numpy(depth[:, views]), self._resolution)
        return maps, torch.tensor([self._index[concept] for _, concept in shapes])

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, Concept]:
        if rng.random() < self._settings.real_share:
            row = rng.choice(len(self._real_weight), p=self._real_weight)
            return self._real.clouds.points[row], Concept(self._real.classes[self._real.clouds.labels[row]])
        name = self._procedural[rng.integers(len(self._procedural))]
        points, parts, part_names = generator.generate(name, points=POINTS_DRAWN, rng=rng)
        if name in generator.PART_CATEGORIES and rng.random() < self._settings.part_share:
            part = int(rng.integers(len(part_names)))
            alone = Concept(name, part_names[part])
            if (parts == part).sum() >= MIN_PART_POINTS and alone in self._index:
                return points[parts == part], alone
        return points, Concept(name)


def augment(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Points f4 [P, 3], y up, turned, mirrored, stretched, thinned and shaken at random -> f4 [Q, 3]."""
    low, high = POINTS_SHOWN
    count = min(len(points), int(rng.integers(low, high + 1)))
    evenly = rng.random() < 0.6
    points = points[
        farthest_points(points, count, int(rng.integers(len(points))))
        if evenly
        else rng.permutation(len(points))[:count]
    ]
    quarter_turns = rng.random() < 0.7
    yaw = rng.integers(4) * np.pi / 2 + rng.normal(0, 0.1) if quarter_turns else rng.uniform(0, 2 * np.pi)
    tilt, roll = rng.normal(0, 0.05, size=2)
    stretch = np.exp(rng.uniform(-0.12, 0.12, size=3)) * (rng.choice((-1, 1)), 1, 1)
    noise = rng.normal(0, rng.choice((0, 0.005, 0.015)), size=points.shape)
    return ((points * stretch + noise) @ _rotation(yaw, tilt, roll).T).astype(np.float32)


def train(
    model: torch.nn.Module, real: RealShapes, settings: Pretrain, projection: Projection
) -> tuple[torch.Tensor, list[float]]:
    """Train `model` in place; gives the ids of the trained token rows [K] and the mean loss of every 100 steps."""
    concepts = concepts_of(real.classes, seed=settings.seed)
    token_ids = _prepare_tokens(model, concepts, seed=settings.seed)
    batches = ShapeBatches(real, concepts, settings, projection, model.visual.image_size)
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        settings.learning_rate,
        total_steps=settings.steps,
        pct_start=settings.warmup_steps / settings.steps,
        cycle_momentum=False,
    )
    rng = np.random.default_rng((settings.seed, settings.steps))
    model.train().to(memory_format=torch.channels_last)
    losses, bar = (
        [],
        tqdm(DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=4), unit="step", mininterval=5),
    )
    for maps, target in bar:
        shown, target = _shown_concepts(concepts, target, rng)
        filler = rng.random() < FILLER_STEPS
        tokens = open_clip.tokenize([caption(concept, rng, filler=filler) for concept in shown])
        loss = _loss(model, maps, tokens, target)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=np.log(100))
        losses.append(loss.item())
        bar.set_postfix(loss=f"{np.mean(losses[-100:]):.3f}")
    model.eval()
    return token_ids, list(_means(losses, 100))


def _shown_concepts(
    concepts: list[Concept], target: torch.Tensor, rng: np.random.Generator
) -> tuple[list[Concept], torch.Tensor]:
    """The candidates of one step and the targets among them: all classes, the parts asked for, and a few others."""
    classes = sum(concept.part is None for concept in concepts)
    others = rng.choice(np.arange(classes, len(concepts)), OTHER_PARTS, replace=False)
    shown = np.union1d(np.arange(classes), np.union1d(target.numpy(), others))
    return [concepts[index] for index in shown], torch.from_numpy(np.searchsorted(shown, target.numpy()))


def top1(
    model: torch.nn.Module, clouds: Clouds, classes: tuple[str, ...], projection: Projection, *, template: str
) -> float:
    """Zero-shot accuracy of `clouds` over all `classes` with one template a class and equal view weights."""
    clip = ClipModel(model, open_clip.tokenize, normalisation="none", device=torch.device("cpu"))
    depth = render(clouds.points, projection, threads=1)
    text = clip.encode_text([fill([template], name)[0] for name in classes], batch_size=256)
    features = clip.encode_depth(depth, batch_size=256)
    logits = class_logits(features, text, view_weights=np.ones(features.shape[1]), logit_scale=clip.logit_scale)
    return top_k_accuracy(rank_classes(logits, top=1)[0], clouds.labels, k=1)


def _loss(model: torch.nn.Module, maps: torch.Tensor, tokens: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross entropy of maps [B, V, r, r] to captions [T, L], per view plus for the mean view; target i8 [B]."""
    views = maps.shape[1]
    pixels = maps.flatten(0, 1)[:, None].expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
    image = normalize(model.encode_image(pixels), dim=-1).unflatten(0, (-1, views))
    text = model.logit_scale.exp() * normalize(_encode_short(model, tokens), dim=-1)
    per_view = cross_entropy((image @ text.T).flatten(0, 1), target.repeat_interleave(views), label_smoothing=0.05)
    return per_view + cross_entropy(normalize(image.mean(1), dim=-1) @ text.T, target, label_smoothing=0.05)


def _encode_short(model: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """open_clip's encode_text on the columns in use: attention is causal, so those after the end token are idle."""
    end = tokens.argmax(dim=1)
    length = int(end.max()) + 1
    x = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    return x[torch.arange(len(x)), end] @ model.text_projection


def _prepare_tokens(model: torch.nn.Module, concepts: list[Concept], *, seed: int) -> torch.Tensor:
    """Zero the whole token table but the vocabulary's rows, and hold the filler's row at zero; ids of those rows."""
    encode = open_clip.tokenizer.SimpleTokenizer().encode
    words = torch.tensor(sorted(set(encode(vocabulary(concepts)))))
    ends = torch.tensor([model.vocab_size - 2, model.vocab_size - 1])
    ids = torch.cat([words, ends])
    table = model.token_embedding.weight
    with torch.no_grad():
        rows = torch.randn(len(ids), table.shape[1], generator=torch.Generator().manual_seed(seed)) * 0.02
        table.zero_()
        table[ids] = rows
    filler = torch.tensor(encode(FILLER))
    table.register_hook(lambda gradient: gradient.index_fill(0, filler, 0.0))
    return ids


def _means(values: list[float], width: int) -> Iterator[float]:
    for start in range(0, len(values), width):
        yield float(np.mean(values[start : start + width]))


def _rotation(yaw: float, tilt: float, roll: float) -> np.ndarray:
    """Rotation [3, 3]: about y by `yaw`, after about x by `tilt`, after about z by `roll` (radians)."""
    turned = np.eye(3)
    for i, j, angle in ((0, 1, roll), (1, 2, tilt), (2, 0, yaw)):
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        turned = step @ turned
    return turned
