"""Sentences about parts: templates with `{part}` and `{category}`, one a line, `#` opens a comment line."""

from collections.abc import Sequence

from stages.core.errors import InputError
from stages.language.prompts.templates import display_name, numbered_templates

PLACES = ("{part}", "{category}")


def parse_part_templates(text: str, *, source: str) -> tuple[str, ...]:
    """The templates in `text`; InputError that names `source` and the line without `{part}`, or with other braces."""
    templates = numbered_templates(text, source=source)
    for number, line in templates:
        rest = line
        for place in PLACES:
            rest = rest.replace(place, "")
        if PLACES[0] not in line or set("{}") & set(rest):
            raise InputError(f"{source}: line {number}: expected {{part}}, and {{category}} or not, got '{line}'")
    return tuple(line for _, line in templates)


def fill_parts(templates: Sequence[str], *, category: str, parts: Sequence[str]) -> dict[str, list[str]]:
    """Every template with the category's and a part's name in it, by part."""
    names = {part: display_name(part) for part in parts}
    return {
        part: [line.replace("{part}", name).replace("{category}", display_name(category)) for line in templates]
        for part, name in names.items()
    }
