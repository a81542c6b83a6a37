"""The text that few-shot training starts from: a prompt set, or what a search protocol chose.

C classes, V views, N samples.
"""

from collections.abc import Mapping

import numpy as np
import torch

from stages.artifacts.types import Features, Prompts
from stages.config.train import Train
from stages.core.errors import InputError
from stages.fewshot.classifiers import ZeroShot
from stages.fewshot.specs import Start, Starts
from stages.zeroshot.classifier import average_prompts, prompt_ids


def choose_starts(prompts: Prompts, searched: Mapping[str, dict], features: Features, settings: Train) -> Starts:
    """The starts that `settings` names, `searched` being what each search protocol chose.

    InputError where ours is not there or has read test labels.
    """
    ours = _start(prompts, searched, features, settings.text)
    if ours is None or ours.labels_read == "test":
        expected = "a prompt set of embed.sets, or a search protocol that reads no test labels"
        raise InputError(f"params.yaml: train.text '{settings.text}': expected {expected}")
    return Starts(ours, _start(prompts, searched, features, settings.as_published.text))


def _start(prompts: Prompts, searched: Mapping[str, dict], features: Features, name: str) -> Start | None:
    if name in prompts.sets:
        ids, views = prompt_ids(prompts, prompt_set=name, class_names=features.classes), features.values.shape[1]
        return Start([list(map(int, of_class)) for of_class in ids], [1 / views] * views, "none")
    return Start(*(searched[name][key] for key in Start._fields)) if name in searched else None


def zero_shot_of(start: Start, prompts: Prompts, features: Features, device: torch.device) -> ZeroShot:
    """The classifier of a start's prompts and view weights."""
    text, weights = average_prompts(prompts, start.prompts), np.array(start.view_weights, np.float32)
    return ZeroShot(torch.from_numpy(text).to(device), torch.from_numpy(weights).to(device), features.logit_scale)
