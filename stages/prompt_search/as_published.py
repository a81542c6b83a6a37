"""PointCLIP V2's released code step by step, from the sentences and view weights that come with it.

It starts where the authors' own search ended: one sentence a class and view weights, found on the test split for each
dataset and backbone. So what it calls "before search" has seen the test labels already. All need the prompt set
`v2_searched_<backbone>`; where it was not chosen or never published, a pool is None and the protocol has no result.
"""

import numpy as np

from stages.artifacts.types import Features, Prompts
from stages.config.search import Search
from stages.language.prompts.published import CORPUS, searched_set
from stages.prompt_search.candidates import Candidates
from stages.prompt_search.greedy import search_prompts
from stages.prompt_search.pool import PromptPool, ProtocolResult
from stages.prompt_search.task import SearchSettings
from stages.prompt_search.view_weights import grid_view_weights
from stages.zeroshot.classifier import class_features

SETTINGS = SearchSettings(objective="accuracy", sweeps=2)


def searched_prompts(
    prompts: Prompts, class_names: tuple[str, ...], config: Search, backbone: str
) -> PromptPool | None:
    """The authors' sentences and view weights, with nothing else to choose."""
    return _started(prompts, class_names, backbone, candidates=searched_set(backbone))


def corpus_from_searched(
    prompts: Prompts, class_names: tuple[str, ...], config: Search, backbone: str
) -> PromptPool | None:
    """The authors' whole corpus, about 1,200 sentences a class, started at their sentences and view weights."""
    return _started(prompts, class_names, backbone, candidates=CORPUS)


def candidates_from_first(
    prompts: Prompts, class_names: tuple[str, ...], config: Search, backbone: str
) -> PromptPool | None:
    """The sentences of `search.candidates`, started at the first of each class and at the authors' view weights."""
    weights = prompts.view_weights.get(searched_set(backbone))
    if weights is None:
        return None
    candidates = Candidates.from_prompts(prompts, prompt_sets=config.candidates, class_names=class_names)
    first = candidates.rows[candidates.offsets[:-1]]
    start = Candidates(prompts.features, np.arange(len(first) + 1), first)
    return PromptPool(candidates, start, prompts.features[first], np.array(weights, np.float32))


def keep(features: Features, pool: PromptPool, config: Search) -> ProtocolResult:
    """What the code calls "before search": the sentences and view weights it starts from."""
    task = pool.task(features)
    return ProtocolResult(pool.prompt_ids(np.full(task.candidates.classes, -1)), task.view_weights)


def search(features: Features, pool: PromptPool, config: Search) -> ProtocolResult:
    """What the code calls "after search": two sweeps over all sentences, each kept when strictly better.

    View weights stay, as in the release; `config.published_view_search` adds its search of them, which is commented
    out there: the best of the grid where that beats equal weights.
    """
    task = pool.task(features)
    result = search_prompts(task, SETTINGS)
    weights, correct = task.view_weights, result.correct
    if config.published_view_search == "grid":
        grid = grid_view_weights(task.features, task.labels, text=result.text, fallback=weights)
        if len(grid.accepted):
            weights, correct = grid.weights, grid.correct
    details = {
        "trace": [list(step) for step in result.trace],
        "searched": {"start": result.start, "correct": correct, "samples": len(task.labels)},
    }
    return ProtocolResult(pool.prompt_ids(result.choice), weights, details)


def _started(prompts: Prompts, class_names: tuple[str, ...], backbone: str, *, candidates: str) -> PromptPool | None:
    """The set `candidates`, started at the authors' sentences; None where one of the two is not there."""
    start = searched_set(backbone)
    if not {start, candidates} <= set(prompts.sets) or start not in prompts.view_weights:
        return None
    return PromptPool(
        Candidates.from_prompts(prompts, prompt_sets=(candidates,), class_names=class_names),
        Candidates.from_prompts(prompts, prompt_sets=(start,), class_names=class_names),
        class_features(prompts, prompt_set=start, class_names=class_names),
        np.array(prompts.view_weights[start], np.float32),
    )
