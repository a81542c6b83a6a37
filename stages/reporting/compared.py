"""Every table that compares with published figures, with why a published figure has none of ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stages.artifacts.experiments import SweepRow, read_rows
from stages.artifacts.figures import FewShotMetrics
from stages.artifacts.paths import Paths
from stages.config.params import Params
from stages.reporting import classification, detection, few_shot, segmentation, sweeps
from stages.reporting.classification import BEFORE_AFTER, why_without_protocol
from stages.reporting.comparison import Column, Figures, Key, PublishedResult
from stages.reporting.published import Published
from stages.reporting.verdicts import Comparison, Selection

Why = Callable[[PublishedResult, Column], str]


@dataclass(frozen=True)
class Runs:
    """Metrics of every task by (dataset, backbone), and the few-shot runs of this run and of the archive."""

    classified: classification.Runs
    segmented: segmentation.Runs
    detected: detection.Runs
    trained: Mapping[Key, FewShotMetrics]
    few_shots: few_shot.Runs


def report_comparisons(runs: Runs, published: Published, params: Params, paths: Paths) -> dict[str, Comparison]:
    """The seven tables of the report that is implemented here, by title."""
    select, evaluate = params.select, params.evaluate
    classified = _selection("classification", select.backbones, params)
    trained = _selection("fewshot", select.backbones, params)
    zero_shot = classification.zeroshot_rows(runs.classified, published, baseline=evaluate.baseline)
    kernels = sweeps.kernel_rows(published, **_sweep("kernels", paths), baseline=evaluate.baseline)
    text_inputs = sweeps.text_input_rows(
        published,
        **_sweep("text_inputs", paths),
        evaluate=evaluate,
        model=params.generate.model,
        few_shot=_text_input_figures(runs.few_shots, published),
    )
    return {
        "zero-shot": Comparison(zero_shot, BEFORE_AFTER, _why(classified, why_without_protocol)),
        "kernels": Comparison(kernels, BEFORE_AFTER, _why(classified, _no_sweep("kernels", paths))),
        "text inputs": Comparison(
            text_inputs, (sweeps.REPEATED_CANDIDATES,), _why(classified, _no_sweep("text_inputs", paths))
        ),
        "few-shot": Comparison(
            few_shot.method_rows(runs.few_shots, published), BEFORE_AFTER, _why(trained, _not_trained(runs.trained))
        ),
        "segmentation": Comparison(
            segmentation.segmentation_rows(runs.segmented, published),
            segmentation.COLUMNS,
            _why(_segmented(params), _not_segmented(runs.segmented)),
        ),
        "detection": Comparison(
            detection.detection_rows(runs.detected, published),
            detection.COLUMNS,
            _why(_selection("detection", select.backbones, params), _no_boxes),
        ),
    }


def comparisons_beyond(runs: Runs, published: Published, params: Params) -> dict[str, Comparison]:
    """The published curve over shots and the re-runs of the released segmentation, by title."""
    zero_shot = {
        key: {name: figures.top1 for name, figures in metrics.protocols.items()}
        for key, metrics in runs.classified.items()
    }
    curve = few_shot.curve_rows(runs.few_shots, zero_shot, published)
    trained = _selection("fewshot", params.select.backbones, params)
    return {
        "shots": Comparison(curve, BEFORE_AFTER, _why(trained, _not_trained(runs.trained, few_shot.CURVE_METHOD))),
        "re-runs": Comparison(
            segmentation.rerun_rows(runs.segmented, published),
            (segmentation.MEAN,),
            _why(_segmented(params), _not_segmented(runs.segmented)),
        ),
    }


def _selection(task: str, backbones: tuple[str, ...], params: Params) -> Selection:
    return Selection(f"select.{task}", getattr(params.select, task), backbones, params.report.not_run)


def _segmented(params: Params) -> Selection:
    return _selection("segmentation", params.select.segmentation_backbones, params)


def _sweep(name: str, paths: Paths) -> dict:
    """A sweep of reports/experiments as the arguments `sweep` and `source`."""
    return {"sweep": read_rows(paths.experiments(name), SweepRow), "source": str(paths.experiments(name))}


def _text_input_figures(runs: few_shot.Runs, published: Published) -> dict[Key, Figures]:
    """Top-1 of the few-shot methods that repeat cells of the text inputs, by (dataset, backbone, method)."""
    found: dict[Key, Figures] = {}
    for run, methods in runs.items():
        for text in published.text_inputs:
            figures = methods.get(text.few_shot, {}).get(few_shot.REPORT_SHOTS)
            if figures is not None:
                found.setdefault((run.dataset, run.backbone, text.method), {text.few_shot: figures.top1_mean})
    return found


def _why(selection: Selection, otherwise: Why) -> Why:
    """Why a published figure has none of ours: what was not selected, or else what the run lacks."""
    return lambda result, column: selection.why_not(result) or otherwise(result, column)


def _no_sweep(name: str, paths: Paths) -> Why:
    source = paths.experiments(name).relative_to(paths.root)

    def why(result: PublishedResult, column: Column) -> str:
        protocol = result.repeated_by.get(column.name, column.repeated_by)
        return f"{source} has no row {protocol} for it; run the sweep {name}, or `make fewshot` for few shots"

    return why


def _not_trained(trained: Mapping[Key, FewShotMetrics], method: str | None = None) -> Why:
    """Of `method`, or of the one that is part of the key."""

    def why(result: PublishedResult, column: Column) -> str:
        name = f"{method or result.key[2]}_{column.repeated_by}"
        said = trained[result.key[:2]].not_run.get(name) if result.key[:2] in trained else None
        return said or f"no {name} at {result.key[-1]}"

    return why


def _not_segmented(segmented: segmentation.Runs) -> Why:
    def why(result: PublishedResult, column: Column) -> str:
        protocol = result.repeated_by.get(column.name, segmentation.REPEATED)
        said = segmented[result.key[:2]].not_run.get(protocol) if result.key[:2] in segmented else None
        return said or f"segment has no protocol {protocol}"

    return why


def _no_boxes(result: PublishedResult, column: Column) -> str:
    return f"detect has no row {detection.REPEATED} of {result.key[2]}, which needs 3DETR's weights (detect.weights)"
