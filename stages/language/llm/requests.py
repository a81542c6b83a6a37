"""Requests to the language model: the commands of a prompt set, filled in for one class or one part of it.

A request is known by what is asked: its key is a hash of the whole message body, pictures included, and of which
answer to it is meant. Whatever changes the question changes the key, and nothing else does.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from stages.config.generate import Generate
from stages.core.errors import InputError
from stages.language.llm.commands import Family
from stages.language.llm.sets import CLASS_PLACE, PromptSet
from stages.language.llm.subjects import Subject
from stages.language.prompts.templates import display_name

PNG_URL = "data:image/png;base64,"
CAPTIONED = "This picture is a depth map of a {class}."


@dataclass(frozen=True)
class Example:
    """An example picture: the PNG file of a depth map, and the class that it shows."""

    class_name: str
    png: bytes


@dataclass(frozen=True, kw_only=True)
class PromptLibrary:
    """All that a question is made of: the prompt sets and command families by name, and the example pictures."""

    sets: dict[str, PromptSet]
    families: dict[str, Family]
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RequestFormat:
    """How the server takes a request: the model, its name for the token limit, whether it takes a temperature.

    `reasoning_effort` and `extra_body` (more fields of the body) are part of what is asked only where they are set.
    """

    model: str
    token_limit: str
    temperature: bool
    reasoning_effort: str | None = None
    extra_body: dict = field(default_factory=dict)

    @classmethod
    def from_params(cls, config: Generate) -> "RequestFormat":
        """What section `generate` of params.yaml says."""
        return cls(
            model=config.model,
            token_limit=config.token_limit,
            temperature=config.temperature,
            reasoning_effort=config.reasoning_effort,
            extra_body=config.extra_body or {},
        )


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
    set_name: str, subject: Subject, *, library: PromptLibrary, request_format: RequestFormat
) -> Iterator[Request]:
    """All requests of a prompt set about `subject`; InputError where the set, a family or its pictures are missing."""
    if set_name not in library.sets:
        raise InputError(f"params.yaml: generate.sets: '{set_name}': expected one of {', '.join(library.sets)}")
    prompt_set = library.sets[set_name]
    if prompt_set.pictures and not library.examples:
        raise InputError(f"params.yaml: generate.examples: none, but set {set_name} sends pictures")
    examples = library.examples if prompt_set.pictures else ()
    for name in prompt_set.families:
        if name not in library.families:
            raise InputError(f"prompts/commands/{name}.yaml: no such file, but set {set_name} needs it")
        family = library.families[name]
        for command, sample, sentences, max_tokens in _commands(family, subject.kind, many=prompt_set.many):
            view = family.views[sample % len(family.views)] if family.views else ""
            content = _content(_filled(command, subject, count=sentences, view=view), examples)
            body = _body(content, family, max_tokens=max_tokens, request_format=request_format)
            yield Request(
                subject=subject, family=name, sample=sample, sentences=sentences, max_tokens=max_tokens, body=body
            )


def _commands(family: Family, kind: Literal["class", "part"], *, many: bool) -> Iterator[tuple[str, int, int, int]]:
    """Command, which answer to it, sentences in one answer, token limit."""
    if not many:
        if kind in family.one.commands:
            yield family.one.commands[kind], 0, 1, family.one.max_tokens
        return
    for command in family.many.commands.get(kind, ()) if family.many else ():
        for sample in range(family.many.answers):
            yield command, sample, family.many.sentences, family.many.max_tokens


def _body(content: str | list[dict], family: Family, *, max_tokens: int, request_format: RequestFormat) -> dict:
    body = {
        "model": request_format.model,
        "messages": [{"role": "user", "content": content}],
        "n": 1,
        request_format.token_limit: max_tokens,
    }
    if request_format.temperature:
        body["temperature"] = family.temperature
    if request_format.reasoning_effort is not None:
        body["reasoning_effort"] = request_format.reasoning_effort
    return body | request_format.extra_body


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
    vowel = class_name[0].lower() in "aeiou"
    return text.replace(f"a {CLASS_PLACE}", f"an {CLASS_PLACE}") if vowel else text


def _content(text: str, examples: tuple[Example, ...]) -> str | list[dict]:
    if not examples:
        return text
    content = []
    for example in examples:
        url = PNG_URL + base64.b64encode(example.png).decode()
        caption = _with_article(CAPTIONED, example.class_name).replace(CLASS_PLACE, display_name(example.class_name))
        content += [{"type": "text", "text": caption}, {"type": "image_url", "image_url": {"url": url}}]
    return [*content, {"type": "text", "text": text}]


def _hashed(content: str | list[dict]) -> str | list[dict]:
    if isinstance(content, str):
        return content
    return [_hashed_picture(part) if part["type"] == "image_url" else part for part in content]


def _hashed_picture(part: dict) -> dict:
    png = base64.b64decode(part["image_url"]["url"].removeprefix(PNG_URL))
    return part | {"image_url": {"url": f"sha256:{hashlib.sha256(png).hexdigest()}"}}
