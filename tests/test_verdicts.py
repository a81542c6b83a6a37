"""Verdicts on the published figures: every cell has one, against the row that repeats its steps, with its reason."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from stages.artifacts.experiments import SweepRow, write_rows
from stages.artifacts.figures import (
    AccuracyFigures,
    CategoryFigures,
    ClassificationMetrics,
    DetectionFigures,
    DetectionMetrics,
    FewShotFigures,
    FewShotMetrics,
    SegmentationFigures,
    SegmentationMetrics,
)
from stages.artifacts.paths import Paths
from stages.config.params import load_params
from stages.reporting.compared import Runs, comparisons_beyond, report_comparisons
from stages.reporting.comparison import Column, PublishedResult, compare
from stages.reporting.few_shot import gather_runs
from stages.reporting.published import count_cells, parse_published
from stages.reporting.verdicts import Comparison, verdict_section, verdict_table, verdicts

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "reports/published.yaml").read_text()
PUBLISHED = parse_published(TEXT, source="reports/published.yaml")
BACKBONES = ("rn50", "rn101", "vit_b32", "vit_b16")
DATASETS = ("modelnet40", "scanobjectnn_pb_t50_rs")
CATEGORIES = [cell.category for cell in PUBLISHED.segmentation]
HONEST = {"ensemble": ("none", 10.0), "search_train": ("train", 11.0), "search_test": ("test", 12.0)}
REPEATED = {"as_published_before": 60.0, "as_published_after": 61.0, "as_published_candidates": 62.0}
SELECTED = {
    "select.datasets": [*DATASETS, "shapenetpart", "scannet"],
    "select.classification": list(DATASETS),
    "select.fewshot": list(DATASETS),
    "select.segmentation": ["shapenetpart"],
    "select.detection": ["scannet"],
    "select.backbones": list(BACKBONES),
    "select.segmentation_backbones": ["vit_b16"],
    "generate.model": "gpt-4.1",
}
INPUTS = "modelnet40, vit_b16"
RESULTS = [
    PublishedResult((key,), {"top": top}, by)
    for key, top, by in (("x", 40.0, "one"), ("x", 52.5, "two"), ("y", 9.0, "one"))
]


def accuracy(labels_read, top1):
    rest = {"top1_low": 1.0, "top1_high": 99.0, "top5": 99.0, "mean_class_accuracy": 1.0}
    rest["expected_calibration_error"] = 1.0
    return AccuracyFigures(labels_read=labels_read, top1=top1, negative_log_likelihood=1.0, mcnemar_p=1.0, **rest)


def few_shot(top1):
    rest = {
        "gain_low": 0.0,
        "gain_high": 0.0,
        "top1_std": 0.0,
        "top1_low": 1.0,
        "top1_high": 99.0,
        "mean_class_accuracy_mean": 1.0,
        "seeds": (0,),
    }
    return FewShotFigures(labels_read="test", top1_mean=top1, **rest)


def parts(labels_read, value):
    means = dict.fromkeys(("instance_accuracy", "class_accuracy", "instance_miou", "class_miou"), value)
    found = {name: CategoryFigures(accuracy=value, iou=value) for name in CATEGORIES}
    return SegmentationFigures(labels_read=labels_read, categories=found, **means)


def boxes(value):
    means = dict.fromkeys(("map25", "map50", "ar25", "ar50"), value)
    return DetectionFigures(labels_read="train", per_class={}, **means)


HONEST_FIGURES = {name: accuracy(*one) for name, one in HONEST.items()}
ZERO_SHOT = ClassificationMetrics(
    samples=1,
    classes=2,
    leakage=1.0,
    views={},
    sentences={},
    retrieval={},
    protocols=HONEST_FIGURES | {name: accuracy("test", top1) for name, top1 in REPEATED.items()},
)
FEW_SHOT = FewShotMetrics(
    samples={"train": 1, "test": 1},
    methods={
        f"{method}_as_published_{steps}": dict.fromkeys((1, 2, 4, 8, 16, 32), few_shot(top1))
        for method, steps, top1 in (
            ("smooth_adapter", "before", 80.0),
            ("smooth_adapter", "after", 81.0),
            ("smooth_adapter", "text_llm_four", 82.0),
            ("smooth_adapter", "text_v2_corpus", 83.0),
            ("smooth", "after", 84.0),
        )
    }
    | {"smooth_adapter": {16: few_shot(20.0)}},
)
SEGMENTED = SegmentationMetrics(
    mode="correct",
    samples=1,
    shapes=dict.fromkeys(CATEGORIES, 1),
    unseen_points=0.0,
    leakage=0.0,
    protocols={name: parts("none", 30.0) for name in ("neutral", "search_train", "search_test")}
    | {"as_published": parts("test", 50.0), "as_published_in_order": parts("test", 13.0)}
    | {"neutral_in_order": parts("none", 25.0)},
)
DETECTED = DetectionMetrics(
    scans=1, classes=1, boxes=1, proposals={"detr3d": {"full": boxes(1.0), "as_published": boxes(18.0)}}
)
SETS = ("llm_four", "llm_four_images", "llm_one_v1_images", "llm_one_v2_images", "v2_corpus")
SWEEPS = {"kernels": ("gaussian", "exponential", "mish", "sigmoid"), "text_inputs": SETS}


def runs(**changes):
    keys = [(dataset, backbone) for dataset in DATASETS for backbone in BACKBONES]
    everything = {
        "classified": dict.fromkeys(keys, ZERO_SHOT),
        "segmented": {("shapenetpart", "vit_b16"): SEGMENTED},
        "detected": {("scannet", "vit_b16"): DETECTED},
        "trained": dict.fromkeys(keys, FEW_SHOT),
    } | changes
    return Runs(**everything, few_shots=gather_runs(everything["trained"], []))


NOTHING = {"classified": {}, "segmented": {}, "detected": {}, "trained": {}}


@pytest.fixture
def place(tmp_path):
    """A folder with both sweeps of the whole published selection."""
    protocols = dict.fromkeys((*load_params(ROOT).evaluate.protocols, *HONEST), 10.0) | REPEATED
    for name, values in SWEEPS.items():
        rows = [
            SweepRow(value=value, dataset=dataset, backbone=backbone, protocol=protocol, top1=top1)
            for value in values
            for dataset in DATASETS
            for backbone in BACKBONES
            for protocol, top1 in protocols.items()
        ]
        write_rows(Paths(tmp_path).experiments(name), rows, SweepRow)
    return Paths(tmp_path)


def tables(place, found, **overrides):
    params = load_params(ROOT, overrides=SELECTED | overrides)
    return (
        verdict_table("report", "", report_comparisons(found, PUBLISHED, params, place)),
        verdict_table("beyond", "", comparisons_beyond(found, PUBLISHED, params)),
    )


def by_cell(table):
    found = {(row[0], row[1]): row for row in table.rows}
    assert len(found) == len(table.rows)
    return found


def listed_cells():
    """Published figures by table, counted in the file as plain data."""
    names = {"zeroshot": ("before", "after"), "kernels": ("before", "after"), "few_shot": ("before", "after")}
    names |= {"segmentation": ("accuracy", "iou"), "text_inputs": ("accuracy",), "detection": ("map25", "map50")}
    document = yaml.safe_load(TEXT)
    return Counter({table: sum(name in cell for cell in document[table] for name in of) for table, of in names.items()})


@pytest.mark.parametrize("whole", [True, False])
def test_every_published_figure_has_one_verdict(place, whole):
    report, beyond = tables(place, runs() if whole else runs(**NOTHING))
    counts = Counter(row[0] for row in report.rows)
    names = {"zero-shot": "zeroshot", "few-shot": "few_shot", "text inputs": "text_inputs"}
    assert Counter({names.get(table, table): count for table, count in counts.items()}) == listed_cells()
    assert len(by_cell(report)) == sum(listed_cells().values()) == count_cells(PUBLISHED) == 125
    assert len(by_cell(beyond)) == 2 * len(PUBLISHED.shots) + len(PUBLISHED.class_miou) == 17
    assert report.notes[0].startswith("125 published figures: ")


def test_a_whole_run_leaves_nothing_that_was_not_run(place):
    report, beyond = tables(place, runs())
    for table in (report, beyond):
        kinds = Counter(row[4].partition(":")[0].partition(" ")[0] for row in table.rows)
        assert kinds["within"] + kinds["off"] + kinds["not"] == len(table.rows)
        assert not [row for row in table.rows if row[4].startswith("not run")]
    alone = [row[1] for row in report.rows if row[4].startswith("not comparable")]
    assert len(alone) == 11  # 3 zero-shot, PointCLIP's few shots, 6 of detection, the sentences of GPT-3


@pytest.mark.parametrize(
    ("table", "cell", "ours"),
    [
        ("zero-shot", "modelnet40, rn50, before, report", "60.00"),
        ("zero-shot", "scanobjectnn_pb_t50_rs, vit_b16, after †, report", "61.00"),
        ("zero-shot", "modelnet40, vit_b16, after †, pointclip_v2_readme", "60.00"),
        ("zero-shot", "modelnet40, vit_b16, after †, pointclip_v2", "60.00"),
        ("kernels", "modelnet40, rn101, mish, before, report", "60.00"),
        ("kernels", "modelnet40, rn101, mish, after †, report", "61.00"),
        (
            "text inputs",
            f"{INPUTS}, zero-shot, four GPT-4 sentences, without images, after †, report",
            "62.00",
        ),
        ("text inputs", "modelnet40, vit_b16, zero-shot, PointCLIP V2's corpus, after †, report", "61.00"),
        (
            "text inputs",
            f"{INPUTS}, few-shot model, four sentences, without images, after †, report",
            "82.00",
        ),
        ("text inputs", "modelnet40, vit_b16, few-shot, PointCLIP V2's corpus, after †, report", "83.00"),
        ("few-shot", "modelnet40, rn50, smooth_adapter, 16, before, report", "80.00"),
        ("few-shot", "scanobjectnn_pb_t50_rs, vit_b32, smooth_adapter, 4, after †, report", "81.00"),
        ("few-shot", "modelnet40, vit_b16, smooth, 16, after †, report", "84.00"),
        ("segmentation", "shapenetpart, vit_b16, lamp, IoU †, report", "50.00"),
        ("detection", "scannet, vit_b16, detr3d, as_published, mAP@25, pointclip_v2", "18.00"),
        ("shots", "modelnet40, vit_b32, shots 0, before, report", "60.00"),
        ("shots", "modelnet40, vit_b32, shots 32, after †, report", "81.00"),
        ("re-runs", "shapenetpart, vit_b16, as released, class mIoU, rerun", "50.00"),
        (
            "re-runs",
            "shapenetpart, vit_b16, patch features in the right order, searched prompts, class mIoU, rerun",
            "13.00",
        ),
    ],
)
def test_a_cell_is_compared_with_the_row_of_its_steps(place, table, cell, ours):
    report, beyond = (by_cell(one) for one in tables(place, runs()))
    row = (report | beyond)[table, cell]
    assert row[2] == ours
    off = float(ours) - float(row[3])
    assert row[4] == ("within 1.0" if abs(off) <= 1 else f"off by {off:+.2f}")


@pytest.mark.parametrize(
    ("model", "compared"),
    [("bundled", 0), ("gpt-4o-mini", 4), ("openai/gpt-4.1", 4), ("gpt-3.5-turbo-instruct", 1), ("qwen3", 0)],
)
def test_sentences_are_compared_only_when_such_a_model_wrote_them(place, model, compared):
    report, _ = tables(place, runs(), **{"generate.model": model})
    rows = [row for row in report.rows if row[0] == "text inputs" and "zero-shot, PointCLIP" not in row[1]]
    rows = [row for row in rows if "few-shot, PointCLIP" not in row[1] and "few-shot model" not in row[1]]
    assert sum(not row[4].startswith("not comparable") for row in rows) == compared
    assert all(f"the sentences here are of model {model}, not of gpt-" in row[4] for row in rows if "not" in row[4])


WITHOUT = "no protocol as_published_before: embed.sets lacks v2_searched_rn50, or PointCLIP V2 published none for"
UNSELECTED = {"select.classification": [], "select.fewshot": []}
NOT_RUN = {
    "not selected": ({}, UNSELECTED, "modelnet40 is not in select.classification"),
    "another backbone": ({}, {"select.backbones": ["rn101"]}, "rn50 is not among its backbones"),
    "left out": ({}, {"report.not_run": {"modelnet40": "its mirrors are dead"}}, "modelnet40: its mirrors are dead"),
    "backbone left out": ({}, {"report.not_run": {"rn50": "no disk for it"}}, "rn50: no disk for it"),
    "no sentences": ({("modelnet40", "rn50"): HONEST_FIGURES}, {}, f"{WITHOUT} this dataset"),
}


@pytest.mark.parametrize(("protocols", "overrides", "why"), NOT_RUN.values(), ids=NOT_RUN)
def test_a_figure_that_was_not_run_says_why(place, protocols, overrides, why):
    classified = {key: replace(ZERO_SHOT, protocols=of_run) for key, of_run in protocols.items()}
    report, _ = tables(place, runs(**NOTHING | {"classified": classified}), **overrides)
    row = by_cell(report)["zero-shot", "modelnet40, rn50, before, report"]
    assert (row[2], row[4]) == ("", f"not run: {why}")


def test_the_reason_of_a_stage_is_the_reason_of_its_cells(place):
    said = {"smooth_adapter_as_published_before": "no weights", "smooth_adapter_as_published_after": "no weights"}
    trained = {("modelnet40", "vit_b32"): FewShotMetrics(samples={"train": 1, "test": 1}, methods={}, not_run=said)}
    protocols = {name: SEGMENTED.protocols[name] for name in ("neutral", "search_train", "search_test")}
    segmented = replace(SEGMENTED, protocols=protocols, not_run={"as_published": "no sentences"})
    found = runs(trained=trained, segmented={("shapenetpart", "vit_b16"): segmented})
    report, beyond = (by_cell(table) for table in tables(place, found))
    assert report["few-shot", "modelnet40, vit_b32, smooth_adapter, 16, before, report"][4] == "not run: no weights"
    assert report["segmentation", "shapenetpart, vit_b16, mug, accuracy †, report"][4] == "not run: no sentences"
    assert beyond["shots", "modelnet40, vit_b32, shots 8, after †, report"][4] == "not run: no weights"


def test_notes_stand_beside_the_cells(place):
    report, beyond = (by_cell(table) for table in tables(place, runs(**NOTHING)))
    assert "split of ScanObjectNN" in report["zero-shot", "scanobjectnn_pb_t50_rs, rn50, before, report"][5]
    assert "66.7" in report["segmentation", "shapenetpart, vit_b16, knife, IoU †, report"][5]
    assert "equal to the cells of vit_b16" in beyond["shots", "modelnet40, vit_b32, shots 16, after †, report"][5]
    document = yaml.safe_load(TEXT)
    pointclip = {cell["dataset"]: cell["accuracy"] for cell in document["peers"] if cell["method"] == "PointCLIP"}
    assert (pointclip["scanobjectnn_obj_only"], pointclip["scanobjectnn_pb_t50_rs"]) == (21.34, 15.38)


def comparison(rows):
    return Comparison(rows, (Column("top"),), lambda result, column: "no time")


def test_a_verdict_says_within_one_point_by_how_much_not_or_why_not():
    found = verdicts("t", comparison(compare({("x",): {"top": 40.5}}, RESULTS)))
    assert [row[4] for row in found] == ["within 1.0", "off by -12.00", "not run: no time"]


def test_verdicts_are_counted_and_the_first_run_with_a_figure_counts():
    ours = {("x", "empty"): {}, ("x", "selected"): {"top": 40.5}, ("x", "archived"): {"top": 1.0}}
    results = [*RESULTS, PublishedResult(("z",), {"top": 1.0}, "one", not_comparable="another method")]
    section = verdict_section({"t": comparison(compare(ours, results))}, {})
    rows = [("x, top, one", "40.50"), ("x, top, two", "40.50"), ("y, top, one", ""), ("z, top, one", "")]
    assert [row[1:3] for row in section.tables[0].rows] == rows
    said = "4 published figures: 1 within 1.0, 1 off by more, 1 not run, 1 not comparable."
    assert section.tables[0].notes == (said,) and section.text.startswith(said)
