"""Depth maps of one dataset -> image features of one backbone: `python -m stages.extract <dataset> <backbone>`."""

import numpy as np
from tqdm import tqdm

from stages import artifacts, settings
from stages.backbones import ClipModel, choose_device, load
from stages.errors import run_stage


def main(dataset: str, backbone: str) -> None:
    """Encode every depth map of `dataset` and write data/features/<dataset>/<backbone>/depth.h5."""
    params = settings.load()
    model = load(
        backbone,
        params.backbone_entry(backbone),
        device=choose_device(params.extract.device),
        autocast=params.extract.autocast,
        compile=params.extract.compile,
    )
    with artifacts.open_depth(artifacts.depth_path(dataset)) as maps:
        splits = {
            split: (encode(model, maps, split, params.extract.batch_size), maps.labels(split)) for split in maps.splits
        }
        artifacts.write_features(
            artifacts.features_path(dataset, backbone), splits, classes=maps.classes, logit_scale=model.logit_scale
        )


def encode(model: ClipModel, maps: artifacts.DepthReader, split: str, batch_size: int) -> np.ndarray:
    """Features f4 [N, V, D] of one split, `batch_size` maps at a time; the next are read meanwhile."""
    step = max(1, batch_size // len(maps.views))
    batches = -(-len(maps.labels(split)) // step)
    chunks = tqdm(maps.chunks(split, step), total=batches, unit="batch", desc=f"extract {split}", disable=None)
    return np.concatenate([model.encode_depth(depth, batch_size=batch_size) for depth in chunks])


if __name__ == "__main__":
    run_stage(main)
