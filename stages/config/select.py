"""Section `select` of params.yaml."""

from stages.config.section import section


@section
class Select:
    """The axes of the matrices in dvc.yaml: datasets that are read, those of each task among them, and backbones.

    `fewshot` names those of `classification` that few-shot methods are trained on too. Segmentation has backbones of
    its own: it needs features of patches that mean something by themselves.
    """

    datasets: tuple[str, ...]
    classification: tuple[str, ...]
    fewshot: tuple[str, ...]
    segmentation: tuple[str, ...]
    detection: tuple[str, ...]
    backbones: tuple[str, ...]
    segmentation_backbones: tuple[str, ...]

    def __post_init__(self):
        for task, among in (
            ("classification", "datasets"),
            ("segmentation", "datasets"),
            ("detection", "datasets"),
            ("fewshot", "classification"),
        ):
            for name in getattr(self, task):
                if name not in getattr(self, among):
                    raise ValueError(f"'{name}' of {task} is not among {among}")
