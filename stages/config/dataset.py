"""Section `dataset` of params.yaml."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from stages.config.section import Count, Id, Name, Points, Seed, Some, Unique, section


@section
class RawFile:
    """A file that a dataset is made of: where it can be had, in that order, and what is published about it.

    A mirror is an http(s) address or `hf://datasets/<owner>/<repository>/<file>`; `checksum` is `sha256:` or `md5:` and
    the digits. An archive is unpacked beside itself.
    """

    file: Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
    mirrors: tuple[Annotated[str, Field(pattern=r"^(https?|hf)://")], ...] = ()
    bytes: Annotated[int, Field(ge=0)] | None = None
    checksum: Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64}|md5:[0-9a-f]{32})$")] | None = None


@section
class Corrupted:
    """Corrupted copies of `objects` of the test split (null: all), evenly spread, by each of the `severities`."""

    severities: Annotated[tuple[Annotated[int, Field(ge=1, le=5)], ...], Some, Unique]
    objects: Count | None = None
    seed: Seed = 0


@section
class Dataset:
    """Facts of one dataset: which reader understands it, where its files are, which axis points up.

    `path` is a local file or folder; null takes `files` from data/raw/<folder> (null: the dataset's id), where missing
    ones are downloaded, or awaited from the user while `signed_form` says that the makers ask for one. `points` are a
    cloud's, and how many are sampled on a mesh, by `seed`; the stage `download` keeps `num_points` of them (null: all)
    unless its own section says otherwise; `splits` are the published counts; `test_share` is what a folder without a
    test split gives to one; `display_names` stand in sentences for classes. With `corrupted`, splits with corrupted
    copies of the test split are made.
    """

    reader: Name
    path: Name | None = None
    folder: Id | None = None
    files: tuple[RawFile, ...] = ()
    signed_form: bool = False
    variant: str | None = None
    up_axis: Literal["x", "y", "z"]
    points: Points | None = None
    num_points: Points | None = None
    splits: dict[Name, Count] | None = None
    test_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    seed: Seed = 0
    classes: tuple[str, ...] | None = None
    display_names: dict[str, str] = field(default_factory=dict)
    corrupted: Corrupted | None = None
    licence: str
    url: str | None = None
