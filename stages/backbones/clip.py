"""One open_clip model behind two calls: depth maps in, unit features out; sentences in, unit features out."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import open_clip
import torch
from torch.nn.functional import interpolate, normalize
from tqdm import tqdm

from stages.backbones.weights import read_weights
from stages.errors import InputError
from stages.settings import Backbone


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA, then MPS, then the CPU; a device that is asked for by name and absent is an InputError."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, there in present.items() if there))
    if not present[name]:
        raise InputError(f"params.yaml: device '{name}': not available on this machine")
    return torch.device(name)


class ClipModel:
    """A frozen CLIP in evaluation mode; every feature leaves as f4 of unit norm."""

    def __init__(self, model: torch.nn.Module, tokenize, *, normalisation: str, device: torch.device):
        self._model = model.eval().requires_grad_(False).to(device)
        self._tokenize = tokenize
        self._device = device
        self.resolution = _square(model.visual.image_size)
        self.logit_scale = float(model.logit_scale.exp())
        mean, std = (model.visual.image_mean, model.visual.image_std) if normalisation == "clip" else ((0.0,), (1.0,))
        self._mean = torch.tensor(mean, device=device).view(-1, 1, 1)
        self._std = torch.tensor(std, device=device).view(-1, 1, 1)

    def encode_depth(self, depth: np.ndarray, *, batch_size: int) -> np.ndarray:
        """Features f4 [N, V, D] of depth maps f4 [N, V, R, R] in 0..1, `batch_size` maps at a time."""
        maps = torch.from_numpy(np.ascontiguousarray(depth)).flatten(0, 1)
        features = [self._encode_batch(batch) for batch in maps.split(batch_size)]
        return torch.cat(features).view(*depth.shape[:2], -1).numpy()

    def encode_text(self, texts: Sequence[str], *, batch_size: int) -> np.ndarray:
        """Features f4 [T, D] of sentences, `batch_size` at a time; equal sentences are encoded once."""
        distinct = list(dict.fromkeys(texts))
        starts = tqdm(range(0, len(distinct), batch_size), unit="batch", desc="text", disable=None)
        features = np.concatenate([self._encode_sentences(distinct[start : start + batch_size]) for start in starts])
        row = {text: i for i, text in enumerate(distinct)}
        return features[[row[text] for text in texts]]

    @torch.inference_mode()
    def _encode_sentences(self, texts: list[str]) -> np.ndarray:
        features = self._model.encode_text(self._tokenize(texts).to(self._device))
        return normalize(features, dim=-1).float().cpu().numpy()

    @torch.inference_mode()
    def _encode_batch(self, maps: torch.Tensor) -> torch.Tensor:
        maps = resize(maps[:, None].to(self._device), self.resolution)
        pixels = (maps.expand(-1, 3, -1, -1) - self._mean) / self._std
        return normalize(self._model.encode_image(pixels), dim=-1).float().cpu()


def resize(maps: torch.Tensor, resolution: int) -> torch.Tensor:
    """Depth maps [N, V, R, R] -> [N, V, r, r] as the network sees them: bilinear with aligned corners."""
    return interpolate(maps, (resolution, resolution), mode="bilinear", align_corners=True)


def load(name: str, entry: Backbone, *, device: torch.device) -> ClipModel:
    """The backbone `name` as its entry in params.yaml describes it; InputError when a name or a file is wrong."""
    architecture = _architecture(name, entry.architecture)
    try:
        if entry.pretrained in open_clip.list_pretrained_tags_by_model(architecture):
            model = open_clip.create_model(architecture, pretrained=entry.pretrained)
        else:
            model = _from_file(name, architecture, Path(entry.pretrained))
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"params.yaml: backbone.{name}: weights '{entry.pretrained}' do not load: {reason}") from None
    return ClipModel(model, open_clip.get_tokenizer(architecture), normalisation=entry.normalise, device=device)


def build(architecture: str) -> torch.nn.Module:
    """An open_clip model with random weights, for training or to load others; `architecture` is a name it knows."""
    logging.disable(logging.WARNING)  # open_clip warns that the weights are random, which is the point here
    try:
        return open_clip.create_model(architecture, pretrained=None, pretrained_image=False)
    finally:
        logging.disable(logging.NOTSET)


def register(config: Path) -> str:
    """Make an open_clip configuration file known and return its name there; InputError when it is missing."""
    if not config.is_file():
        raise InputError(f"{config}: no such file, expected an open_clip model configuration")
    open_clip.add_model_config(config)
    return config.stem


def _architecture(name: str, architecture: str) -> str:
    if architecture.endswith(".json"):
        return register(Path(architecture))
    if architecture not in open_clip.list_models():
        raise InputError(f"params.yaml: backbone.{name}.architecture '{architecture}': not an open_clip model name")
    return architecture


def _from_file(name: str, architecture: str, path: Path) -> torch.nn.Module:
    if not path.is_file():
        raise InputError(
            f"{path}: no such file (params.yaml: backbone.{name}.pretrained); expected a local "
            f"checkpoint or one of open_clip's tags for {architecture}"
        )
    model = build(architecture)
    model.load_state_dict(read_weights(path))
    return model


def _square(size: int | tuple[int, int]) -> int:
    return size if isinstance(size, int) else size[0]
