"""Sentences for classes: templates filled with class names, and random words as their control."""

from stages.language.parts import fill_parts, parse_part_templates
from stages.language.templates import display_name, fill, parse_templates
from stages.language.waffle import waffle

__all__ = ["display_name", "fill", "fill_parts", "parse_part_templates", "parse_templates", "waffle"]
