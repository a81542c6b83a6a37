"""What a subcommand prints of every file: lines, JSON or CSV."""

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from stages.commands.pointclip.files import say, tell
from stages.own.results import Boxes, Classification, PartLabels, Read

if TYPE_CHECKING:
    from stages.own.search import Found


class Printer:
    """Prints one object after the other: lines and CSV as they come, JSON as one document at the end."""

    def __init__(self, asked: argparse.Namespace, *, weights: str, columns: Sequence[str]):
        self._asked, self._weights, self._columns = asked, weights, columns
        self._objects: list[dict] = []

    def add(self, document: dict, *, rows: Iterable[Sequence], lines: Iterable[str]) -> None:
        """One object, as JSON's keys, CSV's rows and lines below its name."""
        first, guessed = not self._objects, getattr(self._asked, "up", None) == "auto"
        document |= {"up_guessed": True} if guessed else {}
        self._objects.append(document)
        if self._asked.csv:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerows([self._columns, *rows] if first else rows)
            sys.stdout.flush()
        elif not self._asked.json:
            verbose = [_size(document)] if getattr(self._asked, "verbose", False) else []
            name = with_axis(document["file"], document["up"] if guessed else None)
            tell("\n".join([name, *(f"  {line}" for line in [*verbose, *lines])]))

    def end(self) -> None:
        """The JSON document; beneath lines, which weights they come from."""
        if self._asked.json:
            print(json.dumps({"weights": self._weights, "objects": self._objects}, indent=2))
        elif self._objects and not self._asked.csv:
            print(f"weights: {self._weights}")


def with_axis(source: str, guessed: str | None) -> str:
    """The name of a file, with the axis that was `guessed` to be up in it, if any was."""
    return source if guessed is None else f"{source}  ({guessed} up, guessed)"


def described(one: "Classification | PartLabels | Boxes | Found") -> dict:
    """What was read from a file and which axis was taken as up, as JSON's keys."""
    read = one.read
    return {
        "up": one.up,
        "read": {
            "kind": read.kind,
            "vertices": read.vertices,
            "faces": read.faces,
            "extent": [float(f"{size:.6g}") for size in read.extent],
            "dropped": list(read.dropped),
            "guessed": list(read.guessed),
        },
    }


def notes(source: str, read: Read) -> None:
    """A line on stderr for everything of a file that was dropped or guessed."""
    for note in read.notes:
        say(f"note: {source}: {note}")


def _size(document: dict) -> str:
    read = document["read"]
    faces = f", {read['faces']} faces" if read["faces"] else ""
    extent = " x ".join(f"{size:.4g}" for size in read["extent"])
    return f"read: {read['kind']}, {read['vertices']} vertices{faces}, extent {extent}"
