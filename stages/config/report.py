"""Section `report` of params.yaml."""

from stages.config.section import section


@section
class Report:
    """What the pictures show: the sample of the example, and how many objects the sheets of maps have."""

    example_sample: int
    sheet_objects: int
    projection_objects: int
