"""Part segmentation in pictures: shapes coloured by part beside the truth."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from stages.reporting.colours import part_colours
from stages.reporting.figures import INK, STYLE, draw_cloud


def segments_figure(
    points: np.ndarray,
    predicted: np.ndarray,
    truth: np.ndarray,
    *,
    up_axis: str,
    part_names: Sequence[Sequence[str]],
    titles: Sequence[str],
) -> Figure:
    """Shapes [n, P, 3], one a row, coloured by their true parts [n, P] and the predicted ones beside.

    `part_names` [n][K] are those of each shape's category, for its legend; `titles` [n] say what the shape is.
    """
    rows = len(points)
    with rc_context(STYLE):
        figure = Figure(figsize=(7.2, 2.5 * rows + 0.3), layout="constrained")
        axes = figure.subplots(
            rows, 3, squeeze=False, subplot_kw={"projection": "3d"}, gridspec_kw={"width_ratios": (3, 3, 1.3)}
        )
        for row, (cloud, names, title) in enumerate(zip(points, part_names, titles, strict=True)):
            for column, (parts, what) in enumerate(((truth[row], "true"), (predicted[row], "predicted"))):
                draw_cloud(axes[row, column], cloud, up_axis=up_axis, c=part_colours(parts), s=2.5)
                axes[row, column].set_title(f"{title}, {what}", color=INK)
            _draw_legend(axes[row, 2], names)
        return figure


def best_median_worst(scores: np.ndarray) -> np.ndarray:
    """Rows i8 [3] of the shapes with the highest, the middle and the lowest of `scores` [N], the first of equals."""
    order = np.argsort(-scores, kind="stable")
    return order[[0, len(order) // 2, np.searchsorted(-scores[order], -scores.min())]]


def _draw_legend(axes: Axes, names: Sequence[str]) -> None:
    handles = [
        Line2D([], [], color=colour, marker="o", linestyle="", label=name)
        for colour, name in zip(part_colours(range(len(names))), names, strict=True)
    ]
    axes.legend(handles=handles, loc="center left", frameon=False)
    axes.set_axis_off()
