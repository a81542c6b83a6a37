"""What sentences are about: a class, or one part of it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Subject:
    """A class, or one part of it (`part` is empty for the whole)."""

    class_name: str
    part: str = ""

    @property
    def kind(self) -> Literal["class", "part"]:
        """Which commands are for it."""
        return "part" if self.part else "class"

    def __str__(self) -> str:
        return f"part '{self.part}' of '{self.class_name}'" if self.part else f"class '{self.class_name}'"


def subjects_of(classes: tuple[str, ...], part_names: tuple[tuple[str, ...], ...] | None) -> list[Subject]:
    """Every class, and after it each of its parts."""
    parts = part_names or ((),) * len(classes)
    return [Subject(name, part) for name, of_class in zip(classes, parts, strict=True) for part in ("", *of_class)]
