"""What the report shows of one run, gathered from the artifacts and laid out in sections."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import confusion_matrix

from stages.artifacts.boxes import read_boxes
from stages.artifacts.depth import open_depth
from stages.artifacts.files import read_json, read_text
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points
from stages.artifacts.predictions import read_ranked
from stages.artifacts.scenes import open_scenes
from stages.artifacts.segments import read_segments
from stages.artifacts.types import Scene
from stages.config.params import Params
from stages.core.errors import InputError
from stages.projection.clouds import orient
from stages.projection.presets import PRESETS, resolve
from stages.projection.rendering import render
from stages.reporting import behind, detection, few_shot, sections, segmentation
from stages.reporting.classification import AFTER, Runs, zeroshot_rows
from stages.reporting.comparison import Beside
from stages.reporting.figures import one_per_class, picture
from stages.reporting.page import Picture, Section
from stages.reporting.published import Published, parse_published
from stages.reporting.scenes import Boxes, scene_figure, scene_page
from stages.reporting.segments import best_median_worst, segments_figure
from stages.segmentation.scores import score

V2 = PRESETS["v2_classification"]
PROJECTIONS = {
    "V1": dataclasses.replace(PRESETS["v1"], view_set=V2.view_set),
    "contour": dataclasses.replace(V2, method="contour"),
    **{f"V2 {name}": dataclasses.replace(V2, kernel=name) for name in ("gaussian", "exponential", "mish", "sigmoid")},
}


def gather(params: Params, paths: Paths) -> list[Section]:
    """Every section of the report; InputError where a selected run has no metrics."""
    published = parse_published(read_text(paths.published()), source=str(paths.published()))
    select, speed = params.select, paths.experiments("speed")
    classified = _runs(select.classification, select.backbones, paths)
    segmented = _runs(select.segmentation, select.segmentation_backbones, paths)
    detected = _runs(select.detection, select.backbones, paths)
    return [
        *(_classification(classified, published, params, paths) if classified else ()),
        *([few_shot.section(classified, published, **_csv("few_shot", paths, text="kept"))] if classified else ()),
        *([segmentation.section(segmented, published, _shapes(segmented, paths))] if segmented else ()),
        *([detection.section(detected, published, _scenes(detected, params, paths))] if detected else ()),
        behind.prompts_section({name: _prompts(name, paths) for name in select.datasets}),
        behind.speed_section(read_text(speed), source=str(speed)),
        behind.peers_section(published),
        behind.verdict_section(_compared(classified, segmented, detected, published, params, paths)),
    ]


def _runs(datasets: Sequence[str], backbones: Sequence[str], paths: Paths) -> Runs:
    keys = [(dataset, backbone) for dataset in datasets for backbone in backbones]
    return {key: read_json(paths.metrics(*key)) for key in keys}


def _prompts(dataset: str, paths: Paths) -> dict:
    return read_json(paths.sentence_metrics(dataset))


def _csv(name: str, paths: Paths, *, text: str = "sweep") -> dict[str, str]:
    """A file of reports/experiments as the arguments `text` and `source`."""
    path = paths.experiments(name)
    return {text: read_text(path), "source": str(path)}


def _classification(runs: Runs, published: Published, params: Params, paths: Paths) -> list[Section]:
    """Zero-shot tables, projections and searches; pictures are of the first run."""
    key = next(iter(runs))
    baseline, chosen = params.evaluate.baseline, read_json(paths.search(*key))
    examples = _examples(*key, params, paths)
    shown = (*params.select.classification, *params.select.segmentation)
    sheets = {name: _sheet(name, params, paths) for name in shown}
    projected = _projected(key[0], params, paths)
    kernels, text_inputs = _csv("kernels", paths), _csv("text_inputs", paths)
    return [
        sections.zero_shot(runs, published, params.evaluate, examples),
        sections.projections(published, **kernels, baseline=baseline, projected=projected, sheets=sheets),
        sections.searches(chosen, published, **text_inputs, evaluate=params.evaluate, title=examples.title),
    ]


def _compared(
    classified: Runs, segmented: Runs, detected: Runs, published: Published, params: Params, paths: Paths
) -> dict[str, tuple[list[Beside], Sequence[str]]]:
    """The rows of every table that stands beside published figures, and its columns."""
    baseline = params.evaluate.baseline
    kernels = sections.kernel_rows(published, **_csv("kernels", paths), baseline=baseline)
    text_inputs = sections.text_input_rows(published, **_csv("text_inputs", paths), evaluate=params.evaluate)
    return {
        "zero-shot": (zeroshot_rows(classified, published, baseline=baseline), sections.BEFORE_AFTER),
        "kernels": (kernels, sections.BEFORE_AFTER),
        "text inputs": (text_inputs, (AFTER,)),
        "few-shot": (few_shot.method_rows(classified, published), sections.BEFORE_AFTER),
        "segmentation": (segmentation.segmentation_rows(segmented, published), segmentation.COLUMNS),
        "detection": (detection.detection_rows(detected, published), detection.COLUMNS),
    }


def _shapes(runs: Runs, paths: Paths) -> tuple[Picture, ...]:
    """The best, the middle and the worst shape of the first run, by the IoU of the neutral sentences."""
    dataset, backbone = next(iter(runs))
    split, predicted = read_segments(paths.segments(dataset, backbone), segmentation.NEUTRAL)
    with open_points(paths.points(dataset)) as points:
        labels, truth, names = points.labels(split), points.parts(split), points.part_names
        iou = np.concatenate(
            [
                score(predicted[row : row + 1], truth[row : row + 1], parts=len(names[label])).iou
                for row, label in enumerate(labels)
            ]
        )
        rows = best_median_worst(iou)
        figure = segments_figure(
            np.stack(_upright(dataset, split, rows, paths)),
            predicted[rows],
            truth[rows],
            part_names=[names[labels[row]] for row in rows],
            titles=[f"{points.classes[labels[row]]}, IoU {100 * iou[row]:.0f} %" for row in rows],
        )
    caption = f"{dataset}, {backbone}: the best, the middle and the worst shape, true parts and predicted ones"
    return (picture("segments", figure, caption),)


def scene_viewer(params: Params, paths: Paths) -> str | None:
    """A page with the first evaluated scan and the boxes of the last kind of proposals; None without detection."""
    runs = _runs(params.select.detection, params.select.backbones, paths)
    if not runs:
        return None
    scan, truth, found = _boxes(*next(iter(runs)), params, paths)
    kind, boxes = list(found.items())[-1]
    return scene_page(scan.points, truth=truth, predicted=boxes, title=f"{scan.name}: true boxes and those of {kind}")


def _scenes(runs: Runs, params: Params, paths: Paths) -> tuple[Picture, ...]:
    """The first evaluated scan of the first run with the boxes of every kind of proposals."""
    scan, truth, found = _boxes(*next(iter(runs)), params, paths)
    return tuple(
        picture(
            f"scene_{kind}",
            scene_figure(scan.points, truth=truth, predicted=boxes, title=f"{scan.name}, {kind}"),
            f"{scan.name}: true boxes and those of {kind}, named by CLIP",
        )
        for kind, boxes in found.items()
    )


def _boxes(dataset: str, backbone: str, params: Params, paths: Paths) -> tuple[Scene, Boxes, dict[str, Boxes]]:
    """The first evaluated scan, its true boxes, and those predicted from every kind of proposals."""
    with open_scenes(paths.points(dataset)) as scans:
        scan, classes = scans.scene(params.detect.split, scans.names(params.detect.split)[0]), scans.classes
    found, path = {}, paths.boxes(dataset, backbone)
    for kind in params.detect.proposals:
        boxes, labels, _ = read_boxes(path, proposals=kind, scan=scan.name)
        found[kind] = Boxes(boxes, [classes[label] for label in labels])
    return scan, Boxes(scan.boxes, [classes[label] for label in scan.labels]), found


def _examples(dataset: str, backbone: str, params: Params, paths: Paths) -> sections.Examples:
    """One sample of the evaluated split with its scores, and the confusions of the baseline."""
    split, sample, method = params.evaluate.split, params.report.example_sample, params.evaluate.baseline
    with open_depth(paths.depth(dataset)) as maps:
        labels, classes = maps.labels(split), maps.classes
        if not 0 <= sample < len(labels):
            raise InputError(f"params.yaml: report.example_sample: {sample}, expected 0 to {len(labels) - 1}")
        depth = maps.depth(split, slice(sample, sample + 1))[0]
    ranked, scores = read_ranked(paths.predictions(dataset, backbone), method=method)
    best = [(classes[label], float(score)) for label, score in zip(ranked[sample], scores[sample], strict=True)]
    confusions = confusion_matrix(labels, ranked[:, 0], labels=range(len(classes)))
    cloud = _upright(dataset, split, [sample], paths)[0]
    return sections.Examples(
        dataset, backbone, method, classes, classes[labels[sample]], cloud, depth, best, confusions
    )


def _sheet(dataset: str, params: Params, paths: Paths) -> sections.Sheet:
    """Some objects of `dataset`, of different classes, in every view."""
    clouds, classes = _some_objects(dataset, params, paths)
    return sections.Sheet(render(clouds, resolve(params.render)), classes)


def _projected(dataset: str, params: Params, paths: Paths) -> dict[str, np.ndarray]:
    """The sheet's first objects in their first view [n, R, R] under every projection."""
    clouds = _some_objects(dataset, params, paths)[0][: params.report.projection_objects]
    return {title: render(clouds, projection)[:, 0] for title, projection in PROJECTIONS.items()}


def _some_objects(dataset: str, params: Params, paths: Paths) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Clouds [P, 3] of the evaluated split, y up, and their classes."""
    with open_points(paths.points(dataset)) as points:
        labels = points.labels(params.evaluate.split)
        rows = one_per_class(labels, count=params.report.sheet_objects)
        return _upright(dataset, params.evaluate.split, rows, paths), tuple(points.classes[labels[row]] for row in rows)


def _upright(dataset: str, split: str, rows: Sequence[int], paths: Paths) -> list[np.ndarray]:
    """Clouds [P, 3] with y up."""
    with open_points(paths.points(dataset)) as points:
        return [orient(points.points(split, slice(row, row + 1))[0], points.up_axis) for row in rows]
