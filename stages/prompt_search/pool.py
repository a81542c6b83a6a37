"""What a search protocol chooses from, and what it chooses."""

from dataclasses import dataclass, field

import numpy as np

from stages.artifacts.types import Features, Prompts
from stages.config.search import Search
from stages.prompt_search.candidates import Candidates
from stages.prompt_search.task import SearchTask
from stages.zeroshot.classifier import class_features


@dataclass(frozen=True)
class PromptPool:
    """What a search may choose from, and the sentences [C] of features `initial` f4 [C, D] that it starts from.

    It starts with `view_weights` f4 [V] too; None are equal ones.
    """

    candidates: Candidates
    start: Candidates
    initial: np.ndarray
    view_weights: np.ndarray | None = None

    @classmethod
    def from_prompts(cls, prompts: Prompts, class_names: tuple[str, ...], config: Search) -> "PromptPool":
        """The candidates and the start that `config` names; InputError when a class has none."""
        return cls(
            Candidates.from_prompts(prompts, prompt_sets=config.candidates, class_names=class_names),
            Candidates.from_prompts(prompts, prompt_sets=(config.start,), class_names=class_names),
            class_features(prompts, prompt_set=config.start, class_names=class_names),
        )

    def prompt_ids(self, choice: np.ndarray) -> list[list[int]]:
        """Prompt ids of each class [C]: the chosen candidate, or for -1 the sentences that the search started from."""
        return [
            [int(prompt)] if prompt >= 0 else self.start.of_class(c).tolist()
            for c, prompt in enumerate(self.candidates.prompt_ids(choice))
        ]

    def task(self, features: Features) -> SearchTask:
        """The search of these sentences on `features`; InputError when the view weights are those of other views."""
        views = features.values.shape[1]
        return SearchTask(
            features.values,
            features.labels,
            candidates=self.candidates,
            initial=self.initial,
            view_weights=np.full(views, 1 / views, np.float32) if self.view_weights is None else self.view_weights,
            logit_scale=features.logit_scale,
        )


@dataclass(frozen=True)
class ProtocolResult:
    """What a protocol chooses.

    Prompt ids of each class [C][...], whose features are averaged; view weights [V] of any scale; `details` of the
    search, which go into its document as they are.
    """

    prompts: list[list[int]]
    view_weights: np.ndarray
    details: dict = field(default_factory=dict)
