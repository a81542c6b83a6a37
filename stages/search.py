"""Prompts and view weights chosen by search: `python -m stages.search <dataset> <backbone>`.

Besides evaluate the only stage that reads test labels, and only for the oracle `search_test`.
"""

import time

from tqdm import tqdm

from stages import artifacts, settings
from stages.errors import run_stage
from stages.zeroshot.protocols import Sentences, label_free, search_test, search_train


def main(dataset: str, backbone: str) -> None:
    """Run the three protocols; write what they chose to data/search/... and their seconds to reports/seconds/..."""
    params = settings.load()
    source = artifacts.features_path(dataset, backbone)
    train, test = (artifacts.read_features(source, split) for split in ("train", "test"))
    prompts = artifacts.read_prompts(artifacts.prompts_path(dataset, backbone))
    sentences = Sentences.of(prompts, train.classes, params.search)
    chosen, seconds = {}, {}
    protocols = ((label_free, test), (search_train, train), (search_test, test))
    for protocol, split in tqdm(protocols, unit="protocol", desc="search", disable=None):
        begun = time.perf_counter()
        chosen[protocol.__name__] = protocol(split, sentences, params.search)
        seconds[protocol.__name__] = round(time.perf_counter() - begun, 3)
    artifacts.write_json(artifacts.search_path(dataset, backbone), chosen)
    artifacts.write_json(artifacts.seconds_path(dataset, backbone), seconds)


if __name__ == "__main__":
    run_stage(main)
