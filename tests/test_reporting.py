"""Tables from metrics, sweeps and published figures by small cases; figures hold what is given; the page works."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from stages.artifacts.files import write_json
from stages.artifacts.paths import Paths
from stages.artifacts.points import write_points
from stages.artifacts.types import Clouds, PointCloudDataset
from stages.commands import archive_fewshot
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.reporting.classification import AFTER, comparison_table, protocols_table, zeroshot_rows
from stages.reporting.collect import gather
from stages.reporting.comparison import Cited, beside, verdicts
from stages.reporting.curves import Point, sentences_figure, shots_figure, speed_figure, trace_figure, views_figure
from stages.reporting.experiments import COLUMNS, sweep_figures
from stages.reporting.few_shot import KEPT_COLUMNS, kept_table
from stages.reporting.figures import example_figure, png, projections_figure, sheet_figure
from stages.reporting.page import Picture, Section, page
from stages.reporting.published import parse_published
from stages.reporting.tables import Table, as_csv, latex, markdown

ROOT = Path(__file__).parents[1]
FIGURES = {
    "top1": 50.0,
    "top5": 75.0,
    "mean_class_accuracy": 40.0,
    "top1_low": 40.04,
    "top1_high": 60.0,
    "mcnemar_p": 0.25,
}
METRICS = {"samples": 4, "classes": 5, "leakage": 2.5, "views": {"0": 50.0}} | dict.fromkeys(
    ("search_test", "search_train", "ensemble", "template"), FIGURES
)
TABLE = Table("t", "A & B", ("name", "50 %"), (("a_b †", "1.50"), ("c", "")), numeric_from=1, notes=("below 1 % off",))


def test_protocols_come_in_order_and_the_oracle_bears_a_dagger():
    table = protocols_table({("mine", "small"): METRICS}, protocols=("template", "ensemble"), baseline="ensemble")
    assert [row[2] for row in table.rows] == ["template", "ensemble", "search_train", "search_test †"]
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


CITED = [Cited(("x",), {"top": 40.0}, "one"), Cited(("x",), {"top": 52.5}, "two"), Cited(("y",), {"top": 9.0}, "one")]


def test_ours_stand_beside_every_source_and_published_cells_without_a_run_stay_published():
    table = comparison_table("t", "", ("cell",), ("top",), beside({("x",): {"top": 40.5}, ("z",): {"top": 1.0}}, CITED))
    assert table.header == ("cell", "source", "top, ours", "top, published", "difference")
    assert table.rows == (
        ("x", "one", "40.50", "40.00", "+0.50"),
        ("x", "two", "40.50", "52.50", "-12.00"),
        ("z", "", "1.00", "", ""),
        ("y", "one", "", "9.00", ""),
    )


def test_a_column_of_numbers_without_a_value_is_left_out():
    table = comparison_table("t", "", ("cell",), ("top", "low"), beside({("z",): {"top": 1.0}}, CITED))
    assert table.header == ("cell", "source", "top, ours", "top, published")
    assert table.rows[0] == ("z", "", "1.00", "")


def test_a_verdict_says_within_one_point_or_by_how_much_not():
    found = verdicts("t", beside({("x",): {"top": 40.5}}, CITED), ("top",))
    assert [row[-1] for row in found] == ["within 1.0", "off by -12.00"]
    assert verdicts("t", beside({}, CITED), ("top",)) == []


def test_the_published_file_is_whole_and_stands_beside_a_run():
    published = parse_published((ROOT / "reports/published.yaml").read_text(), source="reports/published.yaml")
    assert len(published.segmentation) == 16 and len(published.shots) == 7
    rows = zeroshot_rows({("modelnet40", "vit_b16"): METRICS}, published, baseline="ensemble")
    cited = {row.cited.source: row.cited.figures[AFTER] for row in rows if row.ours}
    assert cited == {"report": 64.22, "pointclip_v2": 64.22, "pointclip_v2_readme": 64.26}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sources: [", "not valid YAML"),
        ("sources: {}", "zeroshot"),
        ("{sources: {}, zeroshot: [{source: x, backbone: b, after: 1.0}]}", "Field required|missing"),
    ],
)
def test_a_wrong_published_file_is_refused(text, says):
    with pytest.raises(InputError, match=rf"p.yaml: .*({says})"):
        parse_published(text, source="p.yaml")


def test_a_published_figure_names_its_source():
    text = (ROOT / "reports/published.yaml").read_text().replace("  pcq: PCQ, paper\n", "")
    with pytest.raises(InputError, match="sources: no entry 'pcq'"):
        parse_published(text, source="p.yaml")


SWEEP = (
    ",".join(COLUMNS)
    + "\n"
    + "".join(
        f"{value},mine,small,{protocol},{top1},{seconds}\n"
        for value in ("box", "mish")
        for protocol, top1, seconds in (
            ("e", 50, ""),
            ("search_train", 51, 2),
            ("search_test", 62.5, 0.5),
            ("other", 1, ""),
        )
    )
)


def test_a_sweep_is_before_and_after_by_value():
    figures = sweep_figures(SWEEP, source="s.csv", before=lambda _: "e")
    expected = {"before": 50.0, "after, train labels": 51.0, "after †": 62.5, "seconds": 0.5}
    assert figures == {("mine", "small", "box"): expected, ("mine", "small", "mish"): expected}


def test_a_prompt_set_stands_beside_the_protocol_that_averages_it():
    figures = sweep_figures(SWEEP, source="s.csv", before={"box": "other"}.get)
    assert figures["mine", "small", "box"]["before"] == 1.0
    assert "before" not in figures["mine", "small", "mish"]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", ",".join(COLUMNS) + "\n", SWEEP.replace("search_train", "x")])
def test_another_sweep_is_refused(text):
    with pytest.raises(InputError, match=r"s\.csv: "):
        sweep_figures(text, source="s.csv", before=lambda _: "e")


KEPT = ",".join(KEPT_COLUMNS) + "\n" + "".join(
    f"mine,small,4 + 2,{method},{shots},{mean},0.5,40,60\n"
    for method, shots, mean in (("adapter", 16, 52), ("adapter", 0, 50), ("adapter_best_on_test", 2, 55.126))
)  # fmt: skip


def test_kept_runs_have_a_column_for_every_number_of_shots():
    table = kept_table(KEPT, source="k.csv")
    assert table.header[3:] == ("method", "0", "2", "16", "interval at 16")
    assert [row[3:] for row in table.rows] == [
        ("adapter", "50.00 ± 0.50", "", "52.00 ± 0.50", "40.00 to 60.00"),
        ("adapter_best_on_test †", "", "55.13 ± 0.50", "", ""),
    ]
    with pytest.raises(InputError, match=r"k\.csv: columns \['a'\]"):
        kept_table("a\n", source="k.csv")


def test_a_kept_run_replaces_the_earlier_one_and_leaves_the_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, one = Paths().experiments("few_shot"), {"top1_std": 0.5, "top1_low": 40, "top1_high": 60}
    cloud = Clouds(np.zeros((2, 3, 3), "f4"), np.zeros(2, "i8"))
    points = PointCloudDataset(("a",), "y", {"train": cloud, "test": cloud})
    for dataset in ("mine", "other"):
        write_points(Paths().points(dataset), points)
        write_json(Paths().metrics(dataset, "small"), {"samples": 2})
    with pytest.raises(InputError, match=r"mine/small\.json: no few_shot"):
        archive_fewshot.main("mine", "small")
    for dataset, method, mean in (("other", "a", 10), ("mine", "a", 20), ("mine", "b", 40), ("mine", "a", 30)):
        figures = {"few_shot": {method: {shots: {"top1_mean": mean, **one} for shots in ("16", "2")}}}
        write_json(Paths().metrics(dataset, "small"), figures)
        archive_fewshot.main(dataset, "small")
    assert path.read_text().splitlines()[1:] == [
        "mine,small,2 + 2,a,2,30,0.5,40,60",
        "mine,small,2 + 2,a,16,30,0.5,40,60",
        "mine,small,2 + 2,b,2,40,0.5,40,60",
        "mine,small,2 + 2,b,16,40,0.5,40,60",
        "other,small,2 + 2,a,2,10,0.5,40,60",
        "other,small,2 + 2,a,16,10,0.5,40,60",
    ]


def test_figures_show_every_map_with_its_title():
    depth = np.random.default_rng(0).random((3, 4, 8, 8))
    sheet = sheet_figure(depth, ["bed", "sofa", "vase"])
    assert [axis.get_ylabel() for axis in sheet.axes[::4]] == ["bed", "sofa", "vase"]
    np.testing.assert_array_equal(sheet.axes[5].images[0].get_array(), depth[1, 1])
    shown = projections_figure({"V1": depth[:2, 0], "V2": depth[:2, 1]}, ["bed", "sofa"])
    assert [axis.get_title() for axis in shown.axes[:2]] == ["V1", "V2"]
    np.testing.assert_array_equal(shown.axes[3].images[0].get_array(), depth[1, 1])
    example = example_figure(np.zeros((5, 3)) + np.arange(5)[:, None], depth[0], [("bed", 0.75)], true_class="bed")
    assert "75.0 %" in [text.get_text() for axis in example.axes for text in axis.texts]


def test_curves_hold_their_points():
    shots = shots_figure({"adapter": [Point(0, 50, 0), Point(1, 60, 2), Point(16, 70, 1)]}, title="t").axes[0]
    assert shots.lines[0].get_xydata().tolist() == [[0, 50], [1, 60], [16, 70]]
    assert [tick.get_text() for tick in shots.get_xticklabels()] == ["0", "1", "16"]
    assert trace_figure({"search": [1.0, 2.0]}, title="t").axes[0].lines[0].get_ydata().tolist() == [1, 2]
    views = views_figure({"0": 10.0, "1": 30.0}, together=40.0, title="t").axes[0]
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
    params = load_params()
    for dataset, backbone in (("home_objects", "bundled"), ("procedural_parts", "bundled_parts"), ("rooms", "bundled")):
        metrics = tmp_path / f"reports/metrics/{dataset}/{backbone}.json"
        with pytest.raises(InputError, match=f"{dataset}/{backbone}.json: no such file"):
            gather(params, Paths())
        metrics.parent.mkdir(parents=True)
        metrics.write_text("{}")
