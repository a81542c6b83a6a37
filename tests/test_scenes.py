"""Pictures of scans: every box and name is drawn, and the page needs no network."""

import re

import numpy as np
import pytest

from stages.reporting.figures import png
from stages.reporting.scenes import Boxes, scene_figure, scene_page

POINTS = np.random.default_rng(0).random((500, 3)) * [4, 3, 2.5]
TRUTH = Boxes(np.array([[1, 1, 0.5, 0.5, 0.5, 1], [3, 2, 0.5, 1, 1, 1.0]]), ["chair", "trash_can"])
PREDICTED = Boxes(np.array([[1, 1, 0.4, 0.5, 0.5, 0.8]]), ["stool 0.41"])


@pytest.mark.parametrize("predicted", [PREDICTED, Boxes(np.empty((0, 6)), [])])
def test_both_views_hold_every_box_and_the_one_from_above_every_name(predicted):
    figure, again = (scene_figure(POINTS, truth=TRUTH, predicted=predicted, title="room") for _ in range(2))
    assert [len(axis.patches) for axis in figure.axes] == [2 + len(predicted.boxes)] * 2
    assert [text.get_text() for text in figure.axes[0].texts] == ["chair", "trash can", *predicted.names]
    corner = figure.axes[1].patches[0]
    assert (corner.get_x(), corner.get_y()) == (0.75, 0.0)
    assert png(figure) == png(again)


def test_the_page_holds_its_scan_and_fetches_nothing():
    pages = [scene_page(POINTS, truth=TRUTH, predicted=PREDICTED, title="room <1>") for _ in range(2)]
    assert pages[0] == pages[1]
    assert "<title>room &lt;1&gt;</title>" in pages[0]
    assert not re.findall(r"""<(?:script|link|img)[^>]+(?:src|href)=["']?(?:https?:)?//""", pages[0])
