"""What of a library resembles words, an object of one's own or a picture.

N objects in the library, V views, D width of a feature.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from stages.artifacts.library import Entry, Library, first_difference, read_library
from stages.core.errors import InputError
from stages.own.library import encoding_of
from stages.own.results import Axis, Read, Up
from stages.retrieval.floor import RATE, floor
from stages.retrieval.pooling import DEFAULT, pool, ranked, scores

ARTICLE = re.compile(r"^(a|an|the)(\s+|$)", re.IGNORECASE)  # the templates have one of their own
WORDS, OBJECTS, PICTURES = "words", "objects", "pictures"


@dataclass(frozen=True)
class Hit:
    """One object of the library, its score in -1..1, and whether that is above the floor (True without one)."""

    row: int
    entry: Entry
    score: float
    matches: bool


@dataclass(frozen=True)
class Found:
    """The hits of one search, best first, and the floor below which nothing matches.

    `floor` is None where none could be calibrated: for pictures, of which a library knows nothing, and where the
    backbone knows too few words, or for objects, the library has too few. `rate` is the share of searches for what is
    not there that get past it. Where an object was asked for, `up` is the axis that was taken as up in it and `read`
    what its file held; for words and pictures both are None.
    """

    query: str
    kind: str
    pooling: str
    floor: float | None
    rate: float
    hits: tuple[Hit, ...]
    up: Axis | None = None
    read: Read | None = None

    @property
    def nothing_matches(self) -> bool:
        """Whether no object is above the floor."""
        return not any(hit.matches for hit in self.hits)


class Searchable:
    """A library with the model that made it, held in memory for one search after the other."""

    def __init__(self, model, path: Path):
        self.library: Library = read_library(path)
        encoding = self.library.encoding
        if different := first_difference(encoding, encoding_of(model, up=encoding.up)):
            raise InputError(f"{path}: was made with {different}; index the folder again")
        if not self.library.entries:
            raise InputError(f"{path}: holds no object, only {len(self.library.rejects)} files that could not be read")
        self._model = model
        self.vectors = cache(self._vectors)

    def search(
        self,
        words: str | None = None,
        *,
        like: str | Path | np.ndarray | None = None,
        image: str | Path | None = None,
        up: Up | None = None,
        top: int = 10,
        pooling: str = DEFAULT,
        rate: float = RATE,
    ) -> Found:
        """The `top` objects for one of `words`, an object `like` whose `up` axis is the library's or given, an `image`.

        InputError for none or several of these, and for a file that cannot be read.
        """
        asked = {WORDS: words, OBJECTS: like, PICTURES: image}
        given = [kind for kind, value in asked.items() if value is not None]
        if len(given) != 1:
            raise InputError(f"search: {len(given)} of words, an object and a picture; expected one of them")
        if top < 1 or not 0 < rate < 1:
            raise InputError(f"search: top {top}, rate {rate}: expected at least 1, and a share between 0 and 1")
        [kind] = given
        seen = self._model.encode(like, up=up or self.library.encoding.up) if kind == OBJECTS else None
        query = self._query(kind, asked[kind]) if seen is None else pool(seen.features, pooling)[:, 0]
        found = scores(self.vectors(pooling), query)
        lowest = floor(self.library.null_scores.get(kind, {}).get(pooling, ()), rate=rate)
        hits = tuple(
            Hit(int(row), self.library.entries[row], float(found[row]), lowest is None or float(found[row]) > lowest)
            for row in ranked(found, top=top)
        )
        shown = "an array" if isinstance(asked[kind], np.ndarray) else str(asked[kind])
        of_object = {} if seen is None else {"up": seen.up[0], "read": seen.read[0]}
        return Found(shown, kind, pooling, lowest, rate, hits, **of_object)

    def thumbnails(self, found: Found) -> list[bytes]:
        """The PNG of every hit."""
        return self.library.thumbnails([hit.row for hit in found.hits])

    def _vectors(self, pooling: str) -> np.ndarray:
        """The pooled features f4 [K, N, D], computed once."""
        return pool(self.library.features, pooling)

    def _query(self, kind: str, asked) -> np.ndarray:
        """The vector f4 [1, D] of the words or the picture that is asked for."""
        if kind == PICTURES:
            return self._model.encode_images(asked)
        subject = ARTICLE.sub("", asked.strip())
        if not subject:
            raise InputError("search: no words, expected some")
        return self._model.label_features([subject])
