"""Training of the bundled backbone for parts: its image tower learns to say of every patch which part it shows.

The text tower stays as it is. A step shows a batch of procedural shapes in some views of the published segmentation
projection; the patches' logits with one caption per part of the shape's category go to the points as in segmentation,
each view by itself, and the loss is the cross entropy of the points that a view sees.
"""

from typing import NamedTuple

import numpy as np
import open_clip
import torch
from torch.nn.functional import avg_pool2d, cross_entropy, grid_sample, normalize, pad
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from stages.backbones.clip import ClipModel, resize
from stages.bundled.pretraining.captions import PART_TEMPLATES
from stages.bundled.procedural_parts import PARTS, labelled_shape
from stages.config.pretrain import PretrainParts
from stages.projection.methods import map_size
from stages.projection.presets import Projection
from stages.projection.rendering import project

CATEGORIES = tuple(PARTS)


class Shown(NamedTuple):
    """Some views of one shape: maps [v, r, r], points' places [v, P, 2] (x, y in -1..1), visibility and parts [P]."""

    category: int
    maps: torch.Tensor
    places: torch.Tensor
    visible: torch.Tensor
    parts: torch.Tensor


class PartShapes(Dataset):
    """Step -> the shapes of its batch; the same for the same seed. Seeds are (seed, step), a dataset's have more."""

    def __init__(self, settings: PretrainParts, projection: Projection):
        self._settings, self._projection = settings, projection

    def __len__(self) -> int:
        return self._settings.steps

    def __getitem__(self, step: int) -> list[Shown]:
        rng = np.random.default_rng((self._settings.seed, step))
        return [self._draw(int(category), rng) for category in self._categories(step, rng)]

    def _categories(self, step: int, rng: np.random.Generator) -> np.ndarray:
        """Categories of one batch: none twice while there are others left."""
        rounds = -(-self._settings.batch_size // len(CATEGORIES))
        return np.concatenate([rng.permutation(len(CATEGORIES)) for _ in range(rounds)])[: self._settings.batch_size]

    def _draw(self, category: int, rng: np.random.Generator) -> Shown:
        points, parts = labelled_shape(CATEGORIES[category], points=self._settings.points, rng=rng)
        projected = project([shaken(points, rng)], self._projection, threads=1)
        views = rng.permutation(self._projection.views)[: self._settings.views_shown]
        maps = torch.from_numpy(projected.depth[:, views])
        places = (projected.pixels[0, views][..., ::-1] + 0.5) * (2 / map_size(self._projection)) - 1
        return Shown(
            category,
            resize(maps, self._settings.resolution)[0],
            torch.from_numpy(places.astype(np.float32)),
            torch.from_numpy(projected.visible[0, views]),
            torch.from_numpy(parts),
        )


def shaken(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Points f4 [P, 3] stretched along each axis, mirrored left to right, turned about y a little, and made uneven."""
    stretch = np.exp(rng.uniform(-0.15, 0.15, size=3)) * (rng.choice((-1, 1)), 1, 1)
    noise = rng.normal(0, rng.choice((0, 0.005)), size=points.shape)
    sine, cosine = np.sin(yaw := rng.normal(0, 0.15)), np.cos(yaw)
    turn = np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    return ((points * stretch + noise) @ turn).astype(np.float32)


def train_parts(model: torch.nn.Module, settings: PretrainParts, projection: Projection) -> list[float]:
    """Train the image tower of `model` in place; gives the mean loss of every 50 steps."""
    clip = ClipModel(model, open_clip.tokenize, normalisation="none", device=torch.device("cpu"))
    texts = [_captions(clip, category) for category in CATEGORIES]
    visual = model.visual.requires_grad_(True)
    optimiser = torch.optim.AdamW(visual.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps, pct_start=0.15, cycle_momentum=False
    )
    rng = np.random.default_rng((settings.seed, settings.steps))
    visual.train().to(memory_format=torch.channels_last)
    losses = []
    batches = DataLoader(PartShapes(settings, projection), batch_size=None, num_workers=1, prefetch_factor=2)
    for batch in tqdm(batches, unit="step", mininterval=10):
        loss = _loss(clip, batch, texts, rng, settings.smooth_window)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(visual.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    model.eval()
    return [float(np.mean(losses[start : start + 50])) for start in range(0, len(losses), 50)]


def _captions(clip: ClipModel, category: str) -> torch.Tensor:
    """Text features [templates, K, D] of every caption of every part of `category`."""
    sentences = [
        template.replace("{part}", part).replace("{name}", category)
        for template in PART_TEMPLATES
        for part in PARTS[category]
    ]
    features = clip.encode_text(sentences, batch_size=64)
    return torch.from_numpy(features.reshape(len(PART_TEMPLATES), len(PARTS[category]), -1))


def _loss(clip: ClipModel, batch: list[Shown], texts, rng: np.random.Generator, window: int) -> torch.Tensor:
    """Mean over the batch's shapes of the points' cross entropy in every view; a part counts by its points' root."""
    maps = torch.cat([shown.maps for shown in batch])[:, None]
    pixels = maps.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
    features = normalize(clip.encode_pixel_patches(pixels), dim=-1)
    side = round(features.shape[1] ** 0.5)
    losses = []
    for shown, patches in zip(batch, features.split([len(shown.maps) for shown in batch]), strict=True):
        text = texts[shown.category][rng.integers(len(PART_TEMPLATES))]
        logits = (clip.logit_scale * patches @ text.T).transpose(1, 2).unflatten(2, (side, side))
        before, after = (window - 1) // 2, window // 2
        smoothed = avg_pool2d(pad(logits, (before, after, before, after), mode="replicate"), window, stride=1)
        at = grid_sample(smoothed, shown.places[:, :, None], align_corners=False, padding_mode="border")[..., 0]
        seen = shown.visible
        counts = torch.bincount(shown.parts, minlength=len(text)).clamp(min=1)
        losses.append(
            cross_entropy(at.transpose(1, 2)[seen], shown.parts.expand(len(seen), -1)[seen], weight=counts.rsqrt())
        )
    return torch.stack(losses).mean()
