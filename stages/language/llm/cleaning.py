"""Answers of a language model -> sentences, with every line that is left out counted by its reason."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from stages.language.llm.markup import answer_lines
from stages.language.llm.sets import CLASS_PLACE, PromptSet
from stages.language.llm.subjects import Subject
from stages.language.prompts.templates import display_name

MOST_WORDS = 60  # of a sentence; what a backbone's text tower cuts of it, stage embed counts
REFUSED = ("refusal", "content_filter")  # finish reasons of an answer that is none
CUT_OFF = "length"  # finish reason of an answer that reached its token limit
BROKEN_OFF = "error"  # of one that the server did not bring to its end
UNFINISHED = (CUT_OFF, BROKEN_OFF)

REFUSAL = re.compile(
    r"\b(i(['’]m| am) (sorry|unable|not able)|i (can ?not|can['’]t|won['’]t)|as an ai\b|language model|my apologies)",
    re.IGNORECASE,
)
PREAMBLE = re.compile(
    r"(sure|certainly|of course|okay|absolutely|great)[,!.].*"
    r"|(here|below|these|following) (are|is) .*\b(captions?|sentences?|answers?|ways|descriptions?|list|json)\b.*|.*:$",
    re.IGNORECASE,
)
CLOSING = re.compile(
    r"((please )?(let me know|feel free)|i hope (this|these|that)|hope (this|these)|would you like|do you want"
    r"|if you('d| would)? (like|need|want)|note that\b|note:|these (captions|sentences|descriptions|answers)"
    r"|each (sentence|caption|of these)).*",
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


def clean(answers: Iterable[tuple[str, str]], *, prompt_set: PromptSet, subject: Subject) -> Cleaned:
    """The sentences of one prompt set about one subject, from (answer, finish reason) pairs.

    A reason is one of: empty, refusal, reasoning, markup, preamble, closing, cut off, other language, too long, class
    not named, part not named, wrong beginning, duplicate.
    """
    sentences, dropped = {}, Counter()
    for answer, finish_reason in answers:
        for line, reason in _judged_lines(answer, finish_reason):
            reason = reason or _unfit(line, prompt_set, subject)
            if not reason and line.casefold() in sentences:
                reason = "duplicate"
            if reason:
                dropped[reason] += 1
            else:
                sentences[line.casefold()] = line
    return Cleaned(list(sentences.values()), dropped)


def has_sentence(answer: str, finish_reason: str) -> bool:
    """Whether an answer has a whole line that may be a sentence, whatever it is about: no blank, no refusal alone."""
    return any(not reason for _, reason in _judged_lines(answer, finish_reason))


def why_no_sentence(answer: str) -> str:
    """The reason that the first line of an answer without a sentence was left out for."""
    return _judged_lines(answer, "stop")[0][1] or "empty"


def names(text: str, name: str) -> bool:
    """Whether `text` names `name`, in any case and with its words together, apart or joined by a hyphen."""
    words = r"[\s_-]?".join(re.escape(word) for word in re.split(r"[\s_-]+", name))
    return re.search(rf"\b{words}(s|es)?\b", text, re.IGNORECASE) is not None


def _judged_lines(answer: str, finish_reason: str) -> list[tuple[str, str | None]]:
    """(line without what surrounds it, None or why it is no sentence of anything) of one answer."""
    if finish_reason in REFUSED:
        return [(answer, "refusal")]
    lines = [(line, kind or _no_sentence(line)) for line, kind in answer_lines(answer)]
    if finish_reason in UNFINISHED and lines and lines[-1][1] is None:
        lines[-1] = (lines[-1][0], "cut off")
    return lines or [("", "empty")]


def _no_sentence(line: str) -> str | None:
    """Why `line` is no sentence, whatever was asked; None where it may be one."""
    if not any(character.isalnum() for character in line):
        return "empty"
    if REFUSAL.search(line):
        return "refusal"
    if PREAMBLE.fullmatch(line):
        return "preamble"
    return "closing" if CLOSING.fullmatch(line) else None


def _unfit(line: str, prompt_set: PromptSet, subject: Subject) -> str | None:
    """Why `line` is none of the sentences that `prompt_set` wants about `subject`; None where it is one."""
    if not _english(line):
        return "other language"
    if prompt_set.names_class and not names(line, subject.class_name):
        return "class not named"
    if prompt_set.names_class and not _names_part(line, subject.part):
        return "part not named"
    if prompt_set.begins and not _begins(line, prompt_set.begins, subject):
        return "wrong beginning"
    return "too long" if len(line.split()) > MOST_WORDS else None


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
    before, after = begins.split(CLASS_PLACE)
    name = re.escape(display_name(subject.class_name))
    return re.match(rf"{re.escape(before)}(\w+ ){{0,4}}{name}{re.escape(after)}", line, re.IGNORECASE) is not None
