"""Depth maps of a few objects for the report's pictures: `python -m stages.examples`."""

import dataclasses
from pathlib import Path

import numpy as np

from stages.artifacts.examples import Examples, Kernel, Sheet, write_examples
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.projection.kernels import KERNELS, kernel_weights
from stages.projection.poses import posed
from stages.projection.presets import PRESETS
from stages.projection.rendering import render
from stages.projection.settings import resolve

V2 = PRESETS["v2_classification"]
PROJECTIONS = {
    "V1": dataclasses.replace(PRESETS["v1"], view_set=V2.view_set),
    **{name: dataclasses.replace(V2, method=name) for name in ("contour", "shaded", "depth_shaded")},
    **{f"V2 {name}": dataclasses.replace(V2, kernel=name) for name in KERNELS},
}
WINDOW, SIGMA = 9, 2.0  # of the kernels in the pictures, in voxels
FARTHEST = 4.0  # end of the kernels' profiles, in sigmas


def main(*, params: Params | None = None, root: Path = Path()) -> None:
    """Render some objects of every dataset in all views and by every projection; write data/examples.h5."""
    params, paths = params or load_params(root), Paths(root)
    projection = resolve(params.render)
    sheets, clouds_of = {}, {}
    for dataset in (*params.select.classification, *params.select.segmentation):
        clouds_of[dataset], classes = _some_objects(dataset, params, paths)
        sheets[dataset] = Sheet(render(clouds_of[dataset], projection), classes)
    few = next(iter(clouds_of.values()), [])[: params.report.projection_objects]
    projections = {title: render(few, method)[:, 0] for title, method in PROJECTIONS.items()} if few else {}
    kernels = {name: _kernel(name, weights) for name in KERNELS if (weights := _weights(name)).size > 1}
    write_examples(paths.examples(), Examples(sheets, projections, kernels))


def _some_objects(dataset: str, params: Params, paths: Paths) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Clouds [P, 3], y up, and classes of some objects of the evaluated split, one object per class."""
    split = params.evaluate.split
    with open_points(paths.points(dataset)) as points:
        labels = points.labels(split)
        rows = one_per_class(labels, count=params.report.sheet_objects)
        clouds = [
            posed(
                points.points(split, slice(row, row + 1)), points.up_axis, params.render, split=split, first_sample=row
            )[0]
            for row in rows
        ]
        return clouds, tuple(points.classes[labels[row]] for row in rows)


def one_per_class(labels: np.ndarray, *, count: int) -> np.ndarray:
    """Row of the first sample of each of up to `count` classes, spread over the classes of `labels` [N]."""
    _, first = np.unique(labels, return_index=True)
    return first[np.unique(np.linspace(0, len(first) - 1, count).round().astype(int))]


def _weights(name: str) -> np.ndarray:
    """Weights f4 [W, W] of one slice of a kernel; [1, 1] where it smooths nothing."""
    return kernel_weights(name, window=(1, WINDOW, WINDOW), sigma=(SIGMA,) * 3)[0]


def _kernel(name: str, weights: np.ndarray) -> Kernel:
    """The kernel's weights f4 [W, W] and its profile over the distance from the centre."""
    distance = np.linspace(0, FARTHEST, 200)
    profile = KERNELS[name](distance)
    return Kernel(weights, np.stack([distance, profile / profile[0]], axis=1).astype("f4"))


if __name__ == "__main__":
    run_stage(main)
