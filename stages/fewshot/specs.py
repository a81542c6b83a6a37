"""What names a few-shot run, and what it starts from; importing it loads no torch."""

from typing import NamedTuple

from stages.artifacts.figures import LabelsRead

AS_PUBLISHED_BEFORE = "{}_as_published_before"  # before the search that follows on the adapted features


class RunSpec(NamedTuple):
    """One run: a method, how many shots, the seed of its split and its training, and whether it is as published."""

    method: str
    shots: int
    seed: int
    published: bool = False

    @property
    def name(self) -> str:
        """What its predictions and figures stand under."""
        return AS_PUBLISHED_BEFORE.format(self.method) if self.published else self.method

    def __str__(self) -> str:
        return f"{self.name}-{self.shots}-{self.seed}"


class Start(NamedTuple):
    """Prompt ids of each class [C][...], view weights [V], and whose labels were read to choose them."""

    prompts: list[list[int]]
    view_weights: list[float]
    labels_read: LabelsRead


class Starts(NamedTuple):
    """What our runs start from, and those as published; None where no such text is there."""

    ours: Start
    as_published: Start | None
