"""Prompt search after few-shot training: other sentences tried on the features that a trained model gives.

M, S samples of the test split and of a run's validation set, D embedding, C classes. A feature is a view-weighted
sum, so the view weights stay what they were in training.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stages.artifacts.figures import LabelsRead
from stages.artifacts.types import Prompts
from stages.config.evaluate_fewshot import EvaluateFewshot
from stages.config.search import Search
from stages.fewshot.specs import AS_PUBLISHED_BEFORE, RunSpec, Start, Starts
from stages.language.prompts.published import CORPUS
from stages.prompt_search import as_published
from stages.prompt_search.candidates import Candidates, similarity
from stages.prompt_search.cross_fit import search_cross_fitted
from stages.prompt_search.greedy import GreedySearch, PromptSearchResult, search_prompts
from stages.prompt_search.task import SearchSettings, SearchTask
from stages.zeroshot.classifier import average_prompts

SEARCHES: dict[str, LabelsRead] = {"{}_search_train": "train", "{}_search_test": "test"}
AS_PUBLISHED_AFTER, AS_PUBLISHED_TEXT = "{}_as_published_after", "{}_as_published_text_{}"


class Searched(NamedTuple):
    """One search of one run: the classes i8 [M] predicted with its sentences, and what was chosen as plain data."""

    method: str
    shots: int
    seed: int
    labels_read: LabelsRead
    predicted: np.ndarray
    document: dict


@dataclass(frozen=True)
class AdaptedSearch:
    """Searches over the `prompts` of one backbone for the classes `class_names` [C], scored on test labels i8 [M]."""

    prompts: Prompts
    class_names: tuple[str, ...]
    starts: Starts
    test_labels: np.ndarray
    logit_scale: float
    search: Search
    config: EvaluateFewshot

    def run(self, spec: RunSpec, features: Mapping[str, np.ndarray]) -> list[Searched]:
        """All searches of one run, whose model gives `features` (see RunResult.adapted)."""
        if spec.published:
            return self._as_published(spec, features["test_features"])
        return self._ours(spec, features) if spec.method in self.config.searched else []

    def _ours(self, spec: RunSpec, features: Mapping[str, np.ndarray]) -> list[Searched]:
        """From the run's own prompts, by the labels of its validation set, and as an upper bound by the test labels."""
        candidates = self._candidates(*self.search.candidates)
        by_train = SearchSettings(objective=self.search.train_objective, sweeps=self.search.sweeps)
        by_test = SearchSettings(objective=self.search.objective, sweeps=self.search.sweeps)
        labels = features["validation_labels"]
        train = self._task(features["validation_features"], labels, candidates, self.starts.ours)
        test = self._task(features["test_features"], self.test_labels, candidates, self.starts.ours)
        results = self._cross_fitted(train, by_train), search_prompts(test, by_test)
        return [
            self._searched(row.format(spec.method), spec, read, result, test)
            for (row, read), result in zip(SEARCHES.items(), results, strict=True)
        ]

    def _cross_fitted(self, task: SearchTask, settings: SearchSettings) -> PromptSearchResult:
        """The search that held-out folds confirm; of a single sample none can be held out, and the start stands."""
        if len(task.labels) < 2:
            return GreedySearch(task, settings.objective, members=task.all_samples).result(task.candidates)
        folds = min(self.search.folds, len(task.labels))
        return search_cross_fitted(task, settings, folds=folds, seed=self.search.seed).final

    def _as_published(self, spec: RunSpec, features: np.ndarray) -> list[Searched]:
        """By the test labels, over each set that is there: the corpus from the run's prompts, others from theirs."""
        searched = []
        for row, name in published_searches(spec.method, self.config).items():
            if name in self.prompts.sets:
                candidates, start = self._candidates(name), self.starts.as_published
                if row != AS_PUBLISHED_AFTER.format(spec.method):
                    first = [[int(prompt)] for prompt in candidates.rows[candidates.offsets[:-1]]]
                    start = start._replace(prompts=first)
                task = self._task(features, self.test_labels, candidates, start)
                searched.append(self._searched(row, spec, "test", search_prompts(task, as_published.SETTINGS), task))
        return searched

    def _candidates(self, *prompt_sets: str) -> Candidates:
        return Candidates.from_prompts(self.prompts, prompt_sets=prompt_sets, class_names=self.class_names)

    def _task(self, features: np.ndarray, labels: np.ndarray, candidates: Candidates, start: Start) -> SearchTask:
        """A search on features [N, D] as those of a single view."""
        return SearchTask(
            features[:, None],
            labels,
            candidates=candidates,
            initial=average_prompts(self.prompts, start.prompts),
            view_weights=np.ones(1, np.float32),
            logit_scale=self.logit_scale,
        )

    def _searched(
        self, method: str, spec: RunSpec, read: LabelsRead, result: PromptSearchResult, test: SearchTask
    ) -> Searched:
        predicted = similarity(test.weighted, result.text).argmax(axis=1)
        document = {
            "labels_read": read,
            "prompts": test.candidates.prompt_ids(result.choice).tolist(),
            "start": result.start,
            "correct": result.correct,
            "trace": [list(step) for step in result.trace],
        }
        return Searched(method, spec.shots, spec.seed, read, predicted, document)


def published_searches(method: str, config: EvaluateFewshot) -> dict[str, str]:
    """The rows that the searches of a run as published give, and the prompt set that each goes through."""
    texts = {AS_PUBLISHED_TEXT.format(method, name): name for name in config.text_inputs}
    return {AS_PUBLISHED_AFTER.format(method): CORPUS} | texts


def not_run(
    methods: Iterable[str], config: EvaluateFewshot, *, starts: Starts, prompts: Prompts, text: str
) -> dict[str, str]:
    """By row, why the runs as published of `methods` or their searches have none: their start or a set is missing."""
    sets = {row: name for method in methods for row, name in published_searches(method, config).items()}
    if starts.as_published is None:
        reason = f"train.as_published.text '{text}' is neither a prompt set nor a search protocol of these prompts"
        return dict.fromkeys([*map(AS_PUBLISHED_BEFORE.format, methods), *sets], reason)
    return {
        row: f"prompt set '{name}' is not among these prompts (embed.sets)"
        for row, name in sets.items()
        if name not in prompts.sets
    }
