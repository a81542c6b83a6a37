"""The colours of parts, the same in every picture and file; eight that the colour-blind tell apart, then again."""

from collections.abc import Iterable

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c8c00", "#6b4ea0")


def part_colours(parts: Iterable[int]) -> list[str]:
    """The colour of every part of `parts`."""
    return [COLOURS[part % len(COLOURS)] for part in parts]
