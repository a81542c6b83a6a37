"""The sentences of a dataset: which requests its prompt sets need, which are missing, what the answers give."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from stages.artifacts.types import SentenceTable
from stages.config.generate import Corpus, CorpusFile, Generate, Price
from stages.core.errors import InputError
from stages.language.llm.answers import Lines, best_answer, needs_asking, reason_of
from stages.language.llm.cleaning import Cleaned, clean
from stages.language.llm.corpora import import_set
from stages.language.llm.cost import Tokens, estimate
from stages.language.llm.requests import PromptLibrary, Request, RequestFormat, requests_for
from stages.language.llm.sets import PromptSet
from stages.language.llm.subjects import Subject
from stages.language.prompts.published import is_imported

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


def requests_to_ask(plan: RequestPlan, lines: Lines, *, longest_answer: int) -> list[Request]:
    """The planned requests that the record `lines` have no complete answer to, each once, in the plan's order."""
    return [
        request
        for request in _planned(plan).values()
        if needs_asking(request, lines.get(request.key, []), longest_answer=longest_answer)
    ]


def missing_requests(plan: RequestPlan, lines: Lines) -> list[Request]:
    """The planned requests that were never answered, not even with a blank."""
    return [request for request in _planned(plan).values() if request.key not in lines]


def unanswered(plan: RequestPlan, lines: Lines) -> str | None:
    """One line about the planned requests that never gave a sentence; None when there is none."""
    requests = [request for request in _planned(plan).values() if best_answer(lines[request.key]) is None]
    if not requests:
        return None
    reasons = Counter(reason_of(lines[request.key][-1]) for request in requests)
    counts = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
    return (
        f"{len(requests)} requests gave no sentence ({counts}), the first is {requests[0].family} about "
        f"{requests[0].subject}; they are left out, and a later run with a server asks for them again"
    )


def clean_answers(
    plan: RequestPlan, lines: Lines, *, prompt_sets: dict[str, PromptSet], price: Price | None
) -> Sentences:
    """The sentences in the answers to all planned requests; InputError when a set has none for a class or part."""
    texts, figures = {}, {}
    for name, by_subject in plan.items():
        cleaned = {}
        for subject, requests in by_subject.items():
            if requests:
                answers = [best_answer(lines[request.key]) or lines[request.key][-1] for request in requests]
                given = [(answer["answer"], answer["finish_reason"]) for answer in answers]
                cleaned[subject] = clean(given, prompt_set=prompt_sets[name], subject=subject)
                _require_sentence(name, subject, cleaned[subject])
        used = [lines[request.key] for requests in by_subject.values() for request in requests]
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


def sentence_table(written: Sentences, published: Sentences, classes: tuple[str, ...]) -> SentenceTable:
    """All sentences, by set and subject, as the table that is stored, with the published view weights."""
    rows = [
        (name, classes.index(subject.class_name), subject.class_name, subject.part, text)
        for name, by_subject in (written.texts | published.texts).items()
        for subject, of_subject in by_subject.items()
        for text in of_subject
    ]
    sets, indices, names, parts, sentences = zip(*rows, strict=True) if rows else ((),) * 5
    weights = {name: found for name, one in published.figures.items() if (found := one["view_weights"])}
    return SentenceTable(sets, np.array(indices, np.int64), names, parts, sentences, weights)


def explain_missing(requests: list[Request], config: Generate) -> str:
    """One line for a run that has no server to ask: how many requests, what they would cost, what to do."""
    tokens, price = estimate(requests), config.prices.get(config.model)
    cost = "at a price not in generate.prices" if price is None else f"about {tokens.cost(price):.2f} dollars"
    return (
        f"{len(requests)} answers of model '{config.model}' are missing in the record (about {tokens.prompt} tokens "
        f"sent and {tokens.completion} received, {cost}); to ask for them set generate.base_url in params.yaml and the "
        f"environment variable {config.key_variable}, to do without empty generate.sets"
    )


def _planned(plan: RequestPlan) -> dict[str, Request]:
    return {
        request.key: request for by_subject in plan.values() for requests in by_subject.values() for request in requests
    }


def _require_sentence(set_name: str, subject: Subject, cleaned: Cleaned) -> None:
    if not cleaned.sentences:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(cleaned.dropped.items()))
        raise InputError(
            f"generate: set {set_name}: no sentence is left for {subject} ({reasons}); reword its command in "
            "prompts/commands, or take its lines out of the record to ask again"
        )


def _figures(used: list[list[dict]], cleaned: Iterable[Cleaned], price: Price | None) -> dict:
    """What a set took, all attempts at its requests included; these are counted only where there are some."""
    cleaned = list(cleaned)
    dropped = sum((result.dropped for result in cleaned), start=Counter())
    paid = [line for of_request in used for line in of_request]
    tokens = Tokens(
        len(used), sum(line["prompt_tokens"] for line in paid), sum(line["completion_tokens"] for line in paid)
    )
    attempts = {"attempts": len(paid)} if len(paid) > len(used) else {}
    without = sum(best_answer(of_request) is None for of_request in used)
    return (
        attempts
        | ({"unanswered": without} if without else {})
        | {
            "requests": tokens.requests,
            "sentences": sum(len(result.sentences) for result in cleaned),
            "fewest": min((len(result.sentences) for result in cleaned), default=0),
            "dropped": {"all": sum(dropped.values()), **dropped},
            "prompt_tokens": tokens.prompt,
            "completion_tokens": tokens.completion,
            "dollars": None if price is None else round(tokens.cost(price), 4),
        }
    )
