"""One open_clip model: features of unit norm from depth maps, from the patches of depth maps, and from sentences."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
import open_clip
import torch
from open_clip.modified_resnet import ModifiedResNet
from torch.nn.functional import interpolate, normalize
from torch.utils.checkpoint import checkpoint
from tqdm import tqdm

from stages.backbones.compiling import CompiledWhereItPays, break_even
from stages.backbones.patches import patch_features, patch_grid
from stages.backbones.precision import arithmetic
from stages.backbones.tokens import are_cut, context_length
from stages.backbones.vocabulary import unknown_words
from stages.core.errors import InputError

# Most pixels at a time on a CPU: activations of more leave its caches, and their memory goes back to the system.
CPU_PIXELS = 10 * 224**2
Maps = np.ndarray | torch.Tensor  # depth maps f4 [N, V, R, R] in 0..1, in memory or on the device
BATCHES_AHEAD = 1  # of the one whose result is waited for


class ClipModel:
    """A frozen CLIP in evaluation mode; features are f4 [..., D] of unit norm unless said otherwise.

    `config` is open_clip's configuration of the model with its `precision` (fp32, tf32 or bf16); without it the
    fingerprints omit the architecture.
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
    ):
        self.name = name
        self.device = device
        self.resolution = _square(model.visual.image_size)
        self._model = model.eval().requires_grad_(False).to(device)
        self.logit_scale = float(model.logit_scale.exp())
        self._tokenize = tokenize
        self._config = config or {"precision": "fp32"}
        self._precision = self._config["precision"]
        if device.type == "cuda" and isinstance(model.visual, ModifiedResNet):
            model.visual.to(memory_format=torch.channels_last)  # the order that tensor cores read
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

    def encode_depth(self, depth: Maps, *, batch_size: int) -> np.ndarray:
        """Features f4 [N, V, D] of depth maps f4 [N, V, R, R] in 0..1, `batch_size` maps at a time."""
        tower = self.image_tower(batch_size=batch_size, maps=depth.shape[0] * depth.shape[1])
        return self.encode_pieces([depth], tuple(depth.shape[:2]), batch_size=batch_size, tower=tower)

    def image_tower(self, *, batch_size: int, maps: int) -> CompiledWhereItPays:
        """The image tower for `encode_pieces`; where `maps` maps of all calls pay for it, it is compiled on the way."""
        pays_from = break_even(self._model.visual, self.device)
        return CompiledWhereItPays(self._model.encode_image, batches=-(-maps // batch_size), pays_from=pays_from)

    def encode_pieces(
        self, pieces: Iterable[Maps], shape: tuple[int, int], *, batch_size: int, tower: CompiledWhereItPays
    ) -> np.ndarray:
        """The same of depth maps that come in pieces [n, V, R, R], by a `tower` of `image_tower`.

        `shape` is (N, V) of all pieces together. The next one is made and sent to the device while it encodes this one.
        """
        features, done = np.empty(0, np.float32), 0
        for batch in self._encoded(pieces, batch_size, tower):
            if not done:  # now that the width is known: a list of batches would lie in memory beside their whole
                features = np.empty((shape[0] * shape[1], batch.shape[1]), np.float32)
            features[done : done + len(batch)] = batch
            done += len(batch)
        return features.reshape(*shape, -1)

    def _encoded(self, pieces: Iterable[Maps], batch_size: int, tower: CompiledWhereItPays) -> Iterator[torch.Tensor]:
        """Features f4 [B, D] of one batch after the other."""
        waiting = deque()
        for piece in pieces:
            for batch in self._batches(piece, batch_size, self.resolution):
                waiting.append(_OnItsWay(self._encode_batch(batch, tower)))
                if len(waiting) > BATCHES_AHEAD:
                    yield waiting.popleft().arrived()
        yield from (features.arrived() for features in waiting)

    def encode_patches(
        self, depth: Maps, *, batch_size: int, resolution: int | None = None, dtype: torch.dtype = torch.float32
    ) -> np.ndarray:
        """Features [N, V, G * G, D] of `dtype` of the patches, row by row, of depth maps f4 [N, V, R, R] in 0..1.

        The maps are resized to `resolution` pixels (None: the model's own), which gives a grid of `patch_grid` cells a
        side: the position embedding of a vision transformer is interpolated to it, a ResNet needs none.
        """
        return self.start_patches(depth, batch_size=batch_size, resolution=resolution, dtype=dtype)()

    def start_patches(
        self, depth: Maps, *, batch_size: int, resolution: int | None = None, dtype: torch.dtype = torch.float32
    ) -> Callable[[], np.ndarray]:
        """The same, begun: what it gives waits for the device and gives the features."""
        self.patch_grid(resolution)
        size = resolution or self.resolution
        on_their_way = [
            _OnItsWay(self._encode_patch_batch(batch, resolution).to(dtype))
            for batch in self._batches(depth, batch_size, size)
        ]
        return lambda: torch.cat([one.arrived() for one in on_their_way]).unflatten(0, (-1, depth.shape[1])).numpy()

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
        if len(batches) == 1:  # encoding it again would save no memory
            return self._features(maps)
        return torch.cat([checkpoint(self._features, batch, use_reentrant=False) for batch in batches])

    def encode_pixels(self, pixels: torch.Tensor, *, tower: Callable | None = None) -> torch.Tensor:
        """Features f4 [B, D], not of unit norm, of pixels [B, 3, r, r] as the network takes them.

        `tower` is the image tower's forward where it is another one than the model's, such as a compiled one.
        """
        with arithmetic(self._precision):
            return (tower or self._model.encode_image)(self._cast(pixels)).float()

    def encode_pixel_patches(self, pixels: torch.Tensor) -> torch.Tensor:
        """Features f4 [B, G * G, D], not of unit norm, of the patches of pixels [B, 3, r, r], row by row."""
        with arithmetic(self._precision):
            return patch_features(self._model.visual, self._cast(pixels)).float()

    def encode_tokens(self, tokens: torch.Tensor) -> torch.Tensor:
        """Features f4 [T, D], not of unit norm, of token ids i8 [T, L]."""
        with arithmetic(self._precision):
            return self._model.encode_text(tokens).float()

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
        settings = [self._config, shape, *versions]
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for key, value in sorted(self._model.state_dict().items()):
            if key.startswith("visual.") == visual:
                digest.update(key.encode())
                digest.update(value.cpu().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def _batches(self, depth: Maps, batch_size: int, resolution: int) -> Iterator[torch.Tensor]:
        """Depth maps [N, V, R, R] as batches [B, 1, R, R] on the device."""
        maps = torch.as_tensor(depth).flatten(0, 1)[:, None]
        for batch in maps.split(self._maps_at_a_time(len(maps), batch_size, resolution)):
            yield self._sent(batch)

    def _maps_at_a_time(self, maps: int, batch_size: int, resolution: int) -> int:
        """How many of `maps` maps go through the tower together: `batch_size`, on a CPU as many as its caches hold."""
        if self.device.type != "cpu":
            return batch_size
        most = min(batch_size, max(1, CPU_PIXELS // resolution**2))
        return max(1, -(-maps // -(-maps // most))) if maps else most

    def _sent(self, batch: torch.Tensor) -> torch.Tensor:
        """A batch on the device; from pinned memory CUDA copies it while it still computes."""
        if self.device.type == "cuda" and batch.device.type == "cpu":
            return batch.pin_memory().to(self.device, non_blocking=True)
        return batch.to(self.device)

    @torch.inference_mode()
    def _encode_sentences(self, texts: list[str], rows: int) -> np.ndarray:
        tokens = self._tokenize(texts + [""] * (rows - len(texts)))
        return normalize(self.encode_tokens(tokens.to(self.device)), dim=-1)[: len(texts)].cpu().numpy()

    @torch.inference_mode()
    def _encode_batch(self, maps: torch.Tensor, tower: Callable) -> torch.Tensor:
        return self._features(maps, tower)

    @torch.inference_mode()
    def _encode_patch_batch(self, maps: torch.Tensor, resolution: int | None) -> torch.Tensor:
        return normalize(self.encode_pixel_patches(self._pixels(maps, resolution)), dim=-1)

    def _cast(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.bfloat16() if self._precision == "bf16" else pixels

    def _features(self, maps: torch.Tensor, tower: Callable | None = None) -> torch.Tensor:
        return normalize(self.encode_pixels(self._pixels(maps), tower=tower), dim=-1)

    def _pixels(self, maps: torch.Tensor, resolution: int | None = None) -> torch.Tensor:
        """Maps [B, 1, R, R] in 0..1 -> pixels [B, 3, r, r], normalised as the backbone's entry says."""
        return ((resize(maps, resolution or self.resolution) - self._mean) / self._std).expand(-1, 3, -1, -1)


class _OnItsWay:
    """A tensor that a device sends to the host as soon as it has made it, and not after what it is given next."""

    def __init__(self, values: torch.Tensor):
        self._values = values.to("cpu", non_blocking=values.is_cuda)
        self._sent = torch.cuda.current_stream().record_event() if values.is_cuda else None

    def arrived(self) -> torch.Tensor:
        """The tensor in the host's memory."""
        if self._sent is not None:
            self._sent.synchronize()
        return self._values


def resize(maps: torch.Tensor, resolution: int) -> torch.Tensor:
    """Depth maps [N, V, R, R] -> [N, V, r, r], bilinear with aligned corners."""
    return interpolate(maps, (resolution, resolution), mode="bilinear", align_corners=True)


def _text_rows(batch_size: int) -> int:
    """Rows of a batch of sentences: a multiple of 8, because matrix kernels treat the remaining rows differently."""
    return -(-batch_size // 8) * 8


def _square(size: int | tuple[int, int]) -> int:
    return size if isinstance(size, int) else size[0]
