"""The sentences of a dataset: which requests its prompt sets need, which are missing, what the answers give."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from stages.artifacts.sentences import SentenceTable
from stages.config.generate import Corpus, CorpusFile, Price
from stages.core.errors import InputError
from stages.language.llm.cleaning import Cleaned, clean
from stages.language.llm.corpora import import_set, is_imported
from stages.language.llm.cost import Tokens
from stages.language.llm.requests import PromptLibrary, Request, RequestFormat, requests_for
from stages.language.llm.sets import PromptSet
from stages.language.llm.subjects import Subject

RequestPlan = dict[str, dict[Subject, list[Request]]]  # by prompt set and subject


class Sentences(NamedTuple):
    """Sentences by set and subject, and per set the figures: requests, sentences, dropped by reason, tokens, cost."""

    texts: dict[str, dict[Subject, list[str]]]
    figures: dict[str, dict]


def plan_requests(
    sets: Iterable[str], subjects: list[Subject], *, library: PromptLibrary, request_format: RequestFormat
) -> RequestPlan:
    """The requests about every subject of those `sets` that a language model is asked for."""
    return {
        name: {
            subject: list(requests_for(name, subject, library=library, request_format=request_format))
            for subject in subjects
        }
        for name in sets
        if not is_imported(name)
    }


def missing_requests(plan: RequestPlan, answers: dict[str, dict]) -> list[Request]:
    """The planned requests without an answer, each once, in the plan's order."""
    planned = {
        request.key: request for by_subject in plan.values() for requests in by_subject.values() for request in requests
    }
    return [request for key, request in planned.items() if key not in answers]


def clean_answers(
    plan: RequestPlan, answers: dict[str, dict], *, prompt_sets: dict[str, PromptSet], price: Price | None
) -> Sentences:
    """The sentences in the answers to all planned requests; InputError when a set has none for a class or part."""
    texts, figures = {}, {}
    for name, by_subject in plan.items():
        cleaned = {}
        for subject, requests in by_subject.items():
            if requests:
                lines = [answers[request.key] for request in requests]
                given = [(line["answer"], line["finish_reason"]) for line in lines]
                cleaned[subject] = clean(given, prompt_set=prompt_sets[name], subject=subject)
                _require_sentence(name, subject, cleaned[subject])
        used = [answers[request.key] for requests in by_subject.values() for request in requests]
        texts[name] = {subject: result.sentences for subject, result in cleaned.items()}
        figures[name] = _figures(used, cleaned.values(), price)
    return Sentences(texts, figures)


def import_published(
    sets: Iterable[str],
    corpus: Corpus | None,
    *,
    fetch: Callable[[CorpusFile], bytes],
    classes: tuple[str, ...],
    part_names: tuple[tuple[str, ...], ...] | None,
) -> Sentences:
    """PointCLIP V2's own sets among `sets`, with the view weights that its search chose among the figures.

    A dataset that PointCLIP V2 published nothing for (`corpus` None) gets none of them.
    """
    texts, figures = {}, {}
    for name in sets if corpus else ():
        if is_imported(name):
            published = import_set(name, corpus, fetch=fetch, classes=classes, part_names=part_names)
            texts[name] = published.sentences
            counts = [len(of_subject) for of_subject in published.sentences.values()]
            figures[name] = {"sentences": sum(counts), "fewest": min(counts), "view_weights": published.view_weights}
    return Sentences(texts, figures)


def sentence_table(texts: dict[str, dict[Subject, list[str]]], classes: tuple[str, ...]) -> SentenceTable:
    """All sentences, by set and subject, as the table that is stored."""
    rows = [
        (name, classes.index(subject.class_name), subject.class_name, subject.part, text)
        for name, by_subject in texts.items()
        for subject, of_subject in by_subject.items()
        for text in of_subject
    ]
    sets, indices, names, parts, sentences = zip(*rows, strict=True) if rows else ((),) * 5
    return SentenceTable(sets, np.array(indices, np.int64), names, parts, sentences)


def _require_sentence(set_name: str, subject: Subject, cleaned: Cleaned) -> None:
    if not cleaned.sentences:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(cleaned.dropped.items()))
        raise InputError(
            f"generate: set {set_name}: no sentence is left for {subject} ({reasons}); reword its command in "
            "prompts/commands, or take its lines out of the record to ask again"
        )


def _figures(used: list[dict], cleaned: Iterable[Cleaned], price: Price | None) -> dict:
    cleaned = list(cleaned)
    dropped = sum((result.dropped for result in cleaned), start=Counter())
    tokens = Tokens(
        len(used),
        sum(answer["prompt_tokens"] for answer in used),
        sum(answer["completion_tokens"] for answer in used),
    )
    return {
        "requests": tokens.requests,
        "sentences": sum(len(result.sentences) for result in cleaned),
        "fewest": min((len(result.sentences) for result in cleaned), default=0),
        "dropped": {"all": sum(dropped.values()), **dropped},
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "dollars": None if price is None else round(tokens.cost(price), 4),
    }
