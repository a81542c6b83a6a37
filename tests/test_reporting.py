"""Tables from metrics, sweeps and published figures by small cases; figures hold what is given; the page works."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.artifacts.examples import Examples, Kernel, Sheet, read_examples, write_examples
from stages.artifacts.experiments import FewShotRow, SweepRow
from stages.artifacts.figures import (
    AccuracyFigures,
    ClassificationMetrics,
    DetectionFigures,
    DetectionMetrics,
    FewShotFigures,
    FewShotMetrics,
    RetrievalFigures,
    SegmentationMetrics,
)
from stages.artifacts.files import write_json
from stages.artifacts.metrics import write_metrics
from stages.artifacts.paths import Paths
from stages.config.params import load_params
from stages.config.sweep import Sweep
from stages.core.errors import InputError
from stages.projection.clouds import orient
from stages.reporting import bundled_training
from stages.reporting.classification import AFTER, BEFORE_AFTER, protocols_table, zeroshot_rows
from stages.reporting.collect import gather
from stages.reporting.comparison import Column, PublishedResult, compare, comparison_table, repeating_figure
from stages.reporting.curves import Point, sentences_figure, shots_figure, speed_figure, trace_figure, views_figure
from stages.reporting.detection import detection_rows
from stages.reporting.few_shot import gather_runs, method_rows, section, shots_table
from stages.reporting.figures import drawn_axes, example_figure, kernels_figure, png, projections_figure, sheet_figure
from stages.reporting.page import Picture, Section, page
from stages.reporting.published import parse_published
from stages.reporting.sweeps import section as sweeps_section
from stages.reporting.sweeps import sweep_figures
from stages.reporting.tables import Table, as_csv, latex, markdown
from stages.retrieval.pooling import POOLINGS

ROOT = Path(__file__).parents[1]


def figures(labels_read="none"):
    return AccuracyFigures(
        labels_read=labels_read,
        top1=50.0,
        top5=75.0,
        mean_class_accuracy=40.0,
        top1_low=40.04,
        top1_high=60.0,
        negative_log_likelihood=1.0,
        expected_calibration_error=5.0,
        mcnemar_p=0.25,
    )


SEARCHES = RetrievalFigures(words_map=75.0, words_first=50.0, objects_map=60.0, above_floor=70.0, false_positives=5.0)
METRICS = ClassificationMetrics(
    samples=4,
    classes=5,
    leakage=2.5,
    views={0: 50.0},
    sentences={},
    retrieval={split: dict.fromkeys(POOLINGS, SEARCHES) for split in ("train", "test")},
    protocols={
        "search_test": figures("test"),
        "search_train": figures("train"),
        "views": figures(),
        "my.oracle": figures("test"),
        "ensemble": figures(),
        "template": figures(),
    },
)
TABLE = Table("t", "A & B", ("name", "50 %"), (("a_b †", "1.50"), ("c", "")), numeric_from=1, notes=("below 1 % off",))


def test_protocols_come_in_order_and_the_oracle_bears_a_dagger():
    table = protocols_table({("mine", "small"): METRICS}, protocols=("template", "ensemble"), baseline="ensemble")
    names = ["template", "ensemble", "views", "search_train", "my.oracle †", "search_test †"]
    assert [row[2] for row in table.rows] == names
    row = ("mine", "small", "template", "none", "50.00", "40.0 to 60.0", "75.00", "40.00", "0.250", "4", "20.0")
    assert table.rows[0] == row
    assert table.rows[1][8] == ""
    assert "search_test less search_train): +2.50 points" in table.notes[0]


def test_a_table_is_written_in_three_forms():
    assert markdown(TABLE) == "| name | 50 % |\n| --- | ---: |\n| a_b † | 1.50 |\n| c |  |\n\nbelow 1 % off\n"
    assert as_csv(TABLE) == "name,50 %\na_b †,1.50\nc,\n"
    text = latex(TABLE)
    assert r"\caption{A \& B}" in text and r"a\_b $\dagger$ & 1.50 \\" in text and r"\begin{tabular}{lr}" in text
    assert [text.index(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == sorted(
        text.index(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")
    )


def test_a_table_refuses_a_row_of_another_width():
    with pytest.raises(ValueError, match="row of 1 cells under 2"):
        Table("t", "", ("a", "b"), (("1",),), numeric_from=1)


RESULTS = [
    PublishedResult((key,), {"top": top}, by)
    for key, top, by in (("x", 40.0, "one"), ("x", 52.5, "two"), ("y", 9.0, "one"))
]


def test_ours_are_compared_with_every_source_and_published_cells_without_a_run_stay_published():
    table = comparison_table(
        "t", "", ("cell",), (Column("top"),), compare({("x",): {"top": 40.5}, ("z",): {"top": 1.0}}, RESULTS)
    )
    assert table.header == ("cell", "source", "top, ours", "top, published", "difference")
    assert table.rows == (
        ("x", "one", "40.50", "40.00", "+0.50"),
        ("x", "two", "40.50", "52.50", "-12.00"),
        ("z", "", "1.00", "", ""),
        ("y", "one", "", "9.00", ""),
    )


def test_a_column_of_numbers_without_a_value_is_left_out():
    table = comparison_table(
        "t", "", ("cell",), (Column("top"), Column("low")), compare({("z",): {"top": 1.0}}, RESULTS)
    )
    assert table.header == ("cell", "source", "top, ours", "top, published")
    assert table.rows[0] == ("z", "", "1.00", "")


def test_the_published_file_is_whole_and_is_compared_with_a_run():
    published = parse_published((ROOT / "reports/published.yaml").read_text(), source="reports/published.yaml")
    assert len(published.segmentation) == 16 and len(published.shots) == 7
    rows = zeroshot_rows({("modelnet40", "vit_b16"): METRICS}, published, baseline="ensemble")
    after = {row.published.source: row.published.figures[AFTER] for row in rows if row.ours}
    assert after == {"report": 64.22, "pointclip_v2": 64.22, "pointclip_v2_readme": 64.26}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sources: [", "not valid YAML"),
        ("{sources: {}, notes: {}}", "zeroshot"),
        ("{sources: {}, notes: {}, zeroshot: [{source: x, backbone: b, after: 1.0}]}", "Field required|missing"),
    ],
)
def test_a_wrong_published_file_is_refused(text, says):
    with pytest.raises(InputError, match=rf"p.yaml: .*({says})"):
        parse_published(text, source="p.yaml")


def test_a_published_figure_names_its_source():
    text = (ROOT / "reports/published.yaml").read_text().replace("  pcq: PCQ, paper\n", "")
    with pytest.raises(InputError, match="sources: no entry 'pcq'"):
        parse_published(text, source="p.yaml")
    text = (ROOT / "reports/published.yaml").read_text().replace("  knife: the released", "  spoon: the released")
    with pytest.raises(InputError, match="notes: no entry 'knife'"):
        parse_published(text, source="p.yaml")


def test_a_figure_of_the_published_steps_stands_between_ours_and_the_published_one():
    column = Column("top", "repeated", "top, as published †")
    ours = {("x",): {"top": 60.0, "repeated": 52.0}, ("y",): {"top": 1.0}}
    noted = [RESULTS[0]._replace(repeated_by={"top": "other"}), RESULTS[1]._replace(note="odd"), RESULTS[2]]
    table = comparison_table("t", "", ("cell",), (column,), compare(ours, noted), notes=("first",))
    assert table.header == ("cell", "source", "top, ours", "top, as published †", "top, published", "difference")
    assert table.rows == (
        ("x", "one", "60.00", "", "40.00", ""),
        ("x", "two", "60.00", "52.00", "52.50", "-0.50"),
        ("y", "one", "1.00", "", "9.00", ""),
    )
    assert table.notes == ("first", "x (two): odd.")


def test_what_is_not_comparable_stands_alone():
    rows = compare({("x",): {"top": 40.5}}, [RESULTS[0]._replace(not_comparable="another method")])
    assert [(row.ours, row.published is None) for row in rows] == [({"top": 40.5}, True), ({}, False)]


SWEEP = [
    SweepRow(value=value, dataset="mine", backbone="small", protocol=protocol, top1=top1, seconds=seconds)
    for value in ("box", "mish")
    for protocol, top1, seconds in (
        ("e", 50.0, None),
        ("search_train", 51.0, 2.0),
        ("search_test", 62.5, 0.5),
        ("other", 1.0, None),
    )
]


def test_a_sweep_is_before_and_after_by_value():
    found = sweep_figures(SWEEP, source="s.csv", before=lambda _: "e")
    expected = {"before": 50.0, "after, train labels": 51.0, "after †": 62.5, "seconds": 0.5}
    assert found == {("mine", "small", "box"): expected, ("mine", "small", "mish"): expected}


def test_a_sweep_without_times_has_no_column_of_seconds():
    rows = [replace(row, seconds=None) for row in SWEEP]
    found = sweep_figures(rows, source="s.csv", before=lambda _: "e")
    table = comparison_table(
        "t", "", ("dataset", "backbone", "value"), (Column(AFTER), Column("seconds")), compare(found, [])
    )
    assert table.header == ("dataset", "backbone", "value", "source", "after †, ours")


def test_a_prompt_set_is_compared_with_the_protocol_that_averages_it():
    found = sweep_figures(SWEEP, source="s.csv", before={"box": "other"}.get)
    assert found["mine", "small", "box"]["before"] == 1.0
    assert "before" not in found["mine", "small", "mish"]


def test_an_experiment_set_shows_the_baseline_of_every_experiment_against_the_first():
    sweep = Sweep(param="render.method", values=("v2", "contour"), fixed={}, cross={"evaluate.view_pooling": ("mean",)})
    place = {"dataset": "mine", "backbone": "small", "top1_low": 40.0, "top1_high": 60.04}
    rows = [
        SweepRow(value="v2, mean", protocol="e", top1=50.0, **place),
        SweepRow(value="v2, mean", protocol="search_test", top1=90.0, **place),
        SweepRow(value="contour, mean", protocol="e", top1=51.5, mcnemar_p=0.0004, **place),
    ]
    found = sweeps_section({"both": sweep}, {"both": rows}, baseline="e")
    (table,) = found.tables
    assert table.name == "sweep_both" and table.rows == (
        ("mine", "small", "v2, mean", "50.00", "40.0 to 60.0", ""),
        ("mine", "small", "contour, mean", "51.50", "40.0 to 60.0", "< 0.001"),
    )
    assert "`render.method`, `evaluate.view_pooling`; protocol e" in table.notes[0]
    (empty,) = sweeps_section({"both": sweep}, {"both": ()}, baseline="e").tables
    assert empty.rows == () and empty.notes == ("Not measured yet: `python -m stages.commands.sweep both`.",)


@pytest.mark.parametrize("rows", [[], [row for row in SWEEP if row.protocol != "search_train"]])
def test_an_incomplete_sweep_is_refused(rows):
    with pytest.raises(InputError, match=r"s\.csv: "):
        sweep_figures(rows, source="s.csv", before=lambda _: "e")


def few_shot_figures(top1, labels_read="train"):
    return FewShotFigures(
        labels_read=labels_read,
        top1_mean=top1,
        top1_std=0.5,
        top1_low=40.0,
        top1_high=60.0,
        gain_low=-1.0,
        gain_high=2.0,
        mean_class_accuracy_mean=1.0,
        seeds=(0,),
    )


ARCHIVE = [
    FewShotRow(
        labels_read=labels_read,
        dataset="modelnet40",
        backbone="vit_b32",
        shapes="9 + 3",
        method=method,
        shots=shots,
        top1_mean=top1,
        top1_std=0.25,
        top1_low=40.0,
        top1_high=60.0,
    )
    for method, shots, top1, labels_read in (
        ("best", 16, 55.126, "test"),
        ("best", 0, 50.0, "none"),
        ("smooth_adapter", 16, 53.0, "train"),
    )
]
SELECTED = {
    ("mine", "small"): FewShotMetrics(
        samples={"train": 4, "test": 2},
        methods={"adapter": {16: few_shot_figures(52.0), 0: few_shot_figures(50.0, "none"), 2: few_shot_figures(51.0)}},
    )
}


def test_the_few_shot_tables_tell_archived_runs_from_selected_ones():
    published = parse_published((ROOT / "reports/published.yaml").read_text(), source="reports/published.yaml")
    runs = gather_runs(SELECTED, ARCHIVE)
    few = {row.key: row for row in method_rows(runs, published) if row.ours}
    assert set(few) == {
        ("mine", "small", "adapter", "16", "selected", "4 + 2"),
        ("modelnet40", "vit_b32", "best †", "16", "archived", "9 + 3"),
        ("modelnet40", "vit_b32", "smooth_adapter", "16", "archived", "9 + 3"),
    }
    compared = few["modelnet40", "vit_b32", "smooth_adapter", "16", "archived", "9 + 3"]
    assert (compared.ours["before"], compared.published.figures[AFTER]) == (53.0, 89.06)
    assert repeating_figure(compared, BEFORE_AFTER[0]) is None
    table = shots_table(runs, published)
    assert table.header[:9] == (
        *("dataset", "backbone", "shots", "run", "train + test shapes", "source"),
        *("adapter", "best †", "smooth_adapter"),
    )
    assert [row[:9] for row in table.rows[:5]] == [
        ("mine", "small", "0", "selected", "4 + 2", "", "50.00 ± 0.50", "", ""),
        ("mine", "small", "2", "selected", "4 + 2", "", "51.00 ± 0.50", "", ""),
        ("mine", "small", "16", "selected", "4 + 2", "", "52.00 ± 0.50", "", ""),
        ("modelnet40", "vit_b32", "0", "archived", "9 + 3", "report", "", "50.00 ± 0.25", ""),
        ("modelnet40", "vit_b32", "16", "archived", "9 + 3", "report", "", "55.13 ± 0.25", "53.00 ± 0.25"),
    ]
    assert table.rows[4][-1] == "90.03" and [row[2] for row in table.rows[5:]] == ["1", "2", "4", "8", "32"]


def test_without_any_few_shot_run_the_published_figures_stay():
    published = parse_published((ROOT / "reports/published.yaml").read_text(), source="reports/published.yaml")
    shown = section(gather_runs({}, []), published)
    assert not shown.pictures and [len(table.rows) for table in shown.tables] == [9, 7]


def test_proposals_that_read_the_true_boxes_bear_a_dagger():
    def boxes(labels_read):
        return DetectionFigures(labels_read=labels_read, map25=50.0, map50=40.0, ar25=60.0, ar50=55.0, per_class={})

    proposals = {"truth": {"full": boxes("test")}, "detr3d": {"as_published": boxes("train"), "full": boxes("train")}}
    metrics = DetectionMetrics(scans=1, classes=2, boxes=3, proposals=proposals)
    published = parse_published((ROOT / "reports/published.yaml").read_text(), source="reports/published.yaml")
    rows = [row for row in detection_rows({("scannet", "vit_b16"): metrics}, published) if row.ours]
    assert [row.key[2:] for row in rows] == [("truth †", "full"), ("detr3d", "as_published"), ("detr3d", "full")]
    assert rows[1].published.figures["mAP@25"] == 18.97 and rows[2].published is None


def test_examples_come_back_in_their_order(tmp_path):
    maps = np.arange(12, dtype="f4").reshape(1, 3, 2, 2) / 255
    kernel = Kernel(np.eye(3, dtype="f4"), np.ones((5, 2), "f4"))
    examples = Examples(
        {"zoo": Sheet(maps, ("a cat",)), "animals": Sheet(maps, ("dog",))},
        {"V2 mish": maps[:, 0], "V1": maps[:, 1]},
        {"mish": kernel, "box": kernel},
    )
    write_examples(tmp_path / "examples.h5", examples)
    found = read_examples(tmp_path / "examples.h5")
    assert [list(getattr(found, name)) for name in ("sheets", "projections", "kernels")] == [
        ["zoo", "animals"],
        ["V2 mish", "V1"],
        ["mish", "box"],
    ]
    np.testing.assert_array_equal(found.sheets["zoo"].depth, maps)
    np.testing.assert_array_equal(found.projections["V1"], maps[:, 1])
    assert found.sheets["zoo"].classes == ("a cat",)
    write_examples(tmp_path / "empty.h5", Examples({}, {}, {}))
    assert read_examples(tmp_path / "empty.h5") == Examples({}, {}, {})


@pytest.mark.parametrize("up_axis", ["x", "y", "z"])
def test_clouds_are_drawn_upright_as_the_projection_turns_them(up_axis):
    points = np.random.default_rng(0).random((5, 3)).astype("f4")
    x, y, z = orient(points, up_axis).T
    np.testing.assert_array_equal(drawn_axes(points, up_axis), np.stack([z, x, y]))


def test_figures_show_every_map_with_its_title():
    depth = np.random.default_rng(0).random((3, 4, 8, 8))
    sheet = sheet_figure(depth, ["bed", "sofa", "vase"]).axes[0]
    assert [label.get_text() for label in sheet.get_yticklabels()] == ["bed", "sofa", "vase"]
    assert [label.get_text() for label in sheet.get_xticklabels()] == ["view 0", "view 1", "view 2", "view 3"]
    np.testing.assert_array_equal(sheet.images[5].get_array(), depth[1, 1])
    assert sheet.images[5].get_extent()[0] == 1 and sheet.images[5].get_extent()[3] == 1
    shown = projections_figure({"V1": depth[:2, 0], "V2": depth[:2, 1]}, ["bed", "sofa"]).axes[0]
    assert [label.get_text() for label in shown.get_xticklabels()] == ["V1", "V2"]
    np.testing.assert_array_equal(shown.images[3].get_array(), depth[1, 1])
    example = example_figure(
        np.zeros((5, 3)) + np.arange(5)[:, None], depth[0], [("bed", 0.75)], up_axis="y", true_class="bed"
    )
    assert "75.0 %" in [text.get_text() for axis in example.axes for text in axis.texts]


def test_curves_hold_their_points():
    shots = shots_figure({"adapter": [Point(0, 50, 0), Point(1, 60, 2), Point(16, 70, 1)]}, title="t").axes[0]
    assert shots.lines[0].get_xydata().tolist() == [[0, 50], [1, 60], [16, 70]]
    assert [tick.get_text() for tick in shots.get_xticklabels()] == ["0", "1", "16"]
    assert trace_figure({"search": [1.0, 2.0]}, title="t").axes[0].lines[0].get_ydata().tolist() == [1, 2]
    kernel = Kernel(np.eye(3, dtype="f4"), np.array([[0, 1], [4, 0.5]], "f4"))
    *_, profiles = kernels_figure({"mish": kernel}).axes
    assert profiles.lines[0].get_xydata().tolist() == [[0, 1], [4, 0.5]]
    views = views_figure({1: 30.0, 0: 10.0}, together=40.0, title="t").axes[0]
    assert [bar.get_height() for bar in views.patches] == [10, 30]
    assert views.lines[0].get_ydata() == [40, 40]
    sentences = sentences_figure({"simple": {1: 5.0, 16: 7.0, 8: 6.0}}, title="t").axes[0]
    assert sentences.lines[0].get_xydata().tolist() == [[1, 5], [8, 6], [16, 7]]
    assert [bar.get_width() for bar in speed_figure({"search": 100.0}).axes[0].patches] == [100]


@pytest.fixture
def written(tmp_path):
    picture = Picture("p", png(speed_figure({"a": 2.0})), alt="one bar", caption="a bar <b>")
    section = Section("one", "One", "`Words` <i>.", "make x", (TABLE,), (picture,))
    path = tmp_path / "index.html"
    path.write_text(page([section], title="T", summary="S", weights=TABLE, parameters="a: 1"))
    return path


def test_the_page_needs_nothing_else_and_escapes_what_it_shows(written):
    text = written.read_text()
    assert "<code>Words</code> &lt;i&gt;" in text and "a_b\N{NO-BREAK SPACE}†" in text
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    assert "a bar &lt;b&gt;" in text and 'alt="one bar"' in text
    assert text.count('scope="col"') == 2 * len(TABLE.header)


PROBE = """<script>
document.querySelectorAll("th.number button").forEach(button => button.click());
const empty = [...document.images].filter(image => !image.complete || !image.naturalWidth).length;
const last = document.querySelector("tbody").rows[0].cells[0].textContent;
document.title = `images ${document.images.length} missing ${empty} first ${last}`;
</script></body>"""


def opened(page):
    """The page's own words about itself after a click on every column of numbers, and what the console said."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium on PATH: the page is checked where there is one")
    page.write_text(page.read_text().replace("</body>", PROBE))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=5000"]
    done = subprocess.run(
        [browser, *options, "--dump-dom", f"file://{page}"], capture_output=True, text=True, timeout=120, check=True
    )
    title = re.search("<title>(.*?)</title>", done.stdout)[1]
    return title, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_a_browser_opens_the_page_without_an_error(written):
    assert opened(written) == ("images 1 missing 0 first a_b&nbsp;†", [])


def test_the_committed_report_opens_with_all_its_pictures(tmp_path):
    page = tmp_path / "index.html"
    page.write_text((ROOT / "reports/index.html").read_text())
    title, console = opened(page)
    pictures = len(list((ROOT / "reports/figures").glob("*.png")))
    assert title.startswith(f"images {pictures} missing 0 ") and console == []


def test_a_selected_run_without_metrics_is_an_error(tmp_path, monkeypatch):
    for name in ("params.yaml", "reports/published.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "reports/experiments", tmp_path / "reports/experiments")
    params = load_params()
    params = replace(params, select=replace(params.select, fewshot=("home_objects",)))
    minimal = {
        "home_objects/bundled": METRICS,
        "procedural_parts/bundled_parts": SegmentationMetrics(
            mode="correct", samples=1, shapes={}, unseen_points=0.0, leakage=0.0, protocols={}
        ),
        "rooms/bundled": DetectionMetrics(scans=1, classes=1, boxes=0, proposals={}),
        "home_objects/bundled.fewshot": FewShotMetrics(samples={}, methods={}),
    }
    for name, metrics in minimal.items():
        path = Path(f"reports/metrics/{name}.json")
        with pytest.raises(InputError, match=f"{name}.json: no such file"):
            gather(params, Paths())
        write_json(path, {"leak": 1})
        with pytest.raises(InputError, match=f"{name}.json: leak: unknown key"):
            gather(params, Paths())
        write_metrics(path, metrics)


def test_the_course_of_the_training_has_the_loss_of_its_last_steps_and_the_accuracies_in_percent():
    history = {
        "mean_loss_per_100_steps": [3.0, 2.0, 1.5],
        "scores": [{"step": 200, "held_out_names": 0.1}, {"step": 250, "held_out_names": 0.25, "known_train": 0.5}],
        "held_out_names": ["anchor", "ladder"],
    }
    table = bundled_training.section(history).tables[0]
    assert table.rows == (("200", "2.00", "10.00", ""), ("250", "1.50", "25.00", "50.00"))
    assert "anchor, ladder" in table.notes[0]
