"""Depth maps of one dataset -> image features of one backbone: `python -m stages.extract <dataset> <backbone>`."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages.artifacts.depth import DepthReader, open_depth
from stages.artifacts.features import write_features
from stages.artifacts.paths import Paths
from stages.backbones.clip import ClipModel
from stages.backbones.device import choose_device
from stages.backbones.loading import load_backbone
from stages.config.params import Params, load_params
from stages.core.cli import run_stage


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Encode every depth map of `dataset` and write data/features/<dataset>/<backbone>/depth.h5."""
    params, paths = params or load_params(root), Paths(root)
    model = load_backbone(
        backbone,
        params.backbone_entry(backbone),
        device=choose_device(params.extract.device),
        autocast=params.extract.autocast,
        compile=params.extract.compile,
        root=root,
    )
    with open_depth(paths.depth(dataset)) as maps:
        splits = {
            split: (encode(model, maps, split, params.extract.batch_size), maps.labels(split)) for split in maps.splits
        }
        write_features(paths.features(dataset, backbone), splits, classes=maps.classes, logit_scale=model.logit_scale)


def encode(model: ClipModel, maps: DepthReader, split: str, batch_size: int) -> np.ndarray:
    """Features f4 [N, V, D] of one split, `batch_size` maps at a time; the next batch is read meanwhile."""
    step = max(1, batch_size // len(maps.views))
    batches = -(-len(maps.labels(split)) // step)
    chunks = tqdm(maps.chunks(split, step), total=batches, unit="batch", desc=f"extract {split}", disable=None)
    return np.concatenate([model.encode_depth(depth, batch_size=batch_size) for depth in chunks])


if __name__ == "__main__":
    run_stage(main)
