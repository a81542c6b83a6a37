"""Section `pretrain` of params.yaml."""

from typing import Annotated

from pydantic import Field

from stages.config.section import Count, CountOrNone, NotNegative, Positive, Seed, Share, ShareBelowOne, section

Views = Annotated[int, Field(ge=1, le=10)]


@section
class Pretrain:
    """The bundled backbone's recipe; one step sees `batch_size` objects in `views_shown` views each."""

    seed: Seed
    steps: Count
    batch_size: Count
    views_shown: Views
    learning_rate: Positive
    weight_decay: NotNegative
    warmup_steps: CountOrNone
    real_share: Share
    part_share: Share
    validation_fraction: ShareBelowOne


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
