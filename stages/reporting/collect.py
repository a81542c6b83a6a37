"""What the report shows of one run, gathered from the artifacts and laid out in sections."""

from collections.abc import Mapping, Sequence

import numpy as np

from stages.artifacts.boxes import read_boxes
from stages.artifacts.confusions import read_confusions
from stages.artifacts.depth import open_depth
from stages.artifacts.examples import read_examples
from stages.artifacts.experiments import FewShotRow, Row, SpeedRow, SweepRow, read_rows
from stages.artifacts.figures import ClassificationMetrics, DetectionMetrics, FewShotMetrics, SegmentationMetrics
from stages.artifacts.files import read_json, read_text
from stages.artifacts.metrics import Metrics, read_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points
from stages.artifacts.predictions import read_ranked
from stages.artifacts.scenes import open_scenes
from stages.artifacts.segments import read_segments
from stages.artifacts.types import Scene
from stages.config.params import Params
from stages.core.errors import InputError
from stages.reporting import (
    bundled_training,
    classification,
    detection,
    few_shot,
    peers,
    prompt_cost,
    retrieval,
    sections,
    segmentation,
    speed,
    sweeps,
)
from stages.reporting.compared import Runs, comparisons_beyond, report_comparisons
from stages.reporting.comparison import Key
from stages.reporting.figures import picture
from stages.reporting.page import Picture, Section
from stages.reporting.published import Published, parse_published
from stages.reporting.scenes import Boxes, scene_figure, scene_page
from stages.reporting.segments import best_median_worst, segments_figure
from stages.reporting.verdicts import Comparison, verdict_section

COMPARED = ("kernels", "text_inputs")  # sweeps whose figures stand beside published ones


def gather(params: Params, paths: Paths) -> list[Section]:
    """Every section of the report; InputError where a selected run has no metrics."""
    published = parse_published(read_text(paths.published()), source=str(paths.published()))
    select = params.select
    classified = _runs(select.classification, select.backbones, ClassificationMetrics, paths)
    segmented = _runs(select.segmentation, select.segmentation_backbones, SegmentationMetrics, paths)
    detected = _runs(select.detection, select.backbones, DetectionMetrics, paths)
    trained = {
        (dataset, backbone): read_metrics(paths.fewshot_metrics(dataset, backbone), FewShotMetrics)
        for dataset in select.fewshot
        for backbone in select.backbones
    }
    few_shots = few_shot.gather_runs(trained, _rows("few_shot", FewShotRow, paths))
    runs = Runs(classified, segmented, detected, trained, few_shots)
    compared = report_comparisons(runs, published, params, paths)
    return [
        *(_classification(classified, compared, published, params, paths) if classified else ()),
        *([retrieval.section(classified)] if classified else ()),
        _experiments(params, paths),
        few_shot.section(few_shots, published),
        *([segmentation.section(segmented, published, _shapes(segmented, paths))] if segmented else ()),
        *([detection.section(detected, published, _scenes(detected, params, paths))] if detected else ()),
        prompt_cost.section({name: read_json(paths.sentence_metrics(name)) for name in select.datasets}),
        speed.section(_rows("speed", SpeedRow, paths)),
        *_training(params, paths),
        peers.section(published),
        verdict_section(compared, comparisons_beyond(runs, published, params)),
    ]


def _runs(datasets: Sequence[str], backbones: Sequence[str], kind: type[Metrics], paths: Paths) -> dict[Key, Metrics]:
    keys = [(dataset, backbone) for dataset in datasets for backbone in backbones]
    return {key: read_metrics(paths.metrics(*key), kind) for key in keys}


def _training(params: Params, paths: Paths) -> list[Section]:
    """How the bundled backbone was trained, where it is one of those that are run."""
    if "bundled" not in params.select.backbones:
        return []
    return [bundled_training.section(read_json(paths.bundled("bundled_training.json")))]


def _rows(name: str, kind: type[Row], paths: Paths) -> tuple[Row, ...]:
    return read_rows(paths.experiments(name), kind)


def _experiments(params: Params, paths: Paths) -> Section:
    """The experiment sets that have no table beside published figures; one that was never run has no rows."""
    shown = {name: sweep for name, sweep in params.sweep.items() if name not in COMPARED}
    ran = {name: _rows(name, SweepRow, paths) if paths.experiments(name).is_file() else () for name in shown}
    return sweeps.section(shown, ran, baseline=params.evaluate.baseline)


def _classification(
    runs: classification.Runs,
    compared: Mapping[str, Comparison],
    published: Published,
    params: Params,
    paths: Paths,
) -> list[Section]:
    """Zero-shot tables, projections and searches; pictures are of the first run."""
    key = next(iter(runs))
    shown, chosen, examples = _classified(*key, params, paths), read_json(paths.search(*key)), paths.examples()
    return [
        sections.zero_shot(runs, published, params.evaluate, shown),
        sections.projections(compared["kernels"].rows, read_examples(examples)),
        sections.searches(chosen, compared["text inputs"].rows, title=shown.title),
    ]


def _shapes(runs: segmentation.Runs, paths: Paths) -> tuple[Picture, ...]:
    """The best, the middle and the worst shape of the first run, by the IoU of the neutral sentences."""
    dataset, backbone = next(iter(runs))
    split, predicted, iou = read_segments(paths.segments(dataset, backbone), segmentation.NEUTRAL)
    rows = best_median_worst(iou)
    with open_points(paths.points(dataset)) as points:
        labels, names = points.labels(split)[rows], points.part_names
        figure = segments_figure(
            np.stack([points.points(split, slice(row, row + 1))[0] for row in rows]),
            predicted[rows],
            points.parts(split)[rows],
            up_axis=points.up_axis,
            part_names=[names[label] for label in labels],
            titles=[
                f"{points.classes[label]}, IoU {100 * iou[row]:.0f} %" for label, row in zip(labels, rows, strict=True)
            ],
        )
    caption = f"{dataset}, {backbone}: the best, the middle and the worst shape, true parts and predicted ones"
    return (picture("segments", figure, caption),)


def scene_viewer(params: Params, paths: Paths) -> str | None:
    """A page with the first evaluated scan and the boxes of the last kind of proposals; None without detection."""
    runs = _runs(params.select.detection, params.select.backbones, DetectionMetrics, paths)
    if not runs:
        return None
    scan, truth, found = _boxes(*next(iter(runs)), params, paths)
    kind, boxes = list(found.items())[-1]
    return scene_page(scan.points, truth=truth, predicted=boxes, title=f"{scan.name}: true boxes and those of {kind}")


def _scenes(runs: detection.Runs, params: Params, paths: Paths) -> tuple[Picture, ...]:
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


def _classified(dataset: str, backbone: str, params: Params, paths: Paths) -> sections.Classified:
    """One sample of the evaluated split with its scores, and the confusions of the baseline."""
    split, sample, method = params.evaluate.split, params.report.example_sample, params.evaluate.baseline
    with open_depth(paths.depth(dataset)) as maps:
        labels, classes = maps.labels(split), maps.classes
        if not 0 <= sample < len(labels):
            raise InputError(f"params.yaml: report.example_sample: {sample}, expected 0 to {len(labels) - 1}")
        depth = maps.depth(split, slice(sample, sample + 1))[0]
    with open_points(paths.points(dataset)) as points:
        cloud, up_axis = points.points(split, slice(sample, sample + 1))[0], points.up_axis
    ranked, scores = read_ranked(paths.predictions(dataset, backbone), method=method)
    return sections.Classified(
        dataset,
        backbone,
        method,
        classes,
        true_class=classes[labels[sample]],
        cloud=cloud,
        up_axis=up_axis,
        depth=depth,
        best=[(classes[label], float(score)) for label, score in zip(ranked[sample], scores[sample], strict=True)],
        confusions=read_confusions(paths.confusions(dataset, backbone), classes),
    )
