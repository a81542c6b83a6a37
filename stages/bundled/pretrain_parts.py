"""The bundled backbone's further training for parts, frozen in the DAG: `python -m stages.bundled.pretrain_parts`."""

import dataclasses
from pathlib import Path

import torch

from stages.artifacts.files import complete_file, write_json
from stages.artifacts.paths import Paths
from stages.backbones.loading import build, register
from stages.backbones.weights import TABLE, read_weights, write_weights
from stages.bundled.pretraining.dense import train_parts
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.projection.presets import PRESETS

CONFIG = "bundled.json"
START = "bundled.safetensors"
WEIGHTS = "bundled_parts.safetensors"
HISTORY = "bundled_parts_training.json"


def main(*, params: Params | None = None, root: Path = Path()) -> None:
    """Train on procedural shapes from the bundled weights; write the new ones, as half floats, and the course."""
    params, paths = params or load_params(root), Paths(root)
    torch.set_num_threads(1)  # one thread sums in one order; the other core renders
    model = build(register(paths.bundled(CONFIG)))
    model.load_state_dict(read_weights(paths.bundled(START)).state)
    projection = dataclasses.replace(PRESETS["v2_segmentation"], lookup="corrected")
    losses = train_parts(model, params.pretrain_parts, projection)
    known = model.token_embedding.weight.any(dim=1).nonzero()[:, 0]
    with complete_file(paths.bundled(WEIGHTS)) as temporary:
        write_weights(temporary, _halved(model.state_dict()), token_ids=known)
    write_json(paths.bundled(HISTORY), {"mean_loss_per_50_steps": losses})


def _halved(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state with half floats for all matrices but the token table: as many digits as the training gave."""
    return {key: value.half() if value.ndim > 1 and key != TABLE else value for key, value in state.items()}


if __name__ == "__main__":
    run_stage(main)
