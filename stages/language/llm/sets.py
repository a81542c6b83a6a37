"""The registry of prompt sets that a language model is asked for: one entry of prompts/sets.yaml each."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from stages.core.errors import InputError
from stages.core.yaml import load_yaml
from stages.language.prompts.published import is_imported

CLASS_PLACE = "{class}"


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class PromptSet:
    """What a named prompt set asks: which families, many sentences or one, with example pictures or without.

    A sentence must name the class (`names_class`) and open with `begins`, where that is given.
    """

    families: Annotated[tuple[str, ...], Field(min_length=1)]
    many: bool = False
    pictures: bool = False
    names_class: bool = True
    begins: str | None = None


def parse_prompt_sets(text: str, *, source: str) -> dict[str, PromptSet]:
    """The prompt sets in `text` by name; InputError names `source` and the wrong key."""
    sets = load_yaml(text, dict[str, PromptSet], source=source)
    for name, prompt_set in sets.items():
        if is_imported(name):
            raise InputError(f"{source}: {name}: this name is kept for PointCLIP V2's own sentences")
        if prompt_set.begins is not None and prompt_set.begins.count(CLASS_PLACE) != 1:
            raise InputError(f"{source}: {name}.begins: expected {CLASS_PLACE} once, got '{prompt_set.begins}'")
    return sets
