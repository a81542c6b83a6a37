"""Figures with one fixed style; nothing here touches the screen."""

import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from stages.artifacts.examples import Kernel
from stages.reporting.page import Picture

STYLE = {"font.size": 9, "axes.titlesize": 9, "figure.facecolor": "white", "svg.hashsalt": "depth maps"}
# columns and signs that turn the axis that is up to matplotlib's third
UPRIGHT = {"x": ((2, 1, 0), (1, -1, 1)), "y": ((2, 0, 1), (1, 1, 1)), "z": ((1, 0, 2), (-1, 1, 1))}
TILE = 0.94  # of a map's share of the width, the rest is a gap
INK, ACCENT, MUTED = "#1f2933", "#2563a8", "#c3cdd6"


def example_figure(
    points: np.ndarray, depth: np.ndarray, scores: Sequence[tuple[str, float]], *, up_axis: str, true_class: str
) -> Figure:
    """One object: its cloud [P, 3], its depth maps [V, R, R], its best (class, probability) pairs."""
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 3.4), layout="constrained")
        cloud, maps, bars = figure.subfigures(1, 3, width_ratios=(2.4, 6, 2.6))
        cloud.suptitle(f"point cloud: {true_class.replace('_', ' ')}", color=INK, fontsize=9)
        _, _, height = drawn_axes(points, up_axis)
        draw_cloud(cloud.add_subplot(projection="3d"), points, up_axis=up_axis, c=height, s=1.5, cmap="viridis")
        columns = (len(depth) + 1) // 2
        _draw_maps(maps.subplots(2, columns).ravel(), depth, titles=[f"view {view}" for view in range(len(depth))])
        bars.suptitle("zero-shot scores", color=INK, fontsize=9)
        _draw_scores(bars.add_subplot(), scores, true_class=true_class)
        return figure


def sheet_figure(depth: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Depth maps [N, V, R, R] of N objects, one object a row, named by their classes [N]."""
    views = [f"view {view}" for view in range(depth.shape[1])]
    return _tiles_figure(depth, row_names=class_names, column_names=views, side=1.05)


def projections_figure(shown: Mapping[str, np.ndarray], class_names: Sequence[str]) -> Figure:
    """The same N objects, one a row, under several projections: one view [N, R, R] of each by title."""
    return _tiles_figure(list(zip(*shown.values(), strict=True)), row_names=class_names, column_names=shown, side=1.4)


def confusion_figure(counts: np.ndarray, class_names: Sequence[str], *, title: str) -> Figure:
    """Confusion matrix [C, C]: rows are true classes, columns predicted ones; shade is the share of the row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [name.replace("_", " ") for name in class_names]
    side = 0.2 * len(names) + 2
    with rc_context(STYLE):
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        for row, column in np.argwhere(counts):
            shade = "white" if shares[row, column] > 0.6 else INK
            axes.text(column, row, counts[row, column], ha="center", va="center", fontsize=6, color=shade)
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="predicted", ylabel="true", title=title)
        axes.spines[:].set_color(MUTED)
        return figure


def kernels_figure(kernels: Mapping[str, Kernel]) -> Figure:
    """Smoothing kernels side by side: the weights of one slice, and all profiles over the distance."""
    with rc_context(STYLE):
        figure = Figure(figsize=(2.1 * len(kernels) + 3.2, 2.5), layout="constrained")
        *maps, profiles = figure.subplots(1, len(kernels) + 1, width_ratios=[2] * len(kernels) + [3])
        for axis, (name, kernel) in zip(maps, kernels.items(), strict=True):
            axis.imshow(kernel.weights, cmap="viridis", vmin=0, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.set_title(name, color=INK)
            profiles.plot(*kernel.profile.T, label=name)
        profiles.set(xlabel="distance / sigma", ylabel="weight / weight at 0")
        profiles.spines[["top", "right"]].set_visible(False)
        profiles.legend(frameon=False)
        return figure


def picture(name: str, figure: Figure, caption: str) -> Picture:
    """The figure as the page shows it; its caption is also what stands for it where it cannot be seen."""
    return Picture(name, png(figure), alt=caption, caption=caption)


def png(figure: Figure) -> bytes:
    """The figure as a PNG without time or version in it."""
    out = io.BytesIO()
    figure.savefig(out, dpi=130, format="png", metadata={"Software": None})
    return out.getvalue()


def draw_cloud(axes: Axes, points: np.ndarray, *, up_axis: str, **style) -> None:
    """Dots at `points` [P, 3], upright, in axes of equal scale that are not shown; `style` is matplotlib's."""
    columns = drawn_axes(points, up_axis)
    axes.scatter(*columns, linewidths=0, **style)
    axes.set_box_aspect(np.ptp(columns, axis=1), zoom=1.2)
    axes.view_init(elev=20, azim=35)
    axes.set_axis_off()


def drawn_axes(points: np.ndarray, up_axis: str) -> np.ndarray:
    """Coordinates [3, P] as matplotlib draws them, its third axis upward, of points [P, 3] of which `up_axis` is up."""
    columns, signs = UPRIGHT[up_axis]
    return points.T[list(columns)] * np.array(signs)[:, None]


def _tiles_figure(
    tiles: Sequence[Sequence[np.ndarray]], *, row_names: Sequence[str], column_names: Iterable[str], side: float
) -> Figure:
    """Depth maps [rows][columns] of [R, R], each `side` inches wide, in one pair of axes: many would take seconds."""
    with rc_context(STYLE):
        rows, columns = len(tiles), len(tiles[0])
        figure = Figure(figsize=(side * columns + 0.9, side * rows + 0.2), layout="constrained")
        axes = figure.subplots()
        for row, maps in enumerate(tiles):
            for column, depth in enumerate(maps):
                extent = (column, column + TILE, row + TILE, row)
                axes.imshow(depth, cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=extent)
                axes.add_patch(Rectangle((column, row), TILE, TILE, fill=False, color=MUTED, linewidth=0.8))
        axes.set(xlim=(-0.02, columns), ylim=(rows, -0.02), aspect="equal")
        axes.set_xticks(np.arange(columns) + TILE / 2, list(column_names))
        axes.set_yticks(np.arange(rows) + TILE / 2, row_names)
        axes.xaxis.tick_top()
        axes.tick_params(length=0, labelcolor=INK)
        axes.spines[:].set_visible(False)
        return figure


def _draw_maps(axes: Sequence[Axes], depth: np.ndarray, *, titles: Sequence[str]) -> None:
    for axis, one, title in zip(axes, depth, titles, strict=False):
        axis.imshow(one, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.set_title(title, color=INK)
        axis.spines[:].set_color(MUTED)
    for spare in axes[len(depth) :]:
        spare.set_axis_off()


def _draw_scores(axes: Axes, scores: Sequence[tuple[str, float]], *, true_class: str) -> None:
    names, values = zip(*scores, strict=True)
    colours = [ACCENT if name == true_class else MUTED for name in names]
    bars = axes.barh(range(len(names)), values, color=colours)
    axes.bar_label(bars, [f"{100 * value:.1f} %" for value in values], padding=3, color=INK)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names], color=INK)
    axes.set(xlim=(0, 1.3), xticks=[])
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
