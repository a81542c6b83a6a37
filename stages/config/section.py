"""What every section of params.yaml is made of: a strict frozen dataclass, and the kinds of values with their bounds.

Bounds are where a larger value would be refused by a library, or exhaust any machine; what only is unwise is allowed.
"""

import re
from collections.abc import Hashable
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from stages.core.strict import STRICT

# not a strict_dataclass: a setting is a finite number, while a figure that was measured may be none
section = dataclass(frozen=True, kw_only=True, config=ConfigDict(**STRICT, allow_inf_nan=False))

T = TypeVar("T", bound=Hashable)


def _without_repeats(values: tuple[T, ...]) -> tuple[T, ...]:
    repeated = next((value for value in values if values.count(value) > 1), None)
    if repeated is not None:
        raise PydanticCustomError("repeated", "expected each of them once, {value} is there again", {"value": repeated})
    return values


def text_like(pattern: str, expected: str) -> AfterValidator:
    """The check that a text matches `pattern` as a whole; `expected` says in words what does."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise PydanticCustomError("unlike", "expected {expected}", {"expected": expected})
        return text

    return AfterValidator(check)


# Ids of datasets, backbones and sweeps are part of paths and of the names of DVC's stages, sets are names of files.
Id = Annotated[str, text_like(r"[a-z0-9_]+", "small letters, digits and _")]
SetName = Annotated[str, text_like(r"[A-Za-z0-9_-]+", "letters, digits, _ and -")]
Key = Annotated[str, text_like(r"[a-z0-9_]+(\.[^.]+)+", "a full key, section.name")]
Name = Annotated[str, Field(min_length=1)]

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Points = Annotated[int, Field(ge=2, le=10_000_000)]  # of a cloud: one alone has no extent
CountOrNone = Annotated[int, Field(ge=0, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Positive = Annotated[float, Field(gt=0, le=1e6)]
NotNegative = Annotated[float, Field(ge=0, le=1e6)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
ShareBelowOne = Annotated[float, Field(ge=0, lt=1)]  # of something that must not be gone altogether
Voxels = Annotated[int, Field(ge=0, le=1024)]
Width = Annotated[int, Field(ge=0, le=99)]
PER_AXIS = tuple[Width, Width, Width]

Unique = AfterValidator(_without_repeats)
Some = Field(min_length=1)

Device = Literal["auto", "cpu", "cuda", "mps"]
