"""The sentences about the parts of one category, by prompt set, with their text features."""

from collections.abc import Mapping, Sequence

import numpy as np

from stages.core.errors import InputError
from stages.core.text import ensemble
from stages.prompt_search.candidates import Candidates

PartSentences = Mapping[str, Mapping[str, Sequence[str]]]  # prompt set -> part -> sentences, of one category


class PartPrompts:
    """Sentences about one category's K parts, and the features f4 [D] of each sentence."""

    def __init__(
        self, sentences: PartSentences, features: Mapping[str, np.ndarray], *, category: str, parts: tuple[str, ...]
    ):
        self._sentences, self._features, self._category, self.parts = sentences, features, category, parts

    def sentences(self, prompt_sets: Sequence[str]) -> list[list[str]]:
        """Per part the sentences of all `prompt_sets`, each once; InputError where a part has none."""
        by_part = [
            list(dict.fromkeys(text for name in prompt_sets for text in self._sentences[name].get(part, ())))
            for part in self.parts
        ]
        for part, texts in zip(self.parts, by_part, strict=True):
            if not texts:
                raise InputError(
                    f"params.yaml: segment: prompt sets {', '.join(prompt_sets)} have no sentence for part '{part}' "
                    f"of '{self._category}'"
                )
        return by_part

    def first_parts(self, prompt_set: str) -> list[list[str]]:
        """The sentences of `prompt_set` about the first of the parts, which may be fewer than there are.

        InputError where it has none about the first, or some about a part after one without.
        """
        by_part = [list(self._sentences[prompt_set].get(part, ())) for part in self.parts]
        count = next((k for k, texts in enumerate(by_part) if not texts), len(by_part))
        if count == 0 or any(by_part[count:]):
            raise InputError(
                f"prompt set {prompt_set}: expected sentences for the first parts of '{self._category}', "
                f"there are none for '{self.parts[count]}'"
            )
        return by_part[:count]

    def candidates(self, sentences: list[list[str]]) -> Candidates:
        """`sentences` of each part as candidates of a search."""
        features = np.stack([self._features[text] for of_part in sentences for text in of_part])
        return Candidates.ragged(features, np.cumsum([0, *map(len, sentences)]))

    def average(self, sentences: list[list[str]]) -> np.ndarray:
        """Text features f4 [K, D]: the mean of each part's sentences, of unit norm."""
        candidates = self.candidates(sentences)
        return ensemble(candidates.features, map(candidates.of_class, range(candidates.classes)))
