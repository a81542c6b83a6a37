"""Metrics and examples -> tables and figures: `python -m stages.report`."""

import dataclasses

import numpy as np

from stages import artifacts, settings
from stages.errors import InputError, run_stage
from stages.projection import PRESETS, orient, render
from stages.reporting import (
    classification_table,
    confusion_figure,
    example_figure,
    experiment_table,
    kernels_figure,
    one_per_class,
    projections_figure,
    save_figure,
    sheet_figure,
)
from stages.zeroshot.scores import confusion_matrix

KERNELS = ("gaussian", "exponential", "mish", "sigmoid")
V2 = PRESETS["v2_classification"]
PROJECTIONS = {
    "V1": dataclasses.replace(PRESETS["v1"], view_set=V2.view_set),
    "contour": dataclasses.replace(V2, method="contour"),
    **{f"V2 {kernel}": dataclasses.replace(V2, kernel=kernel) for kernel in KERNELS},
}


def main() -> None:
    """Write every table to reports/tables and every figure to reports/figures; print the headline table."""
    params = settings.load()
    runs = {
        (dataset, backbone): artifacts.read_json(artifacts.metrics_path(dataset, backbone))
        for dataset in params.select.classification
        for backbone in params.select.backbones
    }
    protocols = tuple(params.evaluate.protocols)
    headline = classification_table(runs, protocols=protocols, baseline=params.evaluate.baseline)
    experiments = artifacts.read_text(artifacts.experiments_path("kernels"))
    artifacts.write_text(artifacts.table_path("zeroshot"), headline)
    artifacts.write_text(
        artifacts.table_path("kernels"),
        experiment_table(experiments, param="render.smooth.kernel", protocols=protocols),
    )
    for name, figure in _figures(*next(iter(runs)), params).items():
        with artifacts.complete_file(artifacts.figure_path(name)) as temporary:
            save_figure(figure, temporary)
    print(headline, end="")


def _figures(dataset: str, backbone: str, params: settings.Params) -> dict:
    """The pictures of one dataset: the example, a sheet of objects, projections, kernels, the baseline's confusions."""
    split, sample, method = params.evaluate.split, params.report.example_sample, params.evaluate.baseline
    with artifacts.open_depth(artifacts.depth_path(dataset)) as maps:
        labels, classes = maps.labels(split), maps.classes
        if not 0 <= sample < len(labels):
            raise InputError(f"params.yaml: report.example_sample: {sample}, expected 0 to {len(labels) - 1}")
        rows = one_per_class(labels, count=params.report.sheet_objects)
        sheet = np.concatenate([maps.depth(split, slice(row, row + 1)) for row in rows])
        example = maps.depth(split, slice(sample, sample + 1))[0]
    some = one_per_class(labels, count=params.report.projection_objects)
    clouds = [_upright(dataset, split, row) for row in some]
    projected = {title: render(clouds, projection)[:, 0] for title, projection in PROJECTIONS.items()}
    ranked, scores = artifacts.read_ranked(artifacts.predictions_path(dataset, backbone), method=method)
    best = [(classes[label], float(score)) for label, score in zip(ranked[sample], scores[sample], strict=True)]
    confusions = confusion_matrix(labels, ranked[:, 0], classes=len(classes))
    cloud = _upright(dataset, split, sample)
    return {
        "example": example_figure(cloud, example, best, true_class=classes[labels[sample]]),
        "depth_maps": sheet_figure(sheet, [classes[labels[row]] for row in rows]),
        "projections": projections_figure(projected, [classes[labels[row]] for row in some]),
        "kernels": kernels_figure(KERNELS),
        "confusion": confusion_figure(confusions, classes, title=f"{dataset}, {backbone}, {method}"),
    }


def _upright(dataset: str, split: str, sample: int) -> np.ndarray:
    """One cloud [P, 3] with y up."""
    with artifacts.open_points(artifacts.points_path(dataset)) as points:
        return orient(points.points(split, slice(sample, sample + 1))[0], points.up_axis)


if __name__ == "__main__":
    run_stage(main)
