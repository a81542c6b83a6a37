"""Depth maps of one dataset -> image features of one backbone: `python -m stages.extract <dataset> <backbone>`."""

import numpy as np
from tqdm import tqdm

from stages import artifacts, settings
from stages.backbones import ClipModel, choose_device, load
from stages.errors import run_stage


def main(dataset: str, backbone: str) -> None:
    """Encode every depth map of `dataset` and write data/features/<dataset>/<backbone>/depth.h5."""
    params = settings.load()
    model = load(backbone, params.backbone_entry(backbone), device=choose_device(params.extract.device))
    with artifacts.open_depth(artifacts.depth_path(dataset)) as maps:
        splits = {
            split: (_encode(model, maps, split, params.extract.batch_size), maps.labels(split)) for split in maps.splits
        }
        artifacts.write_features(
            artifacts.features_path(dataset, backbone), splits, classes=maps.classes, logit_scale=model.logit_scale
        )


def _encode(model: ClipModel, maps: artifacts.DepthReader, split: str, batch_size: int) -> np.ndarray:
    """Features f4 [N, V, D] of one split; about `batch_size` maps are in memory at a time."""
    samples, step = len(maps.labels(split)), max(1, batch_size // len(maps.views))
    starts = tqdm(range(0, samples, step), unit="batch", desc=f"extract {split}", disable=None)
    return np.concatenate(
        [model.encode_depth(maps.depth(split, slice(start, start + step)), batch_size=batch_size) for start in starts]
    )


if __name__ == "__main__":
    run_stage(main)
