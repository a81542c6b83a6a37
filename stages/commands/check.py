"""Every mistake in params.yaml at once, before anything runs: `python -m stages.commands.check`.

One line each: unknown keys, wrong types and values out of bounds; then names that no registry, prompt set or template
file has, files that are not there, and the same for the values of presets, sweeps and the published selection.
"""

import argparse
import copy
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from stages.artifacts.files import read_text
from stages.artifacts.paths import Paths
from stages.config.backbone import Backbone
from stages.config.params import Params, load_document, set_key, unknown_names
from stages.core.cli import run_command
from stages.core.errors import InputError, one_line, printable, shown
from stages.core.yaml import checked
from stages.datasets.registry import READERS
from stages.detection.proposals import PROPOSALS
from stages.fewshot.methods import method_named
from stages.language.llm.sets import parse_prompt_sets
from stages.language.prompts.parts import parse_part_templates
from stages.language.prompts.published import is_imported
from stages.language.prompts.templates import parse_templates
from stages.language.prompts.waffle import WAFFLE
from stages.projection.presets import preset_named
from stages.projection.settings import resolve
from stages.prompt_search import protocols as prompt_search
from stages.segmentation import protocols as segmentation
from stages.weights import require_watched

FILE = "params.yaml"
Check = Callable[["Sections", Path], Iterator[str]]  # yields a line, which begins with a key of params.yaml


class UnreadError(Exception):
    """A check reads a section that has mistakes of its own."""


class Sections:
    """The sections of params.yaml that are right by themselves, as attributes; UnreadError where one is not."""

    def __init__(self, document: dict):
        types = {name: field.type for name, field in Params.__dataclass_fields__.items()}
        self._values = {name: checked(document.get(name), kind)[0] for name, kind in types.items()}

    def __getattr__(self, name: str):
        if self._values[name] is None:
            raise UnreadError(name)
        return self._values[name]


def main(*, root: Path = Path()) -> None:
    """Print every mistake in params.yaml, one line each on stderr, and exit with 1 where there is one."""
    found = mistakes(load_document(root), root)
    for line in found:
        print(f"error: {root / FILE}: {line}", file=sys.stderr)
    if found:
        sys.exit(1)
    print(f"{root / FILE}: no mistakes")


def mistakes(document: dict, root: Path) -> list[str]:
    """A line for every mistake in a params.yaml's `document`, beginning with its key; files are those of `root`."""
    known = [*_wrong_in(document, NAMES, root), *_run(FILES, Sections(document), root)]
    keys = {_key_of(line) for line in known}
    return list(dict.fromkeys(map(printable, [*known, *_wrong_when_changed(document, root, known=keys)])))


def _wrong_in(document: dict, checks: tuple[Check, ...], root: Path) -> Iterator[str]:
    yield from checked(document, Params)[1]
    yield from _run(checks, Sections(document), root)


def _run(checks: tuple[Check, ...], sections: Sections, root: Path) -> Iterator[str]:
    for check in checks:
        with suppress(UnreadError):
            yield from check(sections, root)


def _wrong_when_changed(document: dict, root: Path, *, known: set[str]) -> Iterator[str]:
    """What is wrong with the values of presets, sweeps and the published selection, but keys `known` to be wrong."""
    sections = Sections(document)
    runs = []
    with suppress(UnreadError):
        runs += [(f"preset.{name}.sets", preset.sets) for name, preset in sections.preset.items()]
    with suppress(UnreadError):
        runs += [
            (f"sweep.{name}.values.{sweep.values.index(values[sweep.param])}", values | sweep.fixed)
            for name, sweep in sections.sweep.items()
            for values in sweep.experiments()
        ]
    with suppress(UnreadError):
        runs.append(("reproduce.overrides", sections.reproduce.overrides))
    told = set()
    for source, overrides in runs:
        for line in _wrong_with(overrides, document, root):
            once = source.rpartition(".")[0], line  # what is fixed in a sweep is wrong with each of its values
            if once not in told and not any(f"{_key_of(line)}.".startswith(f"{key}.") for key in known):
                told.add(once)
                yield f"{source}: {line}"


def _wrong_with(overrides: Mapping[str, object], document: dict, root: Path) -> Iterator[str]:
    """What is wrong in `document` with `overrides` set."""
    changed = copy.deepcopy(document)
    try:
        for key, value in overrides.items():
            set_key(changed, key, value, source=FILE)
    except InputError as error:
        yield str(error).removeprefix(f"{FILE}: ")
    else:
        yield from _wrong_in(changed, NAMES, root)


def _key_of(line: str) -> str:
    """The key that a line begins with."""
    return re.split("[: ]", line, maxsplit=1)[0]


def _entries(sections: Sections, root: Path) -> Iterator[str]:
    yield from unknown_names(sections)


def _readers(sections: Sections, root: Path) -> Iterator[str]:
    for name, entry in sections.dataset.items():
        key = f"dataset.{name}.reader {shown(entry.reader)}"
        if ":" in entry.reader:
            try:
                pkgutil.resolve_name(entry.reader)
            except (ImportError, AttributeError, ValueError) as error:
                yield f"{key}: not found ({one_line(error)})"
        elif entry.reader not in READERS:
            yield f"{key}: expected one of {', '.join(READERS)}, or package.module:function"


def _render(sections: Sections, root: Path) -> Iterator[str]:
    yield from _refusal(resolve, sections.render)


def _patch_projection(sections: Sections, root: Path) -> Iterator[str]:
    yield from _refusal(preset_named, sections.patches.preset, key="patches.preset")


def _box_projection(sections: Sections, root: Path) -> Iterator[str]:
    yield from _refusal(preset_named, sections.detect.preset, key="detect.preset")


def _view_weights(sections: Sections, root: Path) -> Iterator[str]:
    weights, render = sections.evaluate.view_weights, sections.render
    if weights is not None and not list(_refusal(resolve, render)) and len(weights) != (views := resolve(render).views):
        yield f"evaluate.view_weights: {len(weights)} weights, expected {views}, one a view"


def _methods(sections: Sections, root: Path) -> Iterator[str]:
    for key in sections.train.as_published.runs:
        place, _, name = key.rpartition("/")
        yield from _refusal(method_named, name, key=f"train.as_published.runs.{place}")
    for name in sections.train.methods:
        yield from (unknown := list(_refusal(method_named, name)))
        if not unknown and (recipe := method_named(name).recipe):
            yield from _refusal(recipe, sections.train)


def _proposals(sections: Sections, root: Path) -> Iterator[str]:
    for name in sections.detect.proposals:
        if name not in PROPOSALS:
            yield f"detect.proposals {shown(name)}: expected one of {', '.join(PROPOSALS)}"
        elif name == "detr3d" and sections.detect.weights is None:
            yield "detect.weights: null, expected the path of 3DETR's ScanNet weights for the proposals detr3d"


def _generated_sets(sections: Sections, root: Path) -> Iterator[str]:
    path, generate = Paths(root).prompt_sets, sections.generate
    try:
        sets = parse_prompt_sets(
            read_text(path, hint="expected the sets that a language model writes"), source=str(path)
        )
    except InputError as error:
        yield f"generate.sets: {error}"
        return
    for name in generate.sets:
        if name not in sets and not is_imported(name):
            yield f"generate.sets {shown(name)}: expected one of {', '.join(sets)}, or one of PointCLIP V2's own"
    if not generate.examples and any(name in sets and sets[name].pictures for name in generate.sets):
        yield "generate.examples: none, expected some for the sets that send pictures"
    for name in generate.examples:
        if not (picture := Paths(root).example_picture(name)).is_file():
            yield f"generate.examples {shown(name)}: {picture}: no such file"


def _class_sets(sections: Sections, root: Path) -> Iterator[str]:
    """`embed` encodes what a language model wrote, templates and random words; the others name what it encodes."""
    embedded, generated = sections.embed.sets, sections.generate.sets
    for name in embedded:
        if name != WAFFLE and name not in generated:
            yield from _template_mistakes("embed.sets", name, parse_templates, root)


def _searched_sets(sections: Sections, root: Path) -> Iterator[str]:
    search = sections.search
    yield from _not_embedded({"search.candidates": search.candidates, "search.start": (search.start,)}, sections)


def _averaged_sets(sections: Sections, root: Path) -> Iterator[str]:
    protocols = sections.evaluate.protocols
    yield from _not_embedded({f"evaluate.protocols.{name}": (chosen,) for name, chosen in protocols.items()}, sections)
    yield from _taken_names("evaluate", protocols, tuple(prompt_search.PROTOCOLS))


def _start_of_training(sections: Sections, root: Path) -> Iterator[str]:
    text, embedded = sections.train.text, sections.embed.sets
    searched = [name for name, protocol in prompt_search.PROTOCOLS.items() if protocol.labels_read != "test"]
    if text not in embedded and text not in searched:
        yield f"train.text {shown(text)}: expected one of embed.sets, {', '.join(embedded)}, or {' or '.join(searched)}"


def _part_sets(sections: Sections, root: Path) -> Iterator[str]:
    segment, generated = sections.segment, sections.generate.sets
    yield from _refusal(parse_part_templates, segment.neutral, source="segment.neutral")
    yield from _taken_names("segment", segment.protocols, (segmentation.NEUTRAL, *segmentation.PROTOCOLS))
    used = {f"segment.protocols.{name}": (chosen,) for name, chosen in segment.protocols.items()}
    for key, names in (used | {"segment.candidates": segment.candidates}).items():
        for name in names:
            if name not in generated:
                yield from _template_mistakes(key, name, parse_part_templates, root)


def _box_templates(sections: Sections, root: Path) -> Iterator[str]:
    yield from _template_mistakes("detect.templates", sections.detect.templates, parse_templates, root)


def _dataset_files(sections: Sections, root: Path) -> Iterator[str]:
    for name in sections.select.datasets:
        entry = sections.dataset.get(name)
        if entry and entry.path is not None and not (root / entry.path).exists():
            yield f"dataset.{name}.path: {entry.path}: no such file or folder, expected the dataset there"


def _proposal_weights(sections: Sections, root: Path) -> Iterator[str]:
    if (path := sections.detect.weights) is not None and not (root / path).is_file():
        yield f"detect.weights: {path}: no such file, expected 3DETR's ScanNet weights"


def _backbone_files(sections: Sections, root: Path) -> Iterator[str]:
    """Local files of the selected backbones must be there and be watched by DVC, other names be open_clip's."""
    for name in dict.fromkeys((*sections.select.backbones, *sections.select.segmentation_backbones)):
        if entry := sections.backbone.get(name):
            for key, value in (("architecture", entry.architecture), ("pretrained", entry.pretrained)):
                yield from _refusal(require_watched, root, value, key=f"backbone.{name}.{key}")
            yield from _unknown_weights(f"backbone.{name}", entry, root)


def _unknown_weights(key: str, entry: Backbone, root: Path) -> Iterator[str]:
    configured, trained = ((root / value).is_file() for value in (entry.architecture, entry.pretrained))
    if entry.architecture.endswith(".json"):
        if not configured:
            yield f"{key}.architecture: {entry.architecture}: no such file, expected an open_clip model configuration"
        if not trained:
            yield f"{key}.pretrained: {entry.pretrained}: no such file, expected a local checkpoint"
        return
    import open_clip  # here: it takes seconds, and local files alone do without it

    if entry.architecture not in open_clip.list_models():
        yield f"{key}.architecture {shown(entry.architecture)}: not an open_clip model name"
    elif not trained and not open_clip.get_pretrained_cfg(
        entry.architecture.removesuffix("-quickgelu"), entry.pretrained
    ):
        known = ", ".join(open_clip.list_pretrained_tags_by_model(entry.architecture))
        expected = f"a local checkpoint or one of open_clip's tags, {known}"
        yield f"{key}.pretrained {shown(entry.pretrained)}: expected {expected}"


def _not_embedded(used: Mapping[str, Iterable[str]], sections: Sections) -> Iterator[str]:
    embedded = sections.embed.sets
    for key, names in used.items():
        for name in names:
            if name not in embedded:
                yield f"{key} {shown(name)}: expected one of embed.sets, {', '.join(embedded)}"


def _taken_names(section: str, protocols: Iterable[str], taken: tuple[str, ...]) -> Iterator[str]:
    for name in protocols:
        if name in taken:
            yield f"{section}.protocols.{name}: expected another name than {', '.join(taken)}"


def _template_mistakes(key: str, name: str, parse: Callable, root: Path) -> Iterator[str]:
    """What is wrong with the set `name`, which no language model writes: it must be a file of templates."""
    path = Paths(root).templates(name)
    try:
        parse(read_text(path, hint="expected such a file of templates, or a set of generate.sets"), source=str(path))
    except InputError as error:
        yield f"{key} {shown(name)}: {error}"


def _refusal(call: Callable, *arguments, **options) -> Iterator[str]:
    """What `call` says against its arguments, if anything."""
    try:
        call(*arguments, **options)
    except InputError as error:
        yield str(error).removeprefix(f"{FILE}: ")


# Names and values that must fit together, whatever files there are: these hold for sweeps' values too.
NAMES: tuple[Check, ...] = (
    _entries,
    _readers,
    _render,
    _patch_projection,
    _box_projection,
    _view_weights,
    _methods,
    _proposals,
    _generated_sets,
    _class_sets,
    _searched_sets,
    _averaged_sets,
    _start_of_training,
    _part_sets,
    _box_templates,
)
# What must lie on this machine, of what is selected.
FILES: tuple[Check, ...] = (_dataset_files, _proposal_weights, _backbone_files)


if __name__ == "__main__":
    run_command(
        main, argparse.ArgumentParser(prog="python -m stages.commands.check", description=__doc__.splitlines()[0])
    )
