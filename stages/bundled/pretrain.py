"""The bundled backbone's training, frozen in the DAG: `python -m stages.bundled.pretrain`."""

from pathlib import Path

import torch

from stages.artifacts.files import complete_file, write_json
from stages.artifacts.paths import Paths
from stages.backbones.loading import build, register
from stages.backbones.weights import write_weights
from stages.bundled.pretraining.recipe import RealShapes, top1, train
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.splits import stratified_cut
from stages.datasets.registry import read
from stages.projection.presets import PRESETS

CONFIG = "bundled.json"
WEIGHTS = "bundled.safetensors"
HISTORY = "bundled_training.json"


def main(*, params: Params | None = None, root: Path = Path()) -> None:
    """Train on home_objects' train split and procedural shapes; write the weights and the course of the training."""
    params, paths = params or load_params(root), Paths(root)
    real = read("home_objects", params.dataset_entry("home_objects"), root=root)
    train_split = real.splits["train"]
    kept, cut = stratified_cut(
        train_split.labels, fraction=params.pretrain.validation_fraction, seed=params.pretrain.seed
    )
    projection = PRESETS["v2_classification"]
    torch.manual_seed(params.pretrain.seed)
    torch.set_num_threads(1)  # one thread sums in one order; the other core renders
    model = build(register(paths.bundled(CONFIG)))
    token_ids, losses = train(model, RealShapes(train_split.rows(kept), real.classes), params.pretrain, projection)
    course = {"mean_loss_per_100_steps": losses}
    if len(cut):
        course["validation_top1"] = top1(
            model, train_split.rows(cut), real.classes, projection, template="a depth map of a {}."
        )
    with complete_file(paths.bundled(WEIGHTS)) as temporary:
        write_weights(temporary, model.state_dict(), token_ids=token_ids)
    write_json(paths.bundled(HISTORY), course)


if __name__ == "__main__":
    run_stage(main)
