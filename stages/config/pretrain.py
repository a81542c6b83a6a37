"""Section `pretrain` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.config.section import Count, CountOrNone, Name, NotNegative, Positive, Seed, Share, section
from stages.core.errors import InconsistentError

Views = Annotated[int, Field(ge=1, le=10)]


@section
class Pretrain:
    """The bundled backbone's recipe; one step sees `batch_size` shapes in `views_shown` views each.

    Maps of `procedural_shapes` shapes, `part_shapes` parts alone and each object `object_copies` times are made before.
    """

    seed: Seed
    objects: Name
    procedural_shapes: Count
    part_shapes: Count
    object_copies: Count
    steps: Count
    batch_size: Count
    views_shown: Views
    object_share: Share
    part_share: Share
    other_concepts: Count
    sentence_share: Share
    filler_share: Share
    consistency: NotNegative
    learning_rate: Positive
    weight_decay: NotNegative
    warmup_steps: CountOrNone
    precision: Literal["fp32", "bf16"]
    checkpoint_steps: Count

    def __post_init__(self):
        if self.object_share + self.part_share > 1:
            raise InconsistentError(f"part_share {self.part_share:g}: with object_share more than 1")
        if self.warmup_steps > self.steps:
            raise InconsistentError(f"warmup_steps {self.warmup_steps}: more than steps {self.steps}")


@section
class PretrainParts:
    """The recipe of the bundled backbone for parts; a step sees `batch_size` shapes in `views_shown` views each."""

    seed: Seed
    steps: Count
    batch_size: Count
    views_shown: Views
    points: Count
    resolution: Count
    smooth_window: Count
    learning_rate: Positive
    weight_decay: NotNegative
