"""Prompts and view weights chosen by search: `python -m stages.search <dataset> <backbone>`.

Besides evaluate the only stage of classification that reads test labels, and only for oracles.
"""

import time
from pathlib import Path

from tqdm import tqdm

from stages.artifacts.features import read_features, stored_splits
from stages.artifacts.files import write_json
from stages.artifacts.paths import Paths
from stages.artifacts.prompts import read_prompts
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.prompt_search.protocols import PROTOCOLS


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Run the search protocols whose split there is; write what each chose, and its seconds with `search.timed`."""
    params, paths = params or load_params(root), Paths(root)
    source = paths.features(dataset, backbone)
    stored = stored_splits(source)
    splits = {split: read_features(source, split) for split in ("train", "test") if split in stored}
    prompts = read_prompts(paths.prompts(dataset, backbone))
    documents = {}
    for name, protocol in tqdm(PROTOCOLS.items(), unit="protocol", desc="search", disable=None):
        if protocol.split not in splits:
            continue
        pool = protocol.pool(prompts, splits[protocol.split].classes, params.search, backbone)
        if pool is None:
            continue
        begun = time.perf_counter()
        documents[name] = protocol.run(splits, pool, params.search)
        if params.search.timed:
            documents[name]["seconds"] = round(time.perf_counter() - begun, 3)
    write_json(paths.search(dataset, backbone), documents)


if __name__ == "__main__":
    run_stage(main)
