"""The one kind of error a user can cause, and how its line is worded."""

from pydantic import ValidationError


class InputError(Exception):
    """Bad input: the message is one line that names the file, the key and what was expected."""


def first_problem(error: ValidationError) -> str:
    """One line for what pydantic found wrong: the key's full name and what was expected."""
    problems = error.errors(include_url=False)
    # a misspelt key is both unknown and missing: the unknown one tells more
    problem = next((one for one in problems if one["type"] == "unexpected_keyword_argument"), problems[0])
    key = ".".join(str(part) for part in problem["loc"]) or "top level"
    if problem["type"] == "unexpected_keyword_argument":
        return f"{key}: unknown key"
    if problem["type"] == "missing":
        return f"{key}: missing"
    return f"{key}: {problem['msg']}, got {problem['input']!r}"


def one_line(error: Exception) -> str:
    """What `error` says, without line breaks."""
    return " ".join(str(error).split())
