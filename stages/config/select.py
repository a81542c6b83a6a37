"""Section `select` of params.yaml."""

from typing import Annotated

from stages.config.section import Id, Some, Unique, section
from stages.core.errors import InconsistentError, shown

Ids = Annotated[tuple[Id, ...], Unique]
AMONG = {"classification": "datasets", "segmentation": "datasets", "detection": "datasets", "fewshot": "classification"}


@section
class Select:
    """The axes of the matrices in dvc.yaml: datasets that are read, those of each task among them, and backbones.

    `fewshot` names those of `classification` that few-shot methods are trained on too. Segmentation has backbones of
    its own: it needs features of patches that mean something by themselves.
    """

    datasets: Annotated[Ids, Some]
    classification: Ids
    fewshot: Ids
    segmentation: Ids
    detection: Ids
    backbones: Ids
    segmentation_backbones: Ids

    def __post_init__(self):
        wrong = [
            f"{task} {shown(name)}: not among {among}"
            for task, among in AMONG.items()
            for name in getattr(self, task)
            if name not in getattr(self, among)
        ]
        if wrong:
            raise InconsistentError(*wrong)
