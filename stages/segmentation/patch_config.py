"""How patch features are read and given to points: correctly or as the published code does, and how smoothed."""

from dataclasses import dataclass, replace
from typing import Literal

from stages.config.segment import Segment

Mode = Literal["correct", "as_released", "released_lookup"]
PUBLISHED_WINDOW, PUBLISHED_GRID = 6, 14


@dataclass(frozen=True)
class PatchConfig:
    """Mode, side in patches of the moving average, and how many neighbours a point's logits are averaged over.

    `released_lookup` has the patches in their right order, and points looked up as released.
    `smooth_window` None is the published 6 of 14 scaled to the grid; `refine_neighbours` 0 averages over none.
    """

    mode: Mode = "correct"
    smooth_window: int | None = None
    refine_neighbours: int = 0

    @classmethod
    def from_params(cls, segment: Segment) -> "PatchConfig":
        """What section `segment` of params.yaml says."""
        return cls(segment.mode, segment.smooth_window, segment.refine_neighbours if segment.refine else 0)

    def window(self, grid: int) -> int:
        """Patches a side of the moving average on a grid of `grid` x `grid` patches."""
        return self.smooth_window or max(1, round(PUBLISHED_WINDOW * grid / PUBLISHED_GRID))


def variants(segment: Segment) -> dict[str, PatchConfig]:
    """The other mode, and refinement the other way round, each by the name of what it changes."""
    base = PatchConfig.from_params(segment)
    other = "as_released" if segment.mode == "correct" else "correct"
    refined = replace(base, refine_neighbours=0 if segment.refine else segment.refine_neighbours)
    return {other: replace(base, mode=other), "unrefined" if segment.refine else "refined": refined}
