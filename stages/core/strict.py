"""A frozen dataclass that takes no unknown key and no wrong type, as params.yaml, metrics and published figures are."""

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as pydantic_dataclass

STRICT = ConfigDict(extra="forbid", strict=True)

strict_dataclass = pydantic_dataclass(frozen=True, kw_only=True, config=STRICT)
