"""One open_clip model: features of unit norm from depth maps, from the patches of depth maps, and from sentences."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import numpy as np
import open_clip
import torch
from torch.nn.functional import interpolate, normalize
from torch.utils.checkpoint import checkpoint
from tqdm import tqdm

from stages.backbones.patches import patch_features, patch_grid
from stages.backbones.tokens import are_cut, context_length
from stages.backbones.vocabulary import unknown_words
from stages.core.errors import InputError


class ClipModel:
    """A frozen CLIP in evaluation mode; features are f4 [..., D] of unit norm unless said otherwise.

    `config` is open_clip's configuration of the model with its `precision`; without it the fingerprints omit the
    architecture.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        tokenize: Callable[..., torch.Tensor],
        *,
        normalisation: str,
        device: torch.device,
        name: str = "clip",
        config: dict | None = None,
        autocast: bool = False,
        compile: bool = False,
    ):
        self.name = name
        self.device = device
        self.resolution = _square(model.visual.image_size)
        self._model = model.eval().requires_grad_(False).to(device)
        self.logit_scale = float(model.logit_scale.exp())
        self._tokenize = tokenize
        self._config = config or {"precision": "fp32"}
        self._autocast, self._compile = autocast, compile
        towers = (model.encode_image, model.encode_text)
        self._encode_image, self._encode_text = map(torch.compile, towers) if compile else towers
        mean, std = (model.visual.image_mean, model.visual.image_std) if normalisation == "clip" else ((0.0,), (1.0,))
        self._mean = torch.tensor(mean, device=device).view(-1, 1, 1)
        self._std = torch.tensor(std, device=device).view(-1, 1, 1)

    def patch_grid(self, resolution: int | None = None) -> int:
        """Side G of the grid of patches at an input of `resolution` pixels (None: the model's own).

        InputError where the architecture has no features of patches, or none at that resolution.
        """
        try:
            return patch_grid(self._model.visual, resolution or self.resolution)
        except InputError as error:
            raise InputError(f"params.yaml: backbone.{self.name}: {error}") from error

    def encode_depth(self, depth: np.ndarray, *, batch_size: int) -> np.ndarray:
        """Features f4 [N, V, D] of depth maps f4 [N, V, R, R] in 0..1, `batch_size` maps at a time."""
        return self._in_batches(self._encode_batch, depth, batch_size)

    def encode_patches(self, depth: np.ndarray, *, batch_size: int, resolution: int | None = None) -> np.ndarray:
        """Features f4 [N, V, G * G, D] of the patches, row by row, of depth maps f4 [N, V, R, R] in 0..1.

        The maps are resized to `resolution` pixels (None: the model's own), which gives a grid of `patch_grid` cells a
        side: the position embedding of a vision transformer is interpolated to it, a ResNet needs none.
        """
        self.patch_grid(resolution)
        return self._in_batches(lambda maps: self._encode_patch_batch(maps, resolution), depth, batch_size)

    def encode_photos(self, photos: np.ndarray, *, batch_size: int, normalisation: str = "clip") -> np.ndarray:
        """Features f4 [N, D] of colour pictures f4 [N, 3, R, R] in 0..1, resized to the model's own resolution.

        `normalisation` "clip" is the mean and deviation that open_clip notes of the weights, "none" none.
        """
        visual, none = self._model.visual, ((0.0,), (1.0,))
        values = (visual.image_mean, visual.image_std) if normalisation == "clip" else none
        mean, std = (torch.tensor(value, device=self.device).view(-1, 1, 1) for value in values)

        @torch.inference_mode()
        def encode(batch: torch.Tensor) -> torch.Tensor:
            pixels = (resize(batch.to(self.device), self.resolution) - mean) / std
            return normalize(self.encode_pixels(pixels), dim=-1).cpu()

        batches = torch.from_numpy(np.ascontiguousarray(photos)).split(batch_size)
        return torch.cat([encode(batch) for batch in batches]).numpy()

    def encode_maps(self, maps: torch.Tensor, *, checkpoint_batch: int | None = None) -> torch.Tensor:
        """Features [B, D] of maps [B, R, R] or [B, 1, R, R] in 0..1 on `device`, differentiable in the maps.

        With `checkpoint_batch`, that many maps are encoded at a time and again in the backward pass, so that the
        memory is one batch's; the gradient is the same.
        """
        maps = maps.reshape(-1, 1, *maps.shape[-2:])
        if checkpoint_batch is None:
            return self._features(maps)
        batches = maps.split(checkpoint_batch)
        return torch.cat([checkpoint(self._features, batch, use_reentrant=False) for batch in batches])

    def encode_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """Features f4 [B, D], not of unit norm, of pixels [B, 3, r, r] as the network takes them."""
        with self._arithmetic():
            return self._encode_image(self._cast(pixels)).float()

    def encode_pixel_patches(self, pixels: torch.Tensor) -> torch.Tensor:
        """Features f4 [B, G * G, D], not of unit norm, of the patches of pixels [B, 3, r, r], row by row."""
        with self._arithmetic():
            return patch_features(self._model.visual, self._cast(pixels)).float()

    def encode_tokens(self, tokens: torch.Tensor) -> torch.Tensor:
        """Features f4 [T, D], not of unit norm, of token ids i8 [T, L]."""
        with self._arithmetic():
            return self._encode_text(tokens).float()

    def encode_text(self, texts: Sequence[str], *, batch_size: int) -> np.ndarray:
        """Features f4 [T, D] of sentences, `batch_size` at a time; equal sentences are encoded once.

        Every batch is padded to one shape, because the last bits of a matrix product depend on its shape: a sentence
        has the same feature whatever the other sentences are.
        """
        distinct, shape = list(dict.fromkeys(texts)), _text_rows(batch_size)
        starts = tqdm(range(0, len(distinct), shape), unit="batch", desc="text", disable=None)
        features = np.concatenate([self._encode_sentences(distinct[start : start + shape], shape) for start in starts])
        row = {text: i for i, text in enumerate(distinct)}
        return features[[row[text] for text in texts]]

    @cached_property
    def context_length(self) -> int:
        """Tokens that the text tower reads of a sentence, start and end included."""
        return context_length(self._tokenize)

    def are_cut(self, texts: Sequence[str]) -> np.ndarray:
        """For every sentence whether it is longer than `context_length`, so that its end is not read: bool [T]."""
        return are_cut(self._tokenize, texts)

    def unknown_words(self, texts: Iterable[str]) -> tuple[str, ...]:
        """Words in `texts` that the text tower has learnt nothing about; none where it knows every token."""
        tower = getattr(self._model, "text", self._model)
        table = getattr(getattr(tower, "token_embedding", None), "weight", None)
        return unknown_words(texts, tokenize=self._tokenize, table=table)

    def text_fingerprint(self, *, batch_size: int) -> str:
        """SHA-256 of everything that the bits of a sentence's feature depend on.

        That is the text tower's weights, architecture and precision, the shape of a batch, the versions of the
        libraries, the kind of device and the number of threads.
        """
        return self._fingerprint(visual=False, shape=_text_rows(batch_size))

    def image_fingerprint(self, *, checkpoint_batch: int | None = None) -> str:
        """The same for a feature of `encode_maps`: of the image tower instead of the text tower."""
        return self._fingerprint(visual=True, shape=checkpoint_batch)

    def _fingerprint(self, *, visual: bool, shape: int | None) -> str:
        versions = (open_clip.__version__, torch.__version__, self.device.type, torch.get_num_threads())
        settings = [self._config, self._autocast, self._compile, shape, *versions]
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for key, value in sorted(self._model.state_dict().items()):
            if key.startswith("visual.") == visual:
                digest.update(key.encode())
                digest.update(value.cpu().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def _in_batches(self, encode: Callable, depth: np.ndarray, batch_size: int) -> np.ndarray:
        maps = torch.from_numpy(np.ascontiguousarray(depth)).flatten(0, 1)[:, None]
        features = torch.cat([encode(batch.to(self.device)).cpu() for batch in maps.split(batch_size)])
        return features.unflatten(0, depth.shape[:2]).numpy()

    @torch.inference_mode()
    def _encode_sentences(self, texts: list[str], rows: int) -> np.ndarray:
        tokens = self._tokenize(texts + [""] * (rows - len(texts)))
        return normalize(self.encode_tokens(tokens.to(self.device)), dim=-1)[: len(texts)].cpu().numpy()

    @torch.inference_mode()
    def _encode_batch(self, maps: torch.Tensor) -> torch.Tensor:
        return self._features(maps)

    @torch.inference_mode()
    def _encode_patch_batch(self, maps: torch.Tensor, resolution: int | None) -> torch.Tensor:
        return normalize(self.encode_pixel_patches(self._pixels(maps, resolution)), dim=-1)

    def _arithmetic(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._autocast)

    def _cast(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.bfloat16() if self._config["precision"] == "bf16" else pixels

    def _features(self, maps: torch.Tensor) -> torch.Tensor:
        return normalize(self.encode_pixels(self._pixels(maps)), dim=-1)

    def _pixels(self, maps: torch.Tensor, resolution: int | None = None) -> torch.Tensor:
        """Maps [B, 1, R, R] in 0..1 -> pixels [B, 3, r, r], normalised as the backbone's entry says."""
        return ((resize(maps, resolution or self.resolution) - self._mean) / self._std).expand(-1, 3, -1, -1)


def resize(maps: torch.Tensor, resolution: int) -> torch.Tensor:
    """Depth maps [N, V, R, R] -> [N, V, r, r], bilinear with aligned corners."""
    return interpolate(maps, (resolution, resolution), mode="bilinear", align_corners=True)


def _text_rows(batch_size: int) -> int:
    """Rows of a batch of sentences: a multiple of 8, because matrix kernels treat the remaining rows differently."""
    return -(-batch_size // 8) * 8


def _square(size: int | tuple[int, int]) -> int:
    return size if isinstance(size, int) else size[0]
