"""The sentences of a dataset: which requests its prompt sets need, which are missing, what the answers give."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from stages.artifacts.types import SentenceTable
from stages.config.generate import Corpus, CorpusFile, Price
from stages.core.errors import InputError
from stages.language.llm.cleaning import Cleaned, clean
from stages.language.llm.commands import Family
from stages.language.llm.corpora import import_set, is_imported
from stages.language.llm.cost import Tokens
from stages.language.llm.requests import SETS, Dialect, Example, Request, Subject, requests_for

Plan = dict[str, dict[Subject, list[Request]]]  # by prompt set and subject
Sentences = dict[str, dict[Subject, list[str]]]  # likewise


class Kept(NamedTuple):
    """Sentences by set and subject, and per set the figures: requests, kept, dropped by reason, tokens, cost."""

    sentences: Sentences
    figures: dict[str, dict]


def subjects_of(classes: tuple[str, ...], part_names: tuple[tuple[str, ...], ...] | None) -> list[Subject]:
    """Every class, and after it each of its parts."""
    parts = part_names or ((),) * len(classes)
    return [Subject(name, part) for name, of_class in zip(classes, parts, strict=True) for part in ("", *of_class)]


def plan(
    sets: Iterable[str],
    subjects: list[Subject],
    *,
    families: dict[str, Family],
    examples: tuple[Example, ...],
    dialect: Dialect,
) -> Plan:
    """The requests about every subject of those `sets` that a language model is asked for."""
    return {
        name: {
            subject: list(requests_for(name, subject, families=families, examples=examples, dialect=dialect))
            for subject in subjects
        }
        for name in sets
        if not is_imported(name)
    }


def missing(planned: Plan, answers: dict[str, dict]) -> list[Request]:
    """The planned requests without an answer, each once, in the plan's order."""
    wanted = {
        request.key: request
        for by_subject in planned.values()
        for requests in by_subject.values()
        for request in requests
    }
    return [request for key, request in wanted.items() if key not in answers]


def keep(planned: Plan, answers: dict[str, dict], *, count_tokens: Callable[[str], int], price: Price | None) -> Kept:
    """Clean the answers to all planned requests; InputError when a set has no sentence for a class or part."""
    sentences, figures = {}, {}
    for name, by_subject in planned.items():
        cleaned = {}
        for subject, requests in by_subject.items():
            if requests:
                given = [(answers[one.key]["answer"], answers[one.key]["finish_reason"]) for one in requests]
                cleaned[subject] = clean(given, prompt_set=SETS[name], subject=subject, count_tokens=count_tokens)
                _require_one(name, subject, cleaned[subject])
        used = [answers[one.key] for requests in by_subject.values() for one in requests]
        sentences[name] = {subject: one.sentences for subject, one in cleaned.items()}
        figures[name] = _figures(used, cleaned.values(), price)
    return Kept(sentences, figures)


def imported(
    sets: Iterable[str],
    facts: Corpus | None,
    *,
    fetch: Callable[[CorpusFile], bytes],
    classes: tuple[str, ...],
    part_names: tuple[tuple[str, ...], ...] | None,
) -> Kept:
    """PointCLIP V2's own sets among `sets`, with the view weights that its search chose among the figures.

    A dataset that PointCLIP V2 published nothing for (`facts` None) gets none of them.
    """
    sentences, figures = {}, {}
    for name in sets if facts else ():
        if is_imported(name):
            found = import_set(name, facts, fetch=fetch, classes=classes, part_names=part_names)
            sentences[name] = found.sentences
            counts = [len(texts) for texts in found.sentences.values()]
            figures[name] = {"sentences": sum(counts), "fewest": min(counts), "view_weights": found.view_weights}
    return Kept(sentences, figures)


def wording(sentences: Sentences, classes: tuple[str, ...]) -> SentenceTable:
    """All sentences as the table that is stored."""
    rows = [
        (name, classes.index(subject.class_name), subject.class_name, subject.part, text)
        for name, by_subject in sentences.items()
        for subject, texts in by_subject.items()
        for text in texts
    ]
    sets, indices, names, parts, texts = zip(*rows, strict=True) if rows else ((),) * 5
    return SentenceTable(sets, np.array(indices, np.int64), names, parts, texts)


def _require_one(name: str, subject: Subject, cleaned: Cleaned) -> None:
    if not cleaned.sentences:
        what = f"part '{subject.part}' of '{subject.class_name}'" if subject.part else f"class '{subject.class_name}'"
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(cleaned.dropped.items()))
        raise InputError(
            f"generate: set {name}: no sentence is left for {what} ({reasons}); reword its command in "
            "prompts/commands, or take its lines out of the record to ask again"
        )


def _figures(used: list[dict], cleaned: Iterable[Cleaned], price: Price | None) -> dict:
    cleaned = list(cleaned)
    dropped = sum((one.dropped for one in cleaned), start=Counter())
    tokens = Tokens(len(used), sum(one["prompt_tokens"] for one in used), sum(one["completion_tokens"] for one in used))
    return {
        "requests": tokens.requests,
        "sentences": sum(len(one.sentences) for one in cleaned),
        "fewest": min((len(one.sentences) for one in cleaned), default=0),
        "dropped": {"all": sum(dropped.values()), **dropped},
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "dollars": None if price is None else round(tokens.cost(price), 4),
    }
