"""Tables from metrics and experiments, by small cases; figures hold what they are given."""

import numpy as np
import pytest

from stages.errors import InputError
from stages.reporting import classification_table, example_figure, experiment_table, projections_figure, sheet_figure

FIGURES = {
    "top1": 50.0,
    "top5": 75.0,
    "mean_class_accuracy": 40.0,
    "top1_low": 40.04,
    "top1_high": 60.0,
    "mcnemar_p": 0.25,
}
METRICS = {"samples": 4, "classes": 5, "leakage": 2.5} | dict.fromkeys(
    ("search_test", "label_free", "ensemble", "template"), FIGURES
)


def test_protocols_come_in_order_and_the_oracle_bears_a_dagger():
    runs = {("mine", "small"): METRICS}
    table = classification_table(runs, protocols=("template", "ensemble"), baseline="ensemble")
    lines = table.splitlines()
    row = "| mine | small | template | none | 50.00 | 40.0 to 60.0 | 75.00 | 40.00 | 0.250 | 4 | 20.0 |"
    assert [line.split(" | ")[2] for line in lines[2:6]] == ["template", "ensemble", "label_free", "search_test †"]
    assert lines[2] == row
    assert lines[3].split(" | ")[8] == ""
    assert "search_test less search_train): +2.50 points" in table


EXPERIMENTS = """Experiment,render.smooth.kernel,search_test.top1,a.top1,a.top5
,,1,2,3
y,mish,60,51,75
x,box,62.5,50,75
"""


def test_an_experiment_set_is_one_row_a_value():
    table = experiment_table(EXPERIMENTS, param="render.smooth.kernel", protocols=("a",))
    assert table.splitlines()[0] == "| render.smooth.kernel, top-1 % | a | search_test † |"
    assert table.splitlines()[2:] == ["| box | 50.00 | 62.50 |", "| mish | 51.00 | 60.00 |"]


@pytest.mark.parametrize("text", ["", "Experiment,b\nx,1\n", EXPERIMENTS.replace("mish", "box"), "nonsense"])
def test_other_experiments_are_refused(text):
    with pytest.raises(InputError, match=r"experiments of render.smooth.kernel"):
        experiment_table(text, param="render.smooth.kernel", protocols=("a",))


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
