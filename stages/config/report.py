"""Section `report` of params.yaml."""

from typing import Annotated

from pydantic import Field

from stages.config.section import CountOrNone, section

Shown = Annotated[int, Field(ge=1, le=1000)]


@section
class Report:
    """What the pictures show: the sample of the example, and how many objects the sheets of maps have."""

    example_sample: CountOrNone
    sheet_objects: Shown
    projection_objects: Shown
