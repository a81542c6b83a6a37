"""Prompts and view weights searched in turn: each search works with what the other one found."""

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from stages.config.search import Objective, ViewSearch
from stages.core.errors import InputError
from stages.prompt_search.greedy import PromptSearchResult, search_prompts
from stages.prompt_search.task import SearchSettings, SearchTask
from stages.prompt_search.view_weights import coordinate_view_weights, grid_view_weights

VIEW_SEARCHES = {  # and the objectives that each can follow
    "none": get_args(Objective),
    "grid": ("accuracy",),
    "coordinate": ("accuracy", "mean_class_accuracy"),
}


@dataclass(frozen=True)
class AlternatingResult:
    """What the searches end with together.

    choice i8 [C]: candidate within its class, -1 the initial sentence; text f4 [C, D] of unit norm; view weights
    f4 [V]; `start` and `correct` samples right before and after; one prompt search for each round that was run.
    """

    choice: np.ndarray
    text: np.ndarray
    view_weights: np.ndarray
    start: int
    correct: int
    rounds: tuple[PromptSearchResult, ...]


def search_alternating(
    task: SearchTask, settings: SearchSettings, *, view_search: ViewSearch = "none", rounds: int = 1
) -> AlternatingResult:
    """Prompt search, then view weights by `view_search`, up to `rounds` times.

    Other view weights are taken only where they are strictly better than the present ones, so no round lowers the
    objective; rounds end early when the weights stay, since the sentences then stay too. InputError when the view
    search cannot follow the objective, or there is no round.
    """
    if settings.objective not in VIEW_SEARCHES.get(view_search, ()):
        able = "; ".join(f"{name} with {', '.join(objectives)}" for name, objectives in VIEW_SEARCHES.items())
        raise InputError(f"view search '{view_search}' with objective '{settings.objective}', expected {able}")
    if rounds < 1:
        raise InputError(f"search rounds: {rounds}, expected at least 1")
    choice, results = np.full(task.candidates.classes, -1), []
    for _ in range(rounds):
        result = search_prompts(task, settings)
        results.append(result)
        choice = np.where(result.choice < 0, choice, result.choice)
        better, correct = _better_weights(task, result, settings, view_search)
        if better is None:
            break
        task = replace(task, initial=result.text, view_weights=better)
    return AlternatingResult(choice, result.text, task.view_weights, results[0].start, correct, tuple(results))


def _better_weights(
    task: SearchTask, result: PromptSearchResult, settings: SearchSettings, view_search: ViewSearch
) -> tuple[np.ndarray | None, int]:
    """View weights that beat the task's with the sentences found, or None, and the samples right."""
    split, weights, text = (task.features, task.labels), task.view_weights, result.text
    if view_search == "grid":
        grid = grid_view_weights(*split, text=text, fallback=weights)
        return (grid.weights, grid.correct) if grid.correct > result.correct else (None, result.correct)
    if view_search == "coordinate":
        moved = coordinate_view_weights(*split, text=text, start=weights, objective=settings.objective)
        if not np.array_equal(moved.weights, weights):
            return moved.weights, moved.correct
    return None, result.correct
