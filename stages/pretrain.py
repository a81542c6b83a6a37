"""The bundled backbone's training, frozen in the DAG: `python -m stages.pretrain`."""

from pathlib import Path

import torch

from stages import artifacts, settings
from stages.backbones.loading import build, register
from stages.backbones.weights import write_weights
from stages.datasets.reading import read
from stages.datasets.splits import stratified_cut
from stages.errors import run_stage
from stages.pretraining import RealShapes, top1, train
from stages.projection import PRESETS

CONFIG = Path("data/bundled/bundled.json")
WEIGHTS = Path("data/bundled/bundled.safetensors")
COURSE = Path("data/bundled/bundled_training.json")


def main() -> None:
    """Train on home_objects' train split and procedural shapes; write the weights and the course of the training."""
    params = settings.load()
    real = read("home_objects", params.dataset_entry("home_objects"))
    train_split = real.splits["train"]
    kept, cut = stratified_cut(
        train_split.labels, fraction=params.pretrain.validation_fraction, seed=params.pretrain.seed
    )
    projection = PRESETS["v2_classification"]
    torch.manual_seed(params.pretrain.seed)
    torch.set_num_threads(1)  # one thread sums in one order; the other core renders
    model = build(register(CONFIG))
    token_ids, losses = train(model, RealShapes(train_split.rows(kept), real.classes), params.pretrain, projection)
    course = {"mean_loss_per_100_steps": losses}
    if len(cut):
        course["validation_top1"] = top1(
            model, train_split.rows(cut), real.classes, projection, template="a depth map of a {}."
        )
    with artifacts.complete_file(WEIGHTS) as temporary:
        write_weights(temporary, model.state_dict(), token_ids=token_ids)
    artifacts.write_json(COURSE, course)


if __name__ == "__main__":
    run_stage(main)
