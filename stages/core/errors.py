"""The kinds of error that bad input causes, and how their lines are worded."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

LONGEST_VALUE = 60  # characters of a wrong value that are shown
WORDED = {  # by pydantic's type of error; the other types have its own message
    "missing": "missing",
    "unexpected_keyword_argument": "unknown key",
    "string_too_short": "expected some text",
    "tuple_type": "expected a list",
    "dict_type": "expected keys with values",
    "dataclass_type": "expected keys with values",
}
UNKNOWN, MISSING = "unexpected_keyword_argument", "missing"


class InputError(Exception):
    """Bad input: the message is one line that names the file, the key and what was expected."""


class InconsistentError(ValueError):
    """Values of a section that do not fit together: a line each, which begins with the key's name in that section."""


def first_problem(error: ValidationError, document: Any) -> str:
    """One line for the first thing that pydantic found wrong in `document`: the full key and what was expected."""
    return problems(error, document)[0]


def problems(error: ValidationError, document: Any) -> list[str]:
    """A line for every wrong key that pydantic found in `document`, unknown keys first.

    A misspelt key is both unknown and missing: the unknown one tells more. Where a value may be one of several kinds,
    its line names all, or what is wrong inside the kind that it has; of a list it is the first wrong item.
    """
    found: dict[tuple, list[dict]] = {}
    for problem in error.errors(include_url=False):
        found.setdefault(_key(problem, document), []).append(problem)
    innermost = [key for key in found if not any(other[: len(key)] == key != other for other in found)]
    innermost.sort(key=lambda key: found[key][0]["type"] != UNKNOWN)
    first_items: dict[tuple, tuple] = {}
    for key in innermost:
        first_items.setdefault(key[:-1] if key and isinstance(key[-1], int) else key, key)
    return [line for key in first_items.values() for line in _lines(key, found[key])]


def one_line(error: Exception) -> str:
    """What `error` says, without line breaks."""
    return " ".join(str(error).split())


def printable(line: str) -> str:
    """The line with what cannot be printed, as a line break in a value, in Python's spelling."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in line)


def shown(value: Any) -> str:
    """A wrong value as a message shows it: as YAML spells it, and never more than a line's part."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "keys with values" if value else "no keys"
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _lines(parts: tuple, alternatives: list[dict]) -> Iterator[str]:
    """The lines about one key: what each of the `alternatives` that its value may be expects."""
    key, problem = ".".join(str(part) or "''" for part in parts), alternatives[0]
    if isinstance(cause := problem.get("ctx", {}).get("error"), InconsistentError):
        yield from (f"{key}.{line}" if key else line for line in cause.args)
        return
    expected = ", or ".join(dict.fromkeys(map(_worded, alternatives)))
    without_value = problem["type"] in (MISSING, UNKNOWN)
    yield f"{key or 'top level'}: {expected}" + ("" if without_value else f", got {shown(problem['input'])}")


def _worded(problem: dict) -> str:
    if problem["type"] == "too_short":
        return f"expected at least {problem['ctx']['min_length']} of them"
    if problem["type"] == "too_long":
        return f"expected {problem['ctx']['max_length']} of them"
    return WORDED.get(problem["type"], problem["msg"])


def _key(problem: dict, document: Any) -> tuple:
    """The full key of a problem: its location without the names that pydantic gives to alternatives and checks."""
    key, inner = [], document
    for part in problem["loc"]:
        if part in (inner if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else ()):
            inner = inner[part]
            key.append(part)
        elif problem["type"] == MISSING and part == problem["loc"][-1]:
            key.append(part)
    return tuple(key)


def reason(error: Exception) -> str:
    """The innermost cause in a short line that is the same every time: without addresses in memory or connections."""
    inner = getattr(error.args[0], "reason", error) if error.args else error
    return re.sub(r"<[^<>]*0x[^<>]*>:? ?|HTTPS?Connection(Pool)?\([^()]*\): ", "", one_line(inner))[:200]
