"""PointCLIP V2 as a DVC pipeline: one module per stage, one package per part of the method.

`from stages import PointClip` is the way in for Python code that has objects of its own.
"""

import os

# The model hub's library would ask it for a list, once a day, to describe the calling program in its own header.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

__all__ = ["PointClip"]


def __getattr__(name: str):
    """`PointClip`, brought at its first use, so that a stage which imports this package pays nothing for it."""
    if name == "PointClip":
        from stages.own.pointclip import PointClip

        return PointClip
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
