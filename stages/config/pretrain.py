"""Section `pretrain` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.config.section import Count, CountOrNone, Name, NotNegative, Positive, Seed, Share, section

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
