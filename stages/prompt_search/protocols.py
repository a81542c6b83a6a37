"""The search protocols: what each is given, which labels it reads, and what it chooses.

To add a protocol: a function of features, a pool of prompts and the section `search` of params.yaml, and an entry in
PROTOCOLS. The stage `search` runs every entry that has something to choose from, and `evaluate` scores what it wrote.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from stages.artifacts.types import Features, Prompts
from stages.config.search import Search
from stages.prompt_search import as_published
from stages.prompt_search.alternating import search_alternating
from stages.prompt_search.cross_fit import search_cross_fitted
from stages.prompt_search.label_free import choose_label_free
from stages.prompt_search.pool import PromptPool, ProtocolResult
from stages.prompt_search.task import SearchSettings
from stages.prompt_search.view_weights import coordinate_view_weights

HIDDEN = -1  # stands for every label that a protocol may not read; no class has this index


def configured_pool(prompts: Prompts, class_names: tuple[str, ...], config: Search, backbone: str) -> PromptPool:
    """The candidates and the start that `config` names, whatever the backbone."""
    return PromptPool.from_prompts(prompts, class_names, config)


@dataclass(frozen=True)
class SearchProtocol:
    """A way to choose prompts and view weights, by name.

    It is given `split` and reads its labels or none: other labels are hidden from it. One that reads test labels is an
    oracle: reports mark it with a dagger, and nothing may build on it. `pool` gives what it chooses from, or None where
    a dataset and backbone have nothing of the kind; it is then left out.
    """

    name: str
    choose: Callable[[Features, PromptPool, Search], ProtocolResult]
    split: Literal["train", "test"]
    labels_read: Literal["none", "train", "test"]
    pool: Callable[[Prompts, tuple[str, ...], Search, str], PromptPool | None] = configured_pool

    def __post_init__(self) -> None:
        if self.labels_read not in ("none", self.split):
            raise ValueError(f"protocol {self.name}: reads {self.labels_read} labels, but is given {self.split}")

    def run(self, splits: dict[str, Features], pool: PromptPool, config: Search) -> dict:
        """The choice as a plain document; its view weights sum to 1, which changes no ranking."""
        features = splits[self.split]
        if self.labels_read == "none":
            features = replace(features, labels=np.full_like(features.labels, HIDDEN))
        result = self.choose(features, pool, config)
        weights = np.asarray(result.view_weights, float) / np.sum(result.view_weights)
        return {
            "split": self.split,
            "labels_read": self.labels_read,
            "prompts": result.prompts,
            "view_weights": weights.tolist(),
            **result.details,
        }


def label_free(features: Features, pool: PromptPool, config: Search) -> ProtocolResult:
    """Chosen without any label, by what the views agree on."""
    result = choose_label_free(
        features.values,
        candidates=pool.candidates,
        logit_scale=features.logit_scale,
        keep_fraction=config.keep_fraction,
    )
    ids = [pool.candidates.of_class(c)[kept].tolist() for c, kept in enumerate(result.kept)]
    return ProtocolResult(ids, result.view_weights)


def search_cross_fitted_prompts(features: Features, pool: PromptPool, config: Search) -> ProtocolResult:
    """The search without test labels: sentences that held-out folds confirm, then view weights on the whole split.

    View weights follow no likelihood: with that objective they stay as they are.
    """
    task, settings = pool.task(features), SearchSettings(objective=config.train_objective, sweeps=config.sweeps)
    result = search_cross_fitted(task, settings, folds=config.folds, seed=config.seed)
    weights = task.view_weights
    if config.view_search != "none" and config.train_objective != "negative_log_likelihood":
        weights = coordinate_view_weights(
            task.features,
            task.labels,
            text=result.final.text,
            start=weights,
            objective=config.train_objective,
            seed=config.seed,
        ).weights
    held_out = {"start": result.held_out_start, "correct": result.held_out_correct, "samples": len(task.labels)}
    trace = [list(step) for step in result.final.trace]
    return ProtocolResult(pool.prompt_ids(result.final.choice), weights, {"trace": trace, "held_out": held_out})


def search_on_test(features: Features, pool: PromptPool, config: Search) -> ProtocolResult:
    """The published search from the configured start: sentences and view weights that are best on the split itself."""
    settings = SearchSettings(objective=config.objective, sweeps=config.sweeps)
    result = search_alternating(pool.task(features), settings, view_search=config.view_search, rounds=config.rounds)
    trace = [list(step) for prompt_search in result.rounds for step in prompt_search.trace]
    searched = {"start": result.start, "correct": result.correct, "samples": len(features.labels)}
    return ProtocolResult(pool.prompt_ids(result.choice), result.view_weights, {"trace": trace, "searched": searched})


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        SearchProtocol("label_free", label_free, split="test", labels_read="none"),
        SearchProtocol("search_train", search_cross_fitted_prompts, split="train", labels_read="train"),
        SearchProtocol("search_test", search_on_test, split="test", labels_read="test"),
        SearchProtocol(
            "as_published_before",
            as_published.keep,
            split="test",
            labels_read="test",
            pool=as_published.searched_prompts,
        ),
        SearchProtocol(
            "as_published_after",
            as_published.search,
            split="test",
            labels_read="test",
            pool=as_published.corpus_from_searched,
        ),
        SearchProtocol(
            "as_published_candidates",
            as_published.search,
            split="test",
            labels_read="test",
            pool=as_published.candidates_from_first,
        ),
    )
}
