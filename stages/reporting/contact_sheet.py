"""What a search found as one HTML file that needs nothing else: a picture, a name and a score of every object."""

from collections.abc import Sequence
from dataclasses import dataclass

from stages.reporting.page import environment, png_url

TEMPLATE = "contact_sheet.html.j2"


@dataclass(frozen=True)
class Tile:
    """One object: its name, its score, whether that is above the floor, and a PNG of one depth map."""

    name: str
    score: float
    matches: bool
    png: bytes

    @property
    def source(self) -> str:
        """The picture as a data URL."""
        return png_url(self.png)


def contact_sheet(tiles: Sequence[Tile], *, title: str, verdict: str, weights: str) -> str:
    """The page: `title` is what was asked for, `verdict` what the floor says of the answer."""
    return environment().get_template(TEMPLATE).render(tiles=tiles, title=title, verdict=verdict, weights=weights)
