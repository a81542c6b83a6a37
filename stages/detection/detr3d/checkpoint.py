"""3DETR's official checkpoints: the architecture they hold and the network with their weights."""

import pickle
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch

from stages.core.errors import InputError
from stages.detection.detr3d.network import MASK_RADII, Architecture, Network

State = dict[str, torch.Tensor]
EXPECTED_ARGS = {"use_color": False, "enc_activation": "relu", "pos_embed": "fourier"}
RECORDED_SCORES = [  # an official checkpoint may hold its best scores as numpy scalars
    Namespace,
    np.dtype,
    np.dtypes.Float32DType,
    np.dtypes.Float64DType,
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
]


def load_network(path: Path) -> Network:
    """The network in an official checkpoint {"model": state dict, "args": Namespace}, in evaluation mode.

    InputError naming file and key where the file is not one or is of another configuration than ScanNet's.
    """
    state, args = _read(path)
    network = Network(read_architecture(state, args, source=str(path)))
    _check_keys(network.state_dict(), state, source=str(path))
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def read_architecture(state: State, args: Namespace, *, source: str) -> Architecture:
    """Sizes from the weights in `state`, and from the training's `args` what weights do not show."""
    for name, expected in EXPECTED_ARGS.items():
        if (value := getattr(args, name, expected)) != expected:
            raise InputError(f"{source}: args.{name} is {value!r}, expected {expected!r}")
    masked = any(key.startswith("encoder.interim_downsampling.") for key in state)
    encoder_hidden, encoder_width = _shape(state, "encoder.layers.0.linear1.weight", source=source)
    decoder_hidden, decoder_width = _shape(state, "decoder.layers.0.linear1.weight", source=source)
    (angle_bins,) = _shape(state, "mlp_heads.angle_cls_head.layers.8.bias", source=source)
    if angle_bins != 1:
        key = "mlp_heads.angle_cls_head.layers.8.bias"
        raise InputError(f"{source}: {key} has {angle_bins} angle bins, expected 1 (ScanNet's boxes have no heading)")
    encoder_layers = _count_layers(state, "encoder")
    if masked and encoder_layers != len(MASK_RADII):
        raise InputError(f"{source}: encoder.layers: {encoder_layers} layers, expected {len(MASK_RADII)} in 3DETR-m")
    return Architecture(
        masked=masked,
        sampled_points=_arg(args, "preenc_npoints", source=source),
        queries=_arg(args, "nqueries", source=source),
        classes=_shape(state, "mlp_heads.sem_cls_head.layers.8.bias", source=source)[0] - 1,
        encoder_width=encoder_width,
        encoder_heads=_heads(args, "enc_nhead", encoder_width, source=source),
        encoder_hidden=encoder_hidden,
        encoder_layers=encoder_layers,
        decoder_width=decoder_width,
        decoder_heads=_heads(args, "dec_nhead", decoder_width, source=source),
        decoder_hidden=decoder_hidden,
        decoder_layers=_count_layers(state, "decoder"),
    )


def _read(path: Path) -> tuple[State, Namespace]:
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected a 3DETR checkpoint")
    try:
        with torch.serialization.safe_globals(RECORDED_SCORES):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise InputError(f"{path}: not a 3DETR checkpoint (torch.save of 'model' and 'args'), or damaged") from error
    for key, kind in {"model": dict, "args": Namespace}.items():
        if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get(key), kind):
            raise InputError(f"{path}: key '{key}' missing, expected a 3DETR checkpoint with a {kind.__name__} there")
    return checkpoint["model"], checkpoint["args"]


def _check_keys(expected: State, state: State, *, source: str) -> None:
    """InputError for the first key that is missing, not expected, or of another shape."""
    for key in [*expected, *state]:
        if key not in state:
            raise InputError(f"{source}: key '{key}' missing in 'model'")
        if key not in expected:
            raise InputError(f"{source}: key '{key}' in 'model' not expected in this configuration")
        if state[key].shape != expected[key].shape:
            shapes = list(state[key].shape), list(expected[key].shape)
            raise InputError(f"{source}: key '{key}' has shape {shapes[0]}, expected {shapes[1]}")


def _shape(state: State, key: str, *, source: str) -> tuple[int, ...]:
    if key not in state:
        raise InputError(f"{source}: key '{key}' missing in 'model'")
    return tuple(state[key].shape)


def _count_layers(state: State, part: str) -> int:
    return len({key.split(".")[2] for key in state if key.startswith(f"{part}.layers.")})


def _arg(args: Namespace, name: str, *, source: str) -> int:
    value = getattr(args, name, None)
    if not isinstance(value, int) or value < 1:
        raise InputError(f"{source}: args.{name} is {value!r}, expected a positive integer")
    return value


def _heads(args: Namespace, name: str, width: int, *, source: str) -> int:
    heads = _arg(args, name, source=source)
    if width % heads:
        raise InputError(f"{source}: args.{name} is {heads}, expected a divisor of the width {width}")
    return heads
