"""A backbone's entry in params.yaml -> its model, with open_clip's weights or those of a local file."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

import open_clip
import torch
from huggingface_hub.errors import HfHubHTTPError
from open_clip.constants import HF_SAFE_WEIGHTS_NAME
from open_clip.pretrained import get_pretrained_cfg
from torch import nn
from torch.overrides import TorchFunctionMode

from stages.backbones import pretrained
from stages.backbones.clip import ClipModel
from stages.backbones.folding import fold
from stages.backbones.precision import precision_on
from stages.backbones.weights import read_weights
from stages.config.backbone import Backbone
from stages.core.errors import InputError, reason

QUICK_GELU = "-quickgelu"  # how open_clip ends the names of architectures with OpenAI's activation


def load_backbone(
    name: str,
    entry: Backbone,
    *,
    device: torch.device,
    root: Path = Path(),
) -> ClipModel:
    """The backbone `name` as its entry in params.yaml describes it; InputError when a name or a file is wrong.

    Local files are relative to `root`. In bf16 the weights are bf16 too, those of norms excepted, as open_clip does it.
    """
    architecture = architecture_name(name, entry, root=root)
    tag = get_pretrained_cfg(architecture.removesuffix(QUICK_GELU), entry.pretrained)
    try:
        model = _from_tag(name, architecture, entry, tag) if tag else _from_file(name, architecture, entry, root)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"params.yaml: backbone.{name}: weights '{entry.pretrained}' do not load: {reason(error)}"
        ) from error
    return _clip_model(model, name, entry, architecture=architecture, device=device)


def random_backbone(name: str, entry: Backbone, *, device: torch.device, root: Path = Path()) -> ClipModel:
    """The same with random weights, which take as long to compute with; no weights are looked for."""
    architecture = architecture_name(name, entry, root=root)
    return _clip_model(build(architecture), name, entry, architecture=architecture, device=device)


def _clip_model(
    model: torch.nn.Module, name: str, entry: Backbone, *, architecture: str, device: torch.device
) -> ClipModel:
    """The backbone of a model in fp32, in the precision of its entry."""
    precision = precision_on(device, entry.precision)
    return ClipModel(
        in_bf16(model, architecture) if precision == "bf16" else model,
        _tokenizer(name, architecture),
        normalisation=entry.normalise,
        device=device,
        name=name,
        config=open_clip.get_model_config(architecture) | {"precision": precision},
    )


def in_bf16(model: torch.nn.Module, architecture: str) -> torch.nn.Module:
    """The model `architecture` with the weights of `model`, which are f4, as bf16, and its blocks folded."""
    normalisation = {"mean": model.visual.image_mean, "std": model.visual.image_std}
    half = build(architecture, precision="bf16", to_load=True, force_preprocess_cfg=normalisation)
    half.load_state_dict(fold(half, model.state_dict()))
    return half


class _WithoutDrawing(TorchFunctionMode):
    """Within the block no random numbers are drawn into tensors: for large weights that takes seconds."""

    def __torch_function__(self, function, types, arguments=(), options=None):
        """The tensor as it is instead of one filled at random."""
        options, module = options or {}, getattr(function, "__module__", None)
        if function in (torch.Tensor.normal_, torch.Tensor.uniform_) or module == nn.init.__name__:
            return options.get("tensor", *arguments[:1])
        return function(*arguments, **options)


def build(architecture: str, *, precision: str = "fp32", to_load: bool = False, **options) -> torch.nn.Module:
    """An open_clip model with random weights, or any where they are `to_load`; a name that open_clip knows."""
    with _without_warnings_of_open_clip(), _WithoutDrawing() if to_load else nullcontext():
        return open_clip.create_model(
            architecture, pretrained=None, pretrained_image=False, precision=precision, **options
        )


@contextmanager
def _without_warnings_of_open_clip() -> Iterator[None]:
    """Drop open_clip's warning that the weights are random; it logs on the root logger, which others use too."""
    package, thread = str(Path(open_clip.__file__).parent), threading.get_ident()

    def keep(record: logging.LogRecord) -> bool:
        ours = record.thread == thread and record.pathname.startswith(package)
        return not ours or record.levelno > logging.WARNING

    root = logging.getLogger()
    root.addFilter(keep)
    try:
        yield
    finally:
        root.removeFilter(keep)


def register(config: Path) -> str:
    """Register a configuration file with open_clip and return the name it has there; InputError when it is missing."""
    if not config.is_file():
        raise InputError(f"{config}: no such file, expected an open_clip model configuration")
    open_clip.add_model_config(config)
    return config.stem


def architecture_name(name: str, entry: Backbone, *, root: Path = Path()) -> str:
    """open_clip's name of an entry's architecture; a configuration file is registered with it first."""
    if entry.architecture.endswith(".json"):
        return register(root / entry.architecture)
    if entry.architecture not in open_clip.list_models():
        key = f"params.yaml: backbone.{name}.architecture '{entry.architecture}'"
        raise InputError(f"{key}: not an open_clip model name")
    return entry.architecture


def _from_tag(name: str, architecture: str, entry: Backbone, tag: dict) -> torch.nn.Module:
    """The model with the weights of that tag of open_clip, from the cache or the network."""
    quick = tag.get("quick_gelu", False)
    expected = architecture.removesuffix(QUICK_GELU) + (QUICK_GELU if quick else "")
    if architecture != expected and expected in open_clip.list_models():
        raise InputError(
            f"params.yaml: backbone.{name}.architecture '{architecture}': the weights '{entry.pretrained}' were "
            f"trained {'with' if quick else 'without'} QuickGELU, expected '{expected}'"
        )
    path = fetch_weights(name, entry)
    if pretrained.is_hubs(path):
        return open_clip.create_model(architecture, pretrained=entry.pretrained)
    model = build(architecture, to_load=True, force_preprocess_cfg={k: tag[k] for k in ("mean", "std")})
    model.load_state_dict(read_weights(path).state)
    return model


def fetch_weights(name: str, entry: Backbone) -> Path | None:
    """The file of an entry's pretrained tag, downloaded where it is not cached; None where the entry has no tag.

    InputError says where to put the file by hand.
    """
    tag = weights_tag(entry)
    if tag is None:
        return None
    try:
        return pretrained.fetch(tag)
    except (OSError, RuntimeError, HfHubHTTPError) as error:
        place, _, file = (f"huggingface.co/{tag['hf_hub']}" if tag["hf_hub"] else tag["url"]).rpartition("/")
        file = file or HF_SAFE_WEIGHTS_NAME
        raise InputError(
            f"params.yaml: backbone.{name}: {file} of {place} is not cached and does not download; "
            f"put it at data/weights/{name}{Path(file).suffix} and that path in backbone.{name}.pretrained "
            f"({reason(error)})"
        ) from error


def weights_tag(entry: Backbone) -> dict | None:
    """open_clip's description of the entry's pretrained tag; None where `pretrained` is no tag of the architecture."""
    return get_pretrained_cfg(entry.architecture.removesuffix(QUICK_GELU), entry.pretrained) or None


def _from_file(name: str, architecture: str, entry: Backbone, root: Path) -> torch.nn.Module:
    """The model with the weights of a local file; mean and deviation of pixels are those of open_clip's own weights."""
    path = root / entry.pretrained
    if not path.is_file():
        raise InputError(
            f"{path}: no such file (params.yaml: backbone.{name}.pretrained); expected a local "
            f"checkpoint or one of open_clip's tags for {architecture}"
        )
    weights = read_weights(path)
    if weights.by_openai and not open_clip.get_model_config(architecture).get("quick_gelu"):
        raise InputError(
            f"params.yaml: backbone.{name}.architecture '{entry.architecture}': {path} has OpenAI's weights, trained "
            f"with QuickGELU, expected an architecture with it ('{architecture}{QUICK_GELU}', or quick_gelu in a .json)"
        )
    model = build(architecture, to_load=True, force_preprocess_cfg=_usual_normalisation(architecture))
    model.load_state_dict(weights.state)
    return model


def _usual_normalisation(architecture: str) -> dict:
    """Mean and standard deviation of pixels of open_clip's first weights of `architecture`; empty: CLIP's own."""
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    return {key: get_pretrained_cfg(architecture, tag)[key] for tag in tags[:1] for key in ("mean", "std")}


def _tokenizer(name: str, architecture: str) -> Callable[..., torch.Tensor]:
    """Sentences -> token ids; the tokenizer is created, and downloaded where it must be, at the first call."""

    @cache
    def tokenizer():
        try:
            return open_clip.get_tokenizer(architecture)
        except (ImportError, OSError, HfHubHTTPError) as error:
            raise InputError(
                f"params.yaml: backbone.{name}: the tokenizer of '{architecture}' does not load: {reason(error)}"
            ) from error

    return lambda texts, **options: tokenizer()(texts, **options)
