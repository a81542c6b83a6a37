"""Answers of a language model -> sentences, with every line that is left out counted by its reason."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from stages.language.llm.requests import PromptSet, Subject
from stages.language.prompts.templates import display_name

TOKENS = 77  # CLIP's text length, start and end included

NUMBERING = re.compile(r"^\s*(?:[-*•–·]\s+|\(?\d{1,3}\s*[.):]\s*|sentence \d+\s*[:.]\s*)", re.IGNORECASE)
QUOTES = "\"'“”„‘’«»`*_ \t"
REFUSAL = re.compile(
    r"\b(i(['’]m| am) (sorry|unable|not able)|i (can ?not|can['’]t|won['’]t)|as an ai\b|language model|my apologies)",
    re.IGNORECASE,
)
PREAMBLE = re.compile(
    r"(sure|certainly|of course|okay)[,!.].*|(here|below) (are|is) .*(captions?|sentences?|answers?|ways)\b.*|.*:$",
    re.IGNORECASE,
)
ENGLISH = re.compile(r"\b(a|an|the|of|is|are|it|its|in|on|at|by|to|and|with|which|that|from|as|has|have|like)\b", re.I)
FOREIGN = re.compile(  # small words of French, Spanish, Italian, Portuguese, German and Dutch that are none of English
    r"\b(un|una|une|uno|um|uma|el|los|las|le|les|la|il|lo|gli|des|du|del|della|de|da|en|em|y|e|est|è|que|con|avec|dans"
    r"|por|der|das|ein|eine|einer|und|ist|mit|von|het|een|van|op|met)\b",
    re.I,
)


class Cleaned(NamedTuple):
    """Sentences in the order they were given, and how many lines each reason left out."""

    sentences: list[str]
    dropped: Counter


def clean(
    answers: Iterable[tuple[str, str]], *, prompt_set: PromptSet, subject: Subject, count_tokens: Callable[[str], int]
) -> Cleaned:
    """The sentences of one prompt set about one subject, from (answer, finish reason) pairs.

    A reason is one of: empty, refusal, preamble, cut off, other language, too long, class not named, part not named,
    wrong beginning, duplicate. `count_tokens` gives a sentence's length in CLIP's tokens, start and end included.
    """
    sentences, dropped = {}, Counter()
    for answer, finish_reason in answers:
        for line, reason in _lines(answer, finish_reason):
            reason = reason or _fault(line, prompt_set, subject, count_tokens)
            if not reason and line.casefold() in sentences:
                reason = "duplicate"
            if reason:
                dropped[reason] += 1
            else:
                sentences[line.casefold()] = line
    return Cleaned(list(sentences.values()), dropped)


def names(text: str, name: str) -> bool:
    """Whether `text` names `name`, in any case and with its words together, apart or joined by a hyphen."""
    words = r"[\s_-]?".join(re.escape(word) for word in re.split(r"[\s_-]+", name))
    return re.search(rf"\b{words}(s|es)?\b", text, re.IGNORECASE) is not None


def _lines(answer: str, finish_reason: str) -> list[tuple[str, str | None]]:
    """(line without numbering and quotes, reason to leave it out or None) of one answer."""
    if finish_reason in ("refusal", "content_filter"):
        return [(answer, "refusal")]
    lines = [line for line in answer.splitlines() if line.strip()]
    if not lines:
        return [("", "empty")]
    cut = [None] * len(lines)
    if finish_reason == "length":
        cut[-1] = "cut off"
    return [(_bare(line), reason) for line, reason in zip(lines, cut, strict=True)]


def _bare(line: str) -> str:
    return " ".join(NUMBERING.sub("", line.strip(QUOTES)).strip(QUOTES).split())


def _fault(line: str, prompt_set: PromptSet, subject: Subject, count_tokens: Callable[[str], int]) -> str | None:
    checks = (
        ("empty", lambda: not any(character.isalnum() for character in line)),
        ("refusal", lambda: REFUSAL.search(line)),
        ("preamble", lambda: PREAMBLE.fullmatch(line)),
        ("other language", lambda: not _english(line)),
        ("class not named", lambda: prompt_set.names_class and not names(line, subject.class_name)),
        ("part not named", lambda: prompt_set.names_class and not _names_part(line, subject.part)),
        ("wrong beginning", lambda: prompt_set.begins and not _begins(line, prompt_set.begins, subject)),
        ("too long", lambda: count_tokens(line) > TOKENS),
    )
    return next((reason for reason, found in checks if found()), None)


def _names_part(line: str, part: str) -> bool:
    """Whether `line` names `part` by any of its names: "wheel or tire" has two, and "" is no part."""
    return not part or any(names(line, name) for name in part.split(" or "))


def _english(line: str) -> bool:
    """Mostly Latin letters, and at least as many small English words as foreign ones."""
    letters = [character for character in line if character.isalpha()]
    english, foreign = len(ENGLISH.findall(line)), len(FOREIGN.findall(line))
    return sum(letter.isascii() for letter in letters) >= 0.8 * len(letters) and english >= max(foreign, 1)


def _begins(line: str, begins: str, subject: Subject) -> bool:
    # with up to four words more: "a", "a pair of"
    before, after = begins.split("{class}")
    name = re.escape(display_name(subject.class_name))
    return re.match(rf"{re.escape(before)}(\w+ ){{0,4}}{name}{re.escape(after)}", line, re.IGNORECASE) is not None
