"""What the regions of a cloud are made of: part of the sections `segment` and `detect` of params.yaml."""

from typing import Annotated

from pydantic import Field

from stages.config.section import NotNegative, Positive, section


@section
class RegionCues:
    """Weights of the cues of k-means; a point's normal and descriptor are made from its `neighbours` nearest others."""

    neighbours: Annotated[int, Field(ge=2, le=10_000)]
    position: Positive
    normal: NotNegative
    fpfh: NotNegative
