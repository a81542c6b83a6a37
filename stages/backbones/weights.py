"""Files of weights: checkpoints, OpenAI's archives, and safetensors, whose token table may be stored in part.

CLIP's tokenizer has 49,408 tokens; a model trained on a fixed vocabulary has used a few hundred of them. Only their
rows are stored; the others are zero, so that an unknown word has no effect.
"""

import pickle
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from stages.core.errors import InputError

TABLE = "token_embedding.weight"
ROWS, IDS, COUNT = "token_embedding.rows", "token_embedding.ids", "token_embedding.count"
OPENAI_MARKS = ("input_resolution", "context_length", "vocab_size")  # entries of OpenAI's files that are not weights


def write_weights(path: Path, state: dict[str, torch.Tensor], *, token_ids: torch.Tensor) -> None:
    """Write a model's state dict with only the rows `token_ids` [K] of its token table."""
    compact = {key: value.contiguous() for key, value in state.items() if key != TABLE}
    compact |= {
        ROWS: state[TABLE][token_ids].contiguous(),
        IDS: token_ids.to(torch.int32),
        COUNT: torch.tensor([len(state[TABLE])], dtype=torch.int32),
    }
    save_file(compact, path)


@dataclass(frozen=True)
class Weights:
    """A state dict, and whether the file is recognisably one of OpenAI's."""

    state: dict[str, torch.Tensor]
    by_openai: bool = False


def read_weights(path: Path) -> Weights:
    """Read a safetensors file, a checkpoint of tensors, or a TorchScript archive as OpenAI publishes them."""
    if path.suffix == ".safetensors":
        return Weights(_read_safetensors(path))
    if _is_torchscript(path):
        return Weights(_without_marks(_read_torchscript(path)), by_openai=True)
    state = _read_checkpoint(path)
    return Weights(_without_marks(state), by_openai=not state.keys().isdisjoint(OPENAI_MARKS))


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable safetensors file ({error})") from error
    if ROWS not in state:
        return state
    rows = state.pop(ROWS)
    state[TABLE] = torch.zeros(int(state.pop(COUNT)), rows.shape[1]).index_copy(0, state.pop(IDS).long(), rows)
    return state


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _read_torchscript(path: Path) -> dict[str, torch.Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch would have new files exported otherwise; these are old
        return torch.jit.load(path, map_location="cpu").state_dict()


def _read_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise InputError(
            f"{path}: not a checkpoint of tensors alone (torch.save of a state dict), or damaged"
        ) from error
    state = checkpoint.get("state_dict", checkpoint) if isinstance(checkpoint, dict) else {}
    if not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(f"{path}: not a state dict, expected tensors by name, or such a dict as 'state_dict'")
    return {key.removeprefix("module."): value for key, value in state.items()}


def _without_marks(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key: value for key, value in state.items() if key not in OPENAI_MARKS}
