"""The report as one HTML file that needs nothing else: tables, figures and the parameters behind them."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from stages.config.backbone import Backbone
from stages.reporting.tables import DAGGER, Table

TEMPLATE = "page.html.j2"


@dataclass(frozen=True)
class Picture:
    """One PNG, its name as a file, and the words that stand for it and under it."""

    name: str
    png: bytes
    alt: str
    caption: str

    @property
    def source(self) -> str:
        """The picture as a data URL."""
        return png_url(self.png)


@dataclass(frozen=True)
class Section:
    """One part of the page: what it shows, the command that makes it, its tables and pictures."""

    name: str
    title: str
    text: str
    command: str
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = field(default=())


def page(sections: Sequence[Section], *, title: str, summary: str, weights: Table, parameters: str) -> str:
    """The whole page; `weights` says what was loaded for each backbone, `parameters` is params.yaml as it was read."""
    return (
        environment()
        .get_template(TEMPLATE)
        .render(title=title, summary=summary, sections=sections, weights=weights, parameters=parameters)
    )


def png_url(png: bytes) -> str:
    """A PNG as a data URL, for pages that need no other file."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def environment() -> Environment:
    """The templates of this folder; text is escaped, a missing value is an error, and `rich` is a filter."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["rich"] = _rich
    return templates


def weights_table(backbones: Mapping[str, Backbone]) -> Table:
    """Architecture, weights and preprocessing of every backbone that was run."""
    rows = tuple((name, entry.architecture, entry.pretrained, entry.normalise) for name, entry in backbones.items())
    header = ("backbone", "architecture", "weights", "normalise")
    return Table("weights", "Weights", header, rows, numeric_from=len(header))


def _rich(text: str) -> Markup:
    """Words in backticks as code, and a dagger that stays in the line of its word."""
    escaped = str(escape(text)).replace(f" {DAGGER}", f"\N{NO-BREAK SPACE}{DAGGER}")
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", escaped))
