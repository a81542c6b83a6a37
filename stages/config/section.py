"""What every section of params.yaml is: a frozen dataclass that takes no unknown key and no wrong type."""

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as pydantic_dataclass

section = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))


PER_AXIS = tuple[int, int, int]
