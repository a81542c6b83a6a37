"""Section `report` of params.yaml."""

from dataclasses import field
from typing import Annotated

from pydantic import Field

from stages.config.section import CountOrNone, Id, section

Shown = Annotated[int, Field(ge=1, le=1000)]


@section
class Report:
    """What the pictures show: the sample of the example, and how many objects the sheets of maps have.

    `not_run` says of datasets and backbones why their published figures have no run.
    """

    example_sample: CountOrNone
    sheet_objects: Shown
    projection_objects: Shown
    not_run: dict[Id, str] = field(default_factory=dict)
