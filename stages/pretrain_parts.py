"""The bundled backbone's further training for parts, frozen in the DAG: `python -m stages.pretrain_parts`."""

import dataclasses
from pathlib import Path

import torch

from stages import artifacts, settings
from stages.backbones.loading import build, register
from stages.backbones.weights import TABLE, read_weights, write_weights
from stages.errors import run_stage
from stages.pretraining.dense import train_parts
from stages.projection import PRESETS

CONFIG = Path("data/bundled/bundled.json")
START = Path("data/bundled/bundled.safetensors")
WEIGHTS = Path("data/bundled/bundled_parts.safetensors")
COURSE = Path("data/bundled/bundled_parts_training.json")


def main() -> None:
    """Train on procedural shapes from the bundled weights; write the new ones, as half floats, and the course."""
    params = settings.load()
    torch.set_num_threads(1)  # one thread sums in one order; the other core renders
    model = build(register(CONFIG))
    model.load_state_dict(read_weights(START).state)
    projection = dataclasses.replace(PRESETS["v2_segmentation"], lookup="corrected")
    losses = train_parts(model, params.pretrain_parts, projection)
    known = model.token_embedding.weight.any(dim=1).nonzero()[:, 0]
    with artifacts.complete_file(WEIGHTS) as temporary:
        write_weights(temporary, _halved(model.state_dict()), token_ids=known)
    artifacts.write_json(COURSE, {"mean_loss_per_50_steps": losses})


def _halved(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state with half floats for all matrices but the token table: as many digits as the training gave."""
    return {key: value.half() if value.ndim > 1 and key != TABLE else value for key, value in state.items()}


if __name__ == "__main__":
    run_stage(main)
