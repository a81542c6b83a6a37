"""YAML documents, read strictly: no key twice, no unknown key, no value of another type."""

from collections.abc import Iterator
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from stages.core.errors import InputError, one_line, problems

T = TypeVar("T")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # in C where PyYAML was built with it: ten times as fast
    """PyYAML's safe loader, which by itself takes the last of two equal keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if repeated := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.YAMLError(f"key '{repeated}' is there twice (line {node.start_mark.line + 1} and below)")
        return super().construct_mapping(node, deep)


def parse_yaml(text: str, *, source: str) -> Any:
    """The document in `text`; InputError names `source` where it is not YAML or has a key twice."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InputError(f"{source}: not valid YAML: {one_line(error)}") from error


def validated(document: Any, kind: type[T], *, source: str) -> T:
    """`document` as a `kind`, any type that pydantic knows; InputError names `source` and the first wrong key."""
    value, mistakes = checked(document, kind)
    if mistakes:
        raise InputError(f"{source}: {mistakes[0]}")
    return value


def checked(document: Any, kind: type[T]) -> tuple[T | None, list[str]]:
    """`document` as a `kind` and no mistakes, or None and a line for every wrong key.

    `1e-3` without a dot is text in YAML and a float to DVC, so it is refused like any other text in a number's place.
    """
    try:
        text = to_json(document)
    except (ValueError, TypeError) as error:  # YAML can write what JSON cannot: a list within itself, bytes
        return None, [f"top level: expected text, numbers, lists and keys ({one_line(error)})"]
    null = list(_with_null(from_json(text))) if b"\\u0000" in text else []
    if null:
        return None, [f"{key or 'top level'}: a null character, expected text without one" for key in null]
    try:
        # through JSON, because pydantic's strict mode then takes a list for a tuple and still no text for a number
        return TypeAdapter(kind).validate_json(text), []
    except ValidationError as error:
        return None, problems(error, from_json(text))


def _with_null(value: Any, key: str = "") -> Iterator[str]:
    """The keys whose text has a null character, which no path can have; for one in a name, that of what it is in."""
    if isinstance(value, str) and "\0" in value:
        yield key
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from _with_null(name, key)
        yield from _with_null(one, f"{key}.{name}".lstrip("."))


def load_yaml(text: str, kind: type[T], *, source: str) -> T:
    """The YAML document in `text` as a `kind`, checked as `parse_yaml` and `validated` say."""
    return validated(parse_yaml(text, source=source), kind, source=source)
