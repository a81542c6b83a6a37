"""Curves and bars from metrics: shots, search traces, single views, numbers of sentences, speed."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.reporting.figures import ACCENT, INK, MUTED, STYLE


class Point(NamedTuple):
    """One point of a curve with a band: position, mean and standard deviation over the seeds."""

    at: float
    mean: float
    std: float


def shots_figure(curves: Mapping[str, Sequence[Point]], *, title: str) -> Figure:
    """Accuracy over shots per method, with a band of one standard deviation; 0 stands left of 1 on the log axis."""
    with rc_context(STYLE):
        figure, axes = _one(title)
        for name, points in curves.items():
            at = [point.at for point in points]
            (line,) = axes.plot(at, [point.mean for point in points], marker="o", markersize=3, label=name)
            low, high = ([point.mean + sign * point.std for point in points] for sign in (-1, 1))
            axes.fill_between(at, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        axes.set_xscale("symlog", base=2, linthresh=1)
        shown = sorted({point.at for points in curves.values() for point in points})
        axes.set_xticks(shown, [f"{at:g}" for at in shown])
        axes.set(xlabel="shots a class", ylabel="top-1 %")
        axes.legend(frameon=False)
        return figure


def trace_figure(traces: Mapping[str, Sequence[float]], *, title: str) -> Figure:
    """Share of the searched split that is right, in percent, after each accepted step of every search."""
    with rc_context(STYLE):
        figure, axes = _one(title)
        for name, shares in traces.items():
            axes.step(range(len(shares)), shares, where="post", label=name)
        axes.set(xlabel="accepted steps", ylabel="right on the searched split, %")
        axes.legend(frameon=False)
        return figure


def views_figure(top1: Mapping[int, float], *, together: float, title: str) -> Figure:
    """Top-1 of every view alone, in percent, with the line of all views together."""
    with rc_context(STYLE):
        figure, axes = _one(title)
        bars = axes.bar([str(view) for view in sorted(top1)], [top1[view] for view in sorted(top1)], color=MUTED)
        axes.bar_label(bars, fmt="%.1f", label_type="center", color=INK, fontsize=7)
        axes.axhline(together, color=ACCENT, label="all views")
        axes.set(xlabel="view", ylabel="top-1 %")
        figure.legend(frameon=False, loc="outside upper right")
        return figure


def sentences_figure(curves: Mapping[str, Mapping[int, float]], *, title: str) -> Figure:
    """Top-1 in percent over the number of sentences that are averaged, per prompt set."""
    with rc_context(STYLE):
        figure, axes = _one(title)
        for name, curve in curves.items():
            axes.plot(*zip(*sorted(curve.items()), strict=True), marker="o", markersize=3, label=name)
        axes.set_xscale("log", base=2)
        shown = sorted({count for curve in curves.values() for count in curve if count.bit_count() == 1})
        axes.set_xticks(shown, [str(count) for count in shown])
        axes.set(xlabel="sentences a class", ylabel="top-1 %")
        axes.legend(frameon=False)
        return figure


def times(ratio: float) -> str:
    """A ratio with two digits, or all before the point."""
    return f"{ratio:.0f} ×" if ratio >= 10 else f"{ratio:.2g} ×"


def roc_figure(curves: Mapping[str, Mapping[int, float]], *, title: str) -> Figure:
    """Percent of the known objects kept over percent of the left-out ones let through, per score."""
    with rc_context(STYLE):
        figure, axes = _one(title)
        for name, curve in curves.items():
            axes.plot(*zip(*sorted(curve.items()), strict=True), label=name)
        axes.plot((0, 100), (0, 100), color=MUTED, linestyle=":", label="chance")
        axes.set(xlabel="objects of left-out classes let through, %", ylabel="known objects kept, %")
        axes.legend(frameon=False)
        return figure


def speed_figure(ratios: Mapping[str, float]) -> Figure:
    """How many times faster each part is than what it is compared with, measured in one run each."""
    with rc_context(STYLE):
        figure, axes = _one("speed")
        bars = axes.barh(list(ratios), list(ratios.values()), color=ACCENT)
        axes.bar_label(bars, [times(ratio) for ratio in ratios.values()], padding=3, color=INK)
        axes.set_xscale("log")
        axes.set(xlim=(min(1.0, *ratios.values()) / 2, 4 * max(ratios.values())), xlabel="times faster")
        axes.invert_yaxis()
        return figure


def _one(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, color=INK)
    return figure, axes
