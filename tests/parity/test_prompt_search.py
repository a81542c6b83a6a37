"""The prompt search takes every decision of the released loop, for any recorded instance."""

from pathlib import Path

import numpy as np
import pytest

from stages.artifacts.types import Features, Prompts
from stages.config.params import load_params
from stages.prompt_search.candidates import Candidates
from stages.prompt_search.greedy import search_prompts
from stages.prompt_search.protocols import PROTOCOLS
from stages.prompt_search.task import SearchSettings, SearchTask


@pytest.fixture(scope="module")
def recorded(golden):
    return golden("prompt_search")


def found_with(recorded, **settings):
    """Our search on the recorded instance, with as many sweeps as evaluations were recorded."""
    candidates = Candidates.ragged(recorded["candidates"], recorded["candidate_offsets"])
    sweeps = (len(recorded["all_correct"]) - 1) // len(recorded["candidates"])
    task = SearchTask(
        recorded["image_features"],
        recorded["labels"],
        candidates=candidates,
        initial=recorded["init_text"],
        view_weights=recorded["view_weights"],
    )
    return search_prompts(task, SearchSettings(sweeps=sweeps, **settings))


def test_every_evaluation_counts_the_recorded_number(recorded):
    np.testing.assert_array_equal(found_with(recorded).counts, recorded["all_correct"])


def test_the_accepted_sequence_is_the_recorded_one(recorded):
    trace = found_with(recorded).trace
    for field, key in (
        ("sweep", "accepted_sweep"),
        ("class_index", "accepted_class"),
        ("candidate", "accepted_candidate"),
        ("correct", "accepted_correct"),
    ):
        np.testing.assert_array_equal([getattr(step, field) for step in trace], recorded[key], err_msg=field)
    np.testing.assert_allclose([100 * step.value for step in trace], recorded["accepted_accuracy_f64"], rtol=1e-6)


def test_start_end_and_choice_are_the_recorded_ones(recorded):
    found = found_with(recorded)
    assert (found.start, found.correct) == (recorded["start_correct"], recorded["final_correct"])
    assert 100 * found.value == pytest.approx(float(recorded["final_accuracy_f64"]))
    np.testing.assert_array_equal(found.choice, recorded["final_choice"])


def test_the_protocol_as_published_chooses_the_recorded_sentences(recorded):
    """From the recorded first sentences and view weights as if they were those that come with the release."""
    offsets, classes = recorded["candidate_offsets"], len(recorded["init_text"])
    rows = np.concatenate([np.arange(classes), np.repeat(np.arange(classes), np.diff(offsets))])
    names = tuple(f"class {row}" for row in range(classes))
    text = np.concatenate([recorded["init_text"], recorded["candidates"]])
    prompts = Prompts(
        rows,
        tuple(names[row] for row in rows),
        ("v2_searched_rn50",) * classes + ("v2_corpus",) * len(recorded["candidates"]),
        ("",) * len(rows),
        text / np.linalg.norm(text, axis=1, keepdims=True),
        view_weights={"v2_searched_rn50": recorded["view_weights"].tolist()},
    )
    features = Features(recorded["image_features"], recorded["labels"], names, 100.0)
    config = load_params(Path(__file__).parents[2]).search
    protocol = PROTOCOLS["as_published_after"]
    found = protocol.run({"test": features}, protocol.pool(prompts, names, config, "rn50"), config)
    choice = recorded["final_choice"]
    chosen = [classes + offsets[c] + choice[c] if choice[c] >= 0 else c for c in range(classes)]
    assert found["prompts"] == [[row] for row in chosen]
    assert [step[3] for step in found["trace"]] == recorded["accepted_correct"].tolist()
    counts = (recorded["start_correct"], recorded["final_correct"])
    assert (found["searched"]["start"], found["searched"]["correct"]) == counts


def test_scores_that_are_not_kept_change_nothing(recorded):
    np.testing.assert_array_equal(found_with(recorded, memory=0).counts, recorded["all_correct"])
