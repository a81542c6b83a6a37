"""Prompts and view weights chosen by search: `python -m stages.search <dataset> <backbone>`.

Besides evaluate the only stage that reads test labels, and only for the oracle `search_test`.
"""

import time
from pathlib import Path

from tqdm import tqdm

from stages.artifacts.features import read_features
from stages.artifacts.files import write_json
from stages.artifacts.paths import Paths
from stages.artifacts.prompts import read_prompts
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.prompt_search.protocols import Sentences, label_free, search_test, search_train


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Run the three protocols; write what they chose to data/search/... and their seconds to reports/seconds/..."""
    params, paths = params or load_params(root), Paths(root)
    source = paths.features(dataset, backbone)
    train, test = (read_features(source, split) for split in ("train", "test"))
    prompts = read_prompts(paths.prompts(dataset, backbone))
    sentences = Sentences.of(prompts, train.classes, params.search)
    chosen, seconds = {}, {}
    protocols = ((label_free, test), (search_train, train), (search_test, test))
    for protocol, split in tqdm(protocols, unit="protocol", desc="search", disable=None):
        begun = time.perf_counter()
        chosen[protocol.__name__] = protocol(split, sentences, params.search)
        seconds[protocol.__name__] = round(time.perf_counter() - begun, 3)
    write_json(paths.search(dataset, backbone), chosen)
    write_json(paths.seconds(dataset, backbone), seconds)


if __name__ == "__main__":
    run_stage(main)
