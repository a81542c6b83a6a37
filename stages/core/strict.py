"""A frozen dataclass that takes no unknown key and no wrong type: sections of params.yaml, metrics, published figures."""

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as pydantic_dataclass

strict_dataclass = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
