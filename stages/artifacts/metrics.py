"""reports/metrics/<dataset>/<backbone>.json, and .fewshot.json beside it: figures of one dataset with one backbone."""

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json, to_jsonable_python

from stages.artifacts.figures import ClassificationMetrics, DetectionMetrics, FewShotMetrics, SegmentationMetrics
from stages.artifacts.files import read_json, write_json
from stages.core.errors import InputError, first_problem

Metrics = TypeVar("Metrics", ClassificationMetrics, FewShotMetrics, SegmentationMetrics, DetectionMetrics)


def write_metrics(path: Path, metrics: Metrics) -> None:
    """Write `metrics` as JSON; not-a-number is refused."""
    write_json(path, to_jsonable_python(metrics, inf_nan_mode="constants"))


def read_metrics(path: Path, kind: type[Metrics]) -> Metrics:
    """Read what `write_metrics` wrote; InputError naming `path` and the first key that is not one of `kind`."""
    return parse_metrics(read_json(path), kind, source=str(path))


def parse_metrics(document: dict, kind: type[Metrics], *, source: str) -> Metrics:
    """The metrics in a JSON document that was read from `source`; errors as above."""
    try:
        # through JSON, because pydantic's strict mode then takes "16" for a number of shots and a list for a tuple
        return TypeAdapter(kind).validate_json(to_json(document))
    except ValidationError as error:
        raise InputError(f"{source}: {first_problem(error, document)}") from error
