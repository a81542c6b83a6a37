"""Pictures of scans with their boxes: seen from above and from the side, and as a page to turn with the mouse."""

import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
import trimesh
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from trimesh.viewer.notebook import scene_to_html

from stages.reporting.figures import ACCENT, STYLE

TRUTH = "#c2571a"
MOST_POINTS = 20_000  # more dots than this look the same and only make files larger
VIEWS = {"from above": (0, 1), "from the side": (0, 2)}
NAMED = "from above"  # seen from the side boxes hide each other, and their names would
EDGES = [[0, 1], [1, 3], [3, 2], [2, 0], [4, 5], [5, 7], [7, 6], [6, 4], [0, 4], [1, 5], [2, 6], [3, 7]]


class Boxes(NamedTuple):
    """Boxes [K, 6] as centre and size in metres (z up), and what is written at each [K]."""

    boxes: np.ndarray
    names: Sequence[str]


def scene_figure(points: np.ndarray, *, truth: Boxes, predicted: Boxes, title: str) -> Figure:
    """The scan `points` [M, 3] from above and from the side, true boxes dashed and predicted ones solid."""
    points = _thinned(points)
    extent = np.ptp(points, axis=0)
    with rc_context(STYLE):
        figure = Figure(
            figsize=(11, 11 * max(extent[1], extent[2]) / (2 * extent[0] + 0.5) + 0.8), layout="constrained"
        )
        for axis, (view, (across, up)) in zip(figure.subplots(1, 2), VIEWS.items(), strict=True):
            axis.scatter(points[:, across], points[:, up], c=points[:, 2], s=0.3, cmap="Greys", vmin=-2, linewidths=0)
            _draw_boxes(axis, truth, across, up, color=TRUTH, linestyle="--")
            _draw_boxes(axis, predicted, across, up, color=ACCENT, linestyle="-")
            if view == NAMED:
                _write_names(axis, truth, across, up, color=TRUTH, above=False)
                _write_names(axis, predicted, across, up, color=ACCENT, above=True)
            axis.set_aspect("equal")
            axis.set(xlabel="x, metres", ylabel=f"{'xyz'[up]}, metres", title=f"{title}, {view}")
            axis.spines[["top", "right"]].set_visible(False)
        figure.legend(
            handles=[
                Rectangle((0, 0), 1, 1, fill=False, color=TRUTH, linestyle="--", label="true"),
                Rectangle((0, 0), 1, 1, fill=False, color=ACCENT, label="predicted"),
            ],
            loc="outside lower center",
            ncols=2,
            frameon=False,
        )
        return figure


def scene_page(points: np.ndarray, *, truth: Boxes, predicted: Boxes, title: str) -> str:
    """An HTML page that shows the scan in three dimensions, with trimesh's viewer in it: it fetches nothing."""
    points = _thinned(points)
    height = (points[:, 2] - points[:, 2].min()) / max(np.ptp(points[:, 2]), 1e-6)
    scene = trimesh.Scene(trimesh.PointCloud(points, colors=colormaps["viridis"](height, bytes=True)))
    for boxes, colour in ((truth, TRUTH), (predicted, ACCENT)):
        for box in boxes.boxes:
            scene.add_geometry(_wire(box, colour))
    # the viewer's camera takes y for up
    scene.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))
    scene.camera = trimesh.scene.Camera(name="camera", fov=(60.0, 45.0))  # trimesh would name it at random
    scene.set_camera(angles=(-0.6, 0.4, 0.0))
    return re.sub("<title>.*</title>", f"<title>{escape(title)}</title>", scene_to_html(scene), count=1)


def _thinned(points: np.ndarray) -> np.ndarray:
    return points[np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).astype(int)]


def _draw_boxes(axis: Axes, boxes: Boxes, across: int, up: int, **style) -> None:
    for box in boxes.boxes:
        corner = [box[k] - box[3 + k] / 2 for k in (across, up)]
        axis.add_patch(Rectangle(corner, box[3 + across], box[3 + up], fill=False, linewidth=1.2, **style))


def _write_names(axis: Axes, boxes: Boxes, across: int, up: int, *, color: str, above: bool) -> None:
    """Names above the upper left corner, or below the lower left one, where the other boxes' names are not."""
    for box, name in zip(boxes.boxes, boxes.names, strict=True):
        side = 1 if above else -1
        corner = (box[across] - box[3 + across] / 2, box[up] + side * box[3 + up] / 2)
        va = "bottom" if above else "top"
        text = name.replace("_", " ")
        axis.annotate(text, corner, (1, side), textcoords="offset points", va=va, color=color, fontsize=7)


def _wire(box: np.ndarray, colour: str) -> trimesh.path.Path3D:
    corners = box[:3] + box[3:] * (np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).T.reshape(-1, 3) - 0.5)
    entities = [trimesh.path.entities.Line(edge) for edge in EDGES]
    rgba = trimesh.visual.color.hex_to_rgba(colour)
    return trimesh.path.Path3D(entities, corners, colors=[rgba] * len(entities), process=False)
