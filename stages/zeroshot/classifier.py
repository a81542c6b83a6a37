"""The zero-shot classifier: one averaged text feature a class, a view-weighted sum of logits."""

from collections.abc import Sequence

import numpy as np

from stages.artifacts.types import Prompts
from stages.core.errors import InputError


def class_features(prompts: Prompts, *, prompt_set: str, class_names: tuple[str, ...]) -> np.ndarray:
    """Text features f4 [C, D]: a class's prompts of `prompt_set` are averaged and normalised again.

    Raises InputError as `prompt_ids` does.
    """
    return average_prompts(prompts, prompt_ids(prompts, prompt_set=prompt_set, class_names=class_names))


def prompt_ids(prompts: Prompts, *, prompt_set: str, class_names: tuple[str, ...]) -> list[list[int]]:
    """Ids of each class's prompts [C][...] in `prompt_set`, in their order.

    InputError when a class has no prompt in the set, or the prompts were made for other classes.
    """
    rows = np.flatnonzero([name == prompt_set for name in prompts.sets])
    if not len(rows):
        known = ", ".join(sorted(set(prompts.sets)))
        raise InputError(f"prompt set '{prompt_set}': not in the prompts; they hold {known}")
    chosen = [[] for _ in class_names]
    for row in rows:
        index, name = prompts.classes[row], prompts.class_names[row]
        if index >= len(class_names) or class_names[index] != name:
            raise InputError(f"prompt set '{prompt_set}': class {index} is '{name}', which the features do not have")
        chosen[index].append(row)
    empty = [name for name, ids in zip(class_names, chosen, strict=True) if not ids]
    if empty:
        raise InputError(f"prompt set '{prompt_set}': no prompt for class '{empty[0]}'")
    return chosen


def average_prompts(prompts: Prompts, chosen: Sequence[Sequence[int]]) -> np.ndarray:
    """Text features f4 [C, D]: the mean of each class's prompts, by ids in `chosen` [C][...], normalised again."""
    means = np.stack([prompts.features[list(ids)].mean(axis=0) for ids in chosen])
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def class_logits(features: np.ndarray, text: np.ndarray, *, view_weights: np.ndarray, logit_scale: float) -> np.ndarray:
    """Logits f4 [N, C] of `features` [N, V, D] against `text` [C, D], summed over views with `view_weights` [V].

    The sum over views of weight * (feature . text) is (sum of weight * feature) . text, so one product is enough
    (PointCLIP V2, eq. 3; PointCLIP, eq. 4).
    """
    weighted = np.einsum("nvd,v->nd", features, np.asarray(view_weights, np.float32))
    return np.float32(logit_scale) * weighted @ text.T


def rank_classes(logits: np.ndarray, *, top: int) -> tuple[np.ndarray, np.ndarray]:
    """The best `top` classes i8 [N, top], best first (ties: lower index), and their softmax probabilities f4."""
    order = np.argsort(-logits, axis=1, kind="stable")[:, :top]
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    return order, np.take_along_axis(probabilities, order, axis=1)
