"""The whole of params.yaml, loaded strictly."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from pydantic_core import to_jsonable_python

from stages.config.backbone import Backbone
from stages.config.dataset import Dataset
from stages.config.detect import Detect
from stages.config.download import Download
from stages.config.embed import Embed
from stages.config.evaluate import Evaluate
from stages.config.evaluate_fewshot import EvaluateFewshot
from stages.config.extract import Extract
from stages.config.generate import Generate
from stages.config.patches import Patches
from stages.config.preset import Preset
from stages.config.pretrain import Pretrain, PretrainParts
from stages.config.render import Render
from stages.config.report import Report
from stages.config.reproduce import Reproduce
from stages.config.run import Run
from stages.config.search import Search
from stages.config.section import Id, section
from stages.config.segment import Segment
from stages.config.select import Select
from stages.config.sweep import Sweep
from stages.config.train import Train
from stages.core.errors import InconsistentError, InputError, one_line, shown
from stages.core.yaml import parse_yaml, validated


@section
class Params:
    """The whole of params.yaml."""

    select: Select
    run: Run
    dataset: dict[Id, Dataset]
    backbone: dict[Id, Backbone]
    download: Download
    render: Render
    generate: Generate
    extract: Extract
    embed: Embed
    search: Search
    train: Train
    evaluate: Evaluate
    evaluate_fewshot: EvaluateFewshot
    detect: Detect
    patches: Patches
    segment: Segment
    report: Report
    preset: dict[Id, Preset]
    sweep: dict[Id, Sweep]
    reproduce: Reproduce
    pretrain: Pretrain
    pretrain_parts: PretrainParts

    def __post_init__(self):
        if wrong := list(unknown_names(self)):
            raise InconsistentError(*wrong)

    def dataset_entry(self, name: str) -> Dataset:
        """The facts of dataset `name`; InputError when params.yaml has no such entry."""
        return _entry(self.dataset, name, "dataset")

    def backbone_entry(self, name: str) -> Backbone:
        """The facts of backbone `name`; InputError when params.yaml has no such entry."""
        return _entry(self.backbone, name, "backbone")

    def preset_entry(self, name: str) -> Preset:
        """The settings that go together as `name`; InputError when params.yaml has no such entry."""
        return _entry(self.preset, name, "preset")

    def sweep_entry(self, name: str) -> Sweep:
        """The experiment set `name`; InputError when params.yaml has no such entry."""
        return _entry(self.sweep, name, "sweep")


def unknown_names(params: Params) -> Iterator[str]:
    """A line for every name of an entry that there is not, beginning with its full key."""
    for place, axis, kind in (
        ("select", "datasets", "dataset"),
        ("select", "backbones", "backbone"),
        ("select", "segmentation_backbones", "backbone"),
        ("reproduce", "sweeps", "sweep"),
    ):
        entries = getattr(params, kind)
        for name in getattr(getattr(params, place), axis):
            if name not in entries:
                yield f"{place}.{axis} {shown(name)}: no such entry of {kind}; known are {', '.join(sorted(entries))}"
    for key in params.train.as_published.runs:
        for kind, name in zip(("dataset", "backbone"), key.split("/"), strict=False):
            if name not in getattr(params, kind):
                yield f"train.as_published.runs {shown(key)}: no such entry of {kind}: {shown(name)}"


def as_yaml(params: Params) -> str:
    """The parameters as YAML, in the order of their sections."""
    return yaml.safe_dump(to_jsonable_python(params), sort_keys=False, allow_unicode=True)


def load_params(root: Path = Path(), *, overrides: Mapping[str, object] | None = None) -> Params:
    """`root`/params.yaml, read strictly, with `overrides` (full key -> value) set.

    InputError names the first wrong key; `python -m stages.commands.check` tells all.
    """
    document = load_document(root)
    for key, value in (overrides or {}).items():
        set_key(document, key, value, source=str(root / "params.yaml"))
    return validated(document, Params, source=str(root / "params.yaml"))


def load_document(root: Path) -> dict:
    """`root`/params.yaml as plain data; InputError where it cannot be read or is no YAML of keys."""
    path = root / "params.yaml"
    try:
        document = parse_yaml(path.read_text(encoding="utf-8"), source=str(path))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run from the repository's root") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected UTF-8, got {one_line(error)}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or one_line(error)})") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected sections, got {shown(document)}")
    return document


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
