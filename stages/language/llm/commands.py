"""Command families: what the language model is asked about a class or a part, one YAML file a family."""

import re
from dataclasses import field
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from stages.core.errors import InputError
from stages.core.yaml import load_yaml

strict = dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))

PLACES = {"class": {"class", "view", "count"}, "part": {"class", "part", "view", "count"}}


@strict
class MultiSentence:
    """Commands that ask for `sentences` sentences in one answer, each asked `answers` times."""

    sentences: Annotated[int, Field(ge=1)]
    answers: Annotated[int, Field(ge=1)]
    max_tokens: Annotated[int, Field(ge=1)]
    commands: dict[str, tuple[str, ...]]


@strict
class SingleSentence:
    """The command that asks for a single sentence."""

    max_tokens: Annotated[int, Field(ge=1)]
    commands: dict[str, str]


@strict
class Family:
    """A command family; commands are for a `class` or a `part`, and answer i of a command is about view i.

    Places in a command: `{class}`, `{part}`, `{view}` (one of `views`) and `{count}` (the sentences wanted).
    """

    temperature: Annotated[float, Field(ge=0)]
    views: tuple[str, ...] = field(default_factory=tuple)
    many: MultiSentence | None = None
    one: SingleSentence


def parse_family(text: str, *, source: str) -> Family:
    """The family in `text`; InputError names `source` and the key, or the command with a wrong place."""
    family = load_yaml(text, Family, source=source)
    for kind, commands in (family.many.commands if family.many else {}).items():
        for command in commands:
            _check_places(command, kind, family, source=source, needs={kind, "count"})
    for kind, command in family.one.commands.items():
        _check_places(command, kind, family, source=source, needs={kind})
    return family


def _check_places(command: str, kind: str, family: Family, *, source: str, needs: set[str]) -> None:
    if kind not in PLACES:
        raise InputError(f"{source}: commands for '{kind}': expected class or part")
    found = set(re.findall(r"{(\w*)}", command))
    if not needs <= found <= PLACES[kind] or re.search(r"[{}]", re.sub(r"{\w+}", "", command)):
        wanted = ", ".join(f"{{{name}}}" for name in sorted(needs))
        allowed = ", ".join(f"{{{name}}}" for name in sorted(PLACES[kind]))
        raise InputError(f"{source}: command '{command}': expected {wanted} and no other places than {allowed}")
    if "view" in found and not family.views:
        raise InputError(f"{source}: views: none, but a command has {{view}}")
