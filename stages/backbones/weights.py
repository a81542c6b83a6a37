"""Weights of a small CLIP in one safetensors file that keeps only the token rows it was trained on.

CLIP's tokenizer knows 49,408 tokens; a model trained on a fixed vocabulary has seen a few hundred. The rows of all
others are zero, so that an unknown word says nothing.
"""

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from stages.errors import InputError

TABLE = "token_embedding.weight"
ROWS, IDS, COUNT = "token_embedding.rows", "token_embedding.ids", "token_embedding.count"


def write_weights(path: Path, state: dict[str, torch.Tensor], *, token_ids: torch.Tensor) -> None:
    """Write a model's state dict with the rows `token_ids` [K] of its token table alone."""
    compact = {key: value.contiguous() for key, value in state.items() if key != TABLE}
    compact |= {
        ROWS: state[TABLE][token_ids].contiguous(),
        IDS: token_ids.to(torch.int32),
        COUNT: torch.tensor([len(state[TABLE])], dtype=torch.int32),
    }
    save_file(compact, path)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The state dict in `path`: a safetensors file, with the token table made whole, or a checkpoint of tensors."""
    if path.suffix != ".safetensors":
        return _read_checkpoint(path)
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable safetensors file ({error})") from None
    if ROWS not in state:
        return state
    rows = state.pop(ROWS)
    state[TABLE] = torch.zeros(int(state.pop(COUNT)), rows.shape[1]).index_copy(0, state.pop(IDS).long(), rows)
    return state


def _read_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError):
        raise InputError(
            f"{path}: not a checkpoint of tensors alone (torch.save of a state dict), or damaged"
        ) from None
    return checkpoint.get("state_dict", checkpoint)
