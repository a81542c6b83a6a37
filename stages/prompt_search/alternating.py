"""Prompts and view weights by turns: each search runs on what the other one found."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stages.core.errors import InputError
from stages.prompt_search.candidates import Candidates
from stages.prompt_search.greedy import MEMORY, Objective, PromptChoice, search_prompts
from stages.prompt_search.view_weights import coordinate_view_weights, grid_view_weights

ViewSearch = Literal["none", "grid", "coordinate"]
VIEW_SEARCHES = {
    "none": ("accuracy", "mean_class_accuracy", "negative_log_likelihood"),
    "grid": ("accuracy",),
    "coordinate": ("accuracy", "mean_class_accuracy"),
}  # and the objectives that each can follow


@dataclass(frozen=True)
class Choice:
    """What the searches end with together.

    choice i8 [C]: candidate within its class, -1 the initial sentence; text f4 [C, D] of unit norm; view weights
    f4 [V]; `start` and `correct` samples right before and after; one prompt search a round that was run.
    """

    choice: np.ndarray
    text: np.ndarray
    view_weights: np.ndarray
    start: int
    correct: int
    rounds: tuple[PromptChoice, ...]


def search(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    candidates: Candidates,
    initial: np.ndarray,
    view_weights: np.ndarray,
    view_search: ViewSearch = "none",
    rounds: int = 1,
    sweeps: int = 2,
    objective: Objective = "accuracy",
    logit_scale: float = 100.0,
    memory: int = MEMORY,
) -> Choice:
    """Prompt search, then view weights by `view_search`, up to `rounds` times, on features [N, V, D] and labels [N].

    Other view weights are taken only where they are strictly better than those in hand, so no round lowers the
    objective; rounds end early when the weights stay, since the sentences then stay too. The arguments are those of
    `search_prompts`; InputError also when the view search cannot follow the objective.
    """
    if objective not in VIEW_SEARCHES.get(view_search, ()):
        able = "; ".join(f"{name} with {', '.join(objectives)}" for name, objectives in VIEW_SEARCHES.items())
        raise InputError(f"view search '{view_search}' with objective '{objective}', expected {able}")
    choice, text = np.full(len(initial), -1), initial
    weights, done = np.asarray(view_weights, np.float32), []
    for _ in range(rounds):
        found = search_prompts(
            features,
            labels,
            candidates=candidates,
            initial=text,
            view_weights=weights,
            sweeps=sweeps,
            objective=objective,
            logit_scale=logit_scale,
            memory=memory,
        )
        done.append(found)
        choice, text = np.where(found.choice < 0, choice, found.choice), found.text
        better, correct = _better_weights(features, labels, found, weights, view_search, objective)
        if better is None:
            break
        weights = better
    if not done:
        raise InputError("search rounds: 0, expected at least 1")
    return Choice(choice, text, weights, done[0].start, correct, tuple(done))


def _better_weights(
    features: np.ndarray,
    labels: np.ndarray,
    found: PromptChoice,
    weights: np.ndarray,
    view_search: ViewSearch,
    objective: Objective,
) -> tuple[np.ndarray | None, int]:
    """View weights that beat `weights` with the sentences found, or None, and the samples right."""
    if view_search == "grid":
        grid = grid_view_weights(features, labels, text=found.text, fallback=weights)
        return (grid.weights, grid.correct) if grid.correct > found.correct else (None, found.correct)
    if view_search == "coordinate":
        moved = coordinate_view_weights(features, labels, text=found.text, start=weights, objective=objective)
        if not np.array_equal(moved.weights, weights):
            return moved.weights, moved.correct
    return None, found.correct
