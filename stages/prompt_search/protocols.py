"""The search protocols by name: what each may look at, and what it chooses.

A choice is a plain document: the split and the labels that were read, prompt ids of each class [C][...] whose features
are averaged, and view weights [V] that sum to 1. A search adds its accepted steps and how many samples were right
before and after.
"""

from dataclasses import dataclass

import numpy as np

from stages.artifacts.types import Features, Prompts
from stages.config.search import Search
from stages.prompt_search.alternating import search
from stages.prompt_search.candidates import Candidates, candidates_of
from stages.prompt_search.cross_fit import search_cross_fitted
from stages.prompt_search.label_free import choose_label_free
from stages.prompt_search.view_weights import coordinate_view_weights
from stages.zeroshot.classifier import class_features


@dataclass(frozen=True)
class Sentences:
    """What a search may choose from, and the sentences [C] of features `initial` f4 [C, D] that it starts from."""

    candidates: Candidates
    start: Candidates
    initial: np.ndarray

    @classmethod
    def of(cls, prompts: Prompts, class_names: tuple[str, ...], config: Search) -> "Sentences":
        """The candidates and the start that `config` names; InputError when a class has none."""
        return cls(
            candidates_of(prompts, prompt_sets=config.candidates, class_names=class_names),
            candidates_of(prompts, prompt_sets=(config.start,), class_names=class_names),
            class_features(prompts, prompt_set=config.start, class_names=class_names),
        )

    def ids(self, choice: np.ndarray) -> list[list[int]]:
        """Prompt ids of each class [C]: the chosen candidate, or for -1 the sentences that the search started from."""
        return [
            [int(prompt)] if prompt >= 0 else self.start.of_class(c).tolist()
            for c, prompt in enumerate(self.candidates.prompt_ids(choice))
        ]


def label_free(test: Features, sentences: Sentences, config: Search) -> dict:
    """Chosen on the evaluated split without any label."""
    found = choose_label_free(
        test.values, candidates=sentences.candidates, logit_scale=test.logit_scale, keep=config.keep
    )
    ids = [sentences.candidates.of_class(c)[kept].tolist() for c, kept in enumerate(found.kept)]
    return _document("test", "none", ids, found.view_weights)


def search_train(train: Features, sentences: Sentences, config: Search) -> dict:
    """The honest search: what held-out folds of the train split confirm, then view weights on that split."""
    weights = _equal_weights(train)
    found = search_cross_fitted(
        train.values,
        train.labels,
        candidates=sentences.candidates,
        initial=sentences.initial,
        view_weights=weights,
        folds=config.folds,
        seed=config.seed,
        sweeps=config.sweeps,
        objective=config.objective,
        logit_scale=train.logit_scale,
    )
    text = found.found.text
    if config.view_search != "none" and config.objective != "negative_log_likelihood":
        weights = coordinate_view_weights(
            train.values, train.labels, text=text, start=weights, objective=config.objective, seed=config.seed
        ).weights
    held_out = {"start": found.held_out_start, "correct": found.held_out_correct, "samples": len(train.labels)}
    trace = [list(step) for step in found.found.trace]
    return _document("train", "train", sentences.ids(found.found.choice), weights, trace=trace, held_out=held_out)


def search_test(test: Features, sentences: Sentences, config: Search) -> dict:
    """The published search, an oracle: it sees the labels of the split that is evaluated."""
    found = search(
        test.values,
        test.labels,
        candidates=sentences.candidates,
        initial=sentences.initial,
        view_weights=_equal_weights(test),
        view_search=config.view_search,
        rounds=config.rounds,
        sweeps=config.sweeps,
        objective=config.objective,
        logit_scale=test.logit_scale,
    )
    trace = [list(step) for one in found.rounds for step in one.trace]
    searched = {"start": found.start, "correct": found.correct, "samples": len(test.labels)}
    return _document("test", "test", sentences.ids(found.choice), found.view_weights, trace=trace, searched=searched)


def _equal_weights(features: Features) -> np.ndarray:
    views = features.values.shape[1]
    return np.full(views, 1 / views, np.float32)


def _document(split: str, labels: str, prompts: list[list[int]], weights: np.ndarray, **more) -> dict:
    """A choice; view weights are scaled to sum 1, which changes no ranking and keeps logits comparable."""
    scaled = np.asarray(weights, float) / np.sum(weights)
    return {"split": split, "labels_read": labels, "prompts": prompts, "view_weights": scaled.tolist(), **more}
