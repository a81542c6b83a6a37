"""Requests to the language model: the commands of a prompt set, filled in for one class or one part of it.

A request is known by what was asked: its key is a hash of the whole message body, pictures included, and of which
answer to it is meant. Whatever changes the question changes the key, and nothing else does.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from stages.core.errors import InputError
from stages.language.llm.commands import Family
from stages.language.prompts.templates import display_name

PNG_URL = "data:image/png;base64,"
CAPTIONED = "This picture is a depth map of a {class}."


@dataclass(frozen=True, kw_only=True)
class PromptSet:
    """What a named prompt set asks: which families, many sentences or one, with example pictures or without.

    A sentence must name the class (`names_class`) and open with `begins`, where that is given.
    """

    families: tuple[str, ...]
    many: bool = False
    pictures: bool = False
    names_class: bool = True
    begins: str | None = None


FOUR = ("caption", "question", "paraphrase", "words")

# The report's experiments. A set is added by one more entry; a family by one more file in prompts/commands.
SETS: dict[str, PromptSet] = {
    "llm_1200": PromptSet(families=FOUR, many=True),
    "llm_four": PromptSet(families=FOUR),
    "llm_four_images": PromptSet(families=FOUR, pictures=True),
    "llm_one_v1_images": PromptSet(families=("description",), pictures=True, names_class=False),
    "llm_one_v2_images": PromptSet(families=("completion",), pictures=True, begins="A depth map of {class} would show"),
}


@dataclass(frozen=True)
class Subject:
    """What is asked about: a class, or one part of it (`part` is empty for the whole)."""

    class_name: str
    part: str = ""

    @property
    def kind(self) -> Literal["class", "part"]:
        """Which commands are for it."""
        return "part" if self.part else "class"


@dataclass(frozen=True)
class Example:
    """An example picture: the PNG file of a depth map, and the class that it shows."""

    class_name: str
    png: bytes


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How the server wants to be asked: the model, what it calls the token limit, whether it takes a temperature."""

    model: str
    token_limit: str
    temperature: bool


@dataclass(frozen=True, kw_only=True)
class Request:
    """One question and which answer to it is meant: `body` is what the server gets, for so many `sentences`."""

    subject: Subject
    family: str
    sample: int
    sentences: int
    max_tokens: int
    body: dict

    @cached_property
    def recorded(self) -> dict:
        """`body` with a hash in each picture's place: the pictures themselves are files in prompts/examples."""
        return self.body | {
            "messages": [message | {"content": _hashed(message["content"])} for message in self.body["messages"]]
        }

    @cached_property
    def key(self) -> str:
        """Hash of what was asked, as hexadecimal digits."""
        asked = json.dumps([self.recorded, self.sample], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(asked.encode()).hexdigest()[:32]


def requests_for(
    prompt_set: str, subject: Subject, *, families: dict[str, Family], examples: tuple[Example, ...], dialect: Dialect
) -> Iterator[Request]:
    """All requests of `prompt_set` about `subject`; InputError where a set, a family or its commands are missing."""
    if prompt_set not in SETS:
        raise InputError(f"params.yaml: generate.sets: '{prompt_set}': expected one of {', '.join(SETS)}")
    wanted = SETS[prompt_set]
    if wanted.pictures and not examples:
        raise InputError(f"params.yaml: generate.examples: none, but set {prompt_set} sends pictures")
    for name in wanted.families:
        if name not in families:
            raise InputError(f"prompts/commands/{name}.yaml: no such file, but set {prompt_set} needs it")
        family = families[name]
        for command, sample, sentences, max_tokens in _asked(family, subject.kind, many=wanted.many):
            view = family.views[sample % len(family.views)] if family.views else ""
            text = _filled(command, subject, count=sentences, view=view)
            body = {
                "model": dialect.model,
                "messages": [{"role": "user", "content": _content(text, examples if wanted.pictures else ())}],
                "n": 1,
                dialect.token_limit: max_tokens,
            }
            if dialect.temperature:
                body["temperature"] = family.temperature
            yield Request(
                subject=subject, family=name, sample=sample, sentences=sentences, max_tokens=max_tokens, body=body
            )


def _asked(family: Family, kind: str, *, many: bool) -> Iterator[tuple[str, int, int, int]]:
    """Command, which answer to it, sentences in one answer, token limit."""
    if not many:
        if kind in family.one.commands:
            yield family.one.commands[kind], 0, 1, family.one.max_tokens
        return
    for command in family.many.commands.get(kind, ()) if family.many else ():
        for sample in range(family.many.answers):
            yield command, sample, family.many.sentences, family.many.max_tokens


def _filled(command: str, subject: Subject, *, count: int, view: str) -> str:
    command = _with_article(command, subject.class_name)
    places = {
        "class": display_name(subject.class_name),
        "part": display_name(subject.part),
        "count": str(count),
        "view": view,
    }
    return command.format_map(places).strip()


def _with_article(text: str, class_name: str) -> str:
    """`text` with "an {class}" for "a {class}" where the name opens with a vowel."""
    return text.replace("a {class}", "an {class}") if class_name[0].lower() in "aeiou" else text


def _content(text: str, examples: tuple[Example, ...]) -> str | list[dict]:
    if not examples:
        return text
    content = []
    for example in examples:
        url = PNG_URL + base64.b64encode(example.png).decode()
        caption = _with_article(CAPTIONED, example.class_name).replace("{class}", display_name(example.class_name))
        content += [{"type": "text", "text": caption}, {"type": "image_url", "image_url": {"url": url}}]
    return [*content, {"type": "text", "text": text}]


def _hashed(content: str | list[dict]) -> str | list[dict]:
    if isinstance(content, str):
        return content
    return [_hashed_picture(part) if part["type"] == "image_url" else part for part in content]


def _hashed_picture(part: dict) -> dict:
    png = base64.b64decode(part["image_url"]["url"].removeprefix(PNG_URL))
    return part | {"image_url": {"url": f"sha256:{hashlib.sha256(png).hexdigest()}"}}
