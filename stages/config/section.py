"""What every section of params.yaml is: a frozen dataclass that takes no unknown key and no wrong type."""

from stages.core.strict import strict_dataclass

section = strict_dataclass


PER_AXIS = tuple[int, int, int]
