"""Section `run` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.config.section import Count, Name, section


@section
class Run:
    """How the stages that work shard by shard run; of these `shard_samples` alone changes files, and none a number.

    `threads` are those of a worker where there are several, and of each on a cluster; a stage that works in its own
    process has all. `gpus` are those of all workers together.
    """

    shard_samples: Count
    engine: Literal["local", "ray"]
    workers: Annotated[int, Field(ge=1, le=4096)]
    threads: Annotated[int, Field(ge=1, le=1024)]
    gpus: Annotated[int, Field(ge=0, le=4096)]
    address: Name | None
