"""The zero-shot classifier: one averaged text feature a class, a view-weighted sum of logits."""

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from stages.artifacts.types import Prompts
from stages.core.blocks import in_blocks
from stages.core.errors import InputError
from stages.core.text import ensemble


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
    ids = [[] for _ in class_names]
    for row in rows:
        index, name = prompts.classes[row], prompts.class_names[row]
        if index >= len(class_names) or class_names[index] != name:
            raise InputError(f"prompt set '{prompt_set}': class {index} is '{name}', which the features do not have")
        ids[index].append(row)
    without_prompt = [name for name, of_class in zip(class_names, ids, strict=True) if not of_class]
    if without_prompt:
        raise InputError(f"prompt set '{prompt_set}': no prompt for class '{without_prompt[0]}'")
    return ids


def average_prompts(prompts: Prompts, ids: Sequence[Sequence[int]]) -> np.ndarray:
    """Text features f4 [C, D]: the mean of each class's prompts, by `ids` [C][...], normalised again."""
    return ensemble(prompts.features, ids)


def class_logits(features: np.ndarray, text: np.ndarray, *, view_weights: np.ndarray, logit_scale: float) -> np.ndarray:
    """Logits f4 [N, C] of `features` [N, V, D] against `text` [C, D], summed over views with `view_weights` [V].

    The sum over views of weight * (feature . text) is (sum of weight * feature) . text, so one product is enough
    (PointCLIP V2, eq. 3; PointCLIP, eq. 4).
    """
    weights = np.asarray(view_weights, np.float32)

    def logits(some: np.ndarray) -> np.ndarray:
        return np.float32(logit_scale) * np.einsum("nvd,v->nd", some, weights) @ text.T

    return in_blocks(logits, features)


def rank_classes(logits: np.ndarray, *, top: int) -> tuple[np.ndarray, np.ndarray]:
    """The best `top` classes i8 [N, top], best first (ties: lower index), and their softmax probabilities f4."""
    order = np.argsort(-logits, axis=1, kind="stable")[:, :top]
    return order, np.take_along_axis(softmax(logits, axis=1), order, axis=1)
