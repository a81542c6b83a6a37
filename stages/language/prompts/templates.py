"""Hand-written sentence templates: one a line, `{}` where the class name goes, `#` opens a comment line."""

from collections.abc import Sequence

from stages.core.errors import InputError


def parse_templates(text: str, *, source: str) -> tuple[str, ...]:
    """The templates in `text`; InputError that names `source` and the line where there is not exactly one `{}`."""
    templates = numbered_templates(text, source=source)
    for number, line in templates:
        if line.count("{}") != 1 or "{" in line.replace("{}", ""):
            raise InputError(f"{source}: line {number}: expected exactly one {{}}, got '{line}'")
    return tuple(line for _, line in templates)


def numbered_templates(text: str, *, source: str) -> list[tuple[int, str]]:
    """(line number, template) of every line that is neither empty nor a comment; InputError where there is none."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    templates = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not templates:
        raise InputError(f"{source}: no template, expected one a line")
    return templates


def display_name(class_name: str) -> str:
    """How a class is called in a sentence: `night_stand` -> "night stand", `tv_stand` -> "TV stand"."""
    return " ".join("TV" if word == "tv" else word for word in class_name.split("_"))


def fill(templates: Sequence[str], class_name: str) -> list[str]:
    """Every template with the class's display name in it, in the templates' order."""
    return [template.replace("{}", display_name(class_name)) for template in templates]
