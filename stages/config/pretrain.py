"""Section `pretrain` of params.yaml."""

from stages.config.section import section


@section
class Pretrain:
    """The bundled backbone's recipe; one step sees `batch_size` objects in `views_shown` views each."""

    seed: int
    steps: int
    batch_size: int
    views_shown: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    real_share: float
    part_share: float
    validation_fraction: float


@section
class PretrainParts:
    """The recipe of the bundled backbone for parts; a step sees `batch_size` shapes in `views_shown` views each."""

    seed: int
    steps: int
    batch_size: int
    views_shown: int
    points: int
    resolution: int
    smooth_window: int
    learning_rate: float
    weight_decay: float
