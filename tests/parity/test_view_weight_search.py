"""The view-weight grid takes every decision of the released loops, for any recorded instance."""

import re

import numpy as np
import pytest

from stages.prompt_search.view_weights import coordinate_view_weights, grid_view_weights


@pytest.fixture(scope="module")
def recorded(golden):
    return golden("view_weight_search")


def grids(recorded):
    """(levels, our grid) of every recorded grid."""
    for levels in sorted(int(match[1]) for key in recorded if (match := re.fullmatch(r"time(\d+)_all_correct", key))):
        yield (
            levels,
            grid_view_weights(
                recorded["image_features"],
                recorded["labels"],
                text=recorded["text_features"],
                fallback=recorded["input_view_weights"],
                levels=levels,
            ),
        )


def test_every_combination_counts_the_recorded_number(recorded):
    for levels, grid in grids(recorded):
        assert grid.start == recorded[f"time{levels}_start_correct"]
        np.testing.assert_array_equal(grid.counts, recorded[f"time{levels}_all_correct"])


def test_the_accepted_combinations_and_the_end_are_the_recorded_ones(recorded):
    for levels, grid in grids(recorded):
        np.testing.assert_array_equal(grid.accepted, recorded[f"time{levels}_accepted_flat_index"])
        np.testing.assert_array_equal(grid.weights, recorded[f"time{levels}_best_weights"])
        assert grid.correct == recorded[f"time{levels}_best_correct"]


def test_one_thread_or_many_give_the_same_counts(recorded):
    one, three = (
        grid_view_weights(
            recorded["image_features"],
            recorded["labels"],
            text=recorded["text_features"],
            fallback=recorded["input_view_weights"],
            threads=threads,
        )
        for threads in (1, 3)
    )
    np.testing.assert_array_equal(one.counts, three.counts)


def test_the_coordinate_search_improves_on_the_grid(recorded):
    for _, grid in grids(recorded):
        moved = coordinate_view_weights(
            recorded["image_features"], recorded["labels"], text=recorded["text_features"], start=grid.weights
        )
        assert moved.correct >= moved.start
        if len(grid.accepted):
            assert moved.start == grid.correct
