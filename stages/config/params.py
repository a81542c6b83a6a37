"""The whole of params.yaml, loaded strictly."""

import functools
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json, to_jsonable_python

from stages.config.backbone import Backbone
from stages.config.dataset import Dataset
from stages.config.detect import Detect
from stages.config.download import Download
from stages.config.embed import Embed
from stages.config.evaluate import Evaluate
from stages.config.extract import Extract
from stages.config.generate import Generate
from stages.config.patches import Patches
from stages.config.pretrain import Pretrain, PretrainParts
from stages.config.render import Render
from stages.config.report import Report
from stages.config.reproduce import Reproduce
from stages.config.search import Search
from stages.config.section import section
from stages.config.segment import Segment
from stages.config.select import Select
from stages.config.sweep import Sweep
from stages.config.train import Train
from stages.core.errors import InputError, first_problem, one_line


@section
class Params:
    """The whole of params.yaml."""

    select: Select
    dataset: dict[str, Dataset]
    backbone: dict[str, Backbone]
    download: Download
    render: Render
    generate: Generate
    extract: Extract
    embed: Embed
    search: Search
    train: Train
    evaluate: Evaluate
    detect: Detect
    patches: Patches
    segment: Segment
    report: Report
    sweep: dict[str, Sweep]
    reproduce: Reproduce
    pretrain: Pretrain
    pretrain_parts: PretrainParts

    def dataset_entry(self, name: str) -> Dataset:
        """The facts of dataset `name`; InputError when params.yaml has no such entry."""
        return _entry(self.dataset, name, "dataset")

    def backbone_entry(self, name: str) -> Backbone:
        """The facts of backbone `name`; InputError when params.yaml has no such entry."""
        return _entry(self.backbone, name, "backbone")

    def sweep_entry(self, name: str) -> Sweep:
        """The experiment set `name`; InputError when params.yaml has no such entry."""
        return _entry(self.sweep, name, "sweep")


def as_yaml(params: Params) -> str:
    """The parameters as YAML, in the order of their sections."""
    return yaml.safe_dump(to_jsonable_python(params), sort_keys=False, allow_unicode=True)


def load_params(root: Path = Path(), *, overrides: Mapping[str, object] | None = None) -> Params:
    """Read `root`/params.yaml strictly, with `overrides` (full key -> value) set; InputError names the first wrong key.

    `1e-3` without a dot is text in YAML and a float to DVC, so it is refused like any other text in a number's place.
    """
    path = root / "params.yaml"
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run from the repository's root") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML: {one_line(error)}") from error
    for key, value in (overrides or {}).items():
        set_key(document, key, value, source=str(path))
    try:
        # through JSON, because pydantic's strict mode then takes a list for a tuple and still no text for a number
        return TypeAdapter(Params).validate_json(to_json(document))
    except ValidationError as error:
        raise InputError(f"{path}: {first_problem(error)}") from error


def set_key(document: dict, key: str, value: object, *, source: str) -> None:
    """Set the full `key` of a loaded params.yaml; InputError that names `source` where it has no such section."""
    *sections, last = key.split(".")
    inner = functools.reduce(
        lambda outer, name: outer.get(name) if isinstance(outer, dict) else None, sections, document
    )
    if not isinstance(inner, dict):
        raise InputError(f"{source}: {key}: no such section, which an override would set a key of")
    inner[last] = value


def _entry(entries: dict, name: str, kind: str):
    if name not in entries:
        raise InputError(f"params.yaml: {kind}.{name}: no such entry; known are {', '.join(sorted(entries))}")
    return entries[name]
