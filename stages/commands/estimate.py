"""What a selection will take: bytes of every artifact from counts, seconds from rates measured on the machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import open_clip

from stages.artifacts.files import read_text
from stages.artifacts.paths import Paths
from stages.backbones.loading import architecture_name
from stages.commands.rates import Rates
from stages.config.dataset import Dataset
from stages.config.params import Params, load_params
from stages.config.train import Train
from stages.core.root import default_root
from stages.datasets import scanobjectnn, shapenetpart
from stages.fewshot.methods import method_named
from stages.fewshot.recipes import as_published
from stages.fewshot.runs import run_specs
from stages.fewshot.specs import RunSpec
from stages.fewshot.training import RECORDED_EPOCHS
from stages.language.llm.sets import parse_prompt_sets
from stages.language.prompts.templates import parse_templates
from stages.language.prompts.waffle import WAFFLE
from stages.projection.presets import preset_named
from stages.projection.settings import resolve

GIGA = 1e9
MAP_BYTES = 2640  # of a depth map on disk, measured on home_objects with the published projection
MANY, CORPUS = 1200, 1000  # sentences a class of a set with `many`, and of PointCLIP V2's corpora
EVALUATED = "test"


class Row(NamedTuple):
    """One stage: how often it does what, the bytes it leaves, and its seconds by device, empty where not measured."""

    stage: str
    work: str
    bytes: float
    seconds: dict[str, float]


def selection_runs(root: Path, overrides: dict[str, object]) -> list[Params]:
    """The published selection and, after it, every value of its sweeps."""
    chosen = load_params(root, overrides=overrides)
    values = [
        {sweep.param: value} | sweep.fixed
        for sweep in map(chosen.sweep_entry, chosen.reproduce.sweeps)
        for value in sweep.values
    ]
    return [chosen, *(load_params(root, overrides=overrides | dict(value)) for value in values)]


def estimate(runs: Sequence[Params], rates: Sequence[Rates], *, root: Path) -> list[Row]:
    """The rows of the whole selection; what an earlier run of `runs` has in common with a later one counts once."""
    chosen = runs[0]
    rendered = _once((dataset, run.render) for run in runs for dataset in run.select.classification)
    encoded = _once(
        (dataset, backbone, run.render)
        for run in runs
        for dataset in run.select.classification
        for backbone in run.select.backbones
    )
    searched = [
        (dataset, backbone, run)
        for run in runs
        for dataset in run.select.classification
        for backbone in run.select.backbones
    ]
    return [
        Row("download", _listed(chosen.select.datasets), _points_bytes(chosen), {}),
        _render_row(chosen, rendered, rates),
        _extract_row(chosen, encoded, rates),
        _embed_row(chosen, rates, root),
        Row("search", f"{len(searched)} runs", 0, {r.device: _search_seconds(searched, r, root) for r in rates}),
        *([_train_row(chosen, rates)] if chosen.select.fewshot else ()),
        *([_patches_row(chosen, rates)] if chosen.select.segmentation else ()),
    ]


def total(rows: Sequence[Row]) -> Row:
    """The sum of all rows."""
    devices = dict.fromkeys(device for row in rows for device in row.seconds)
    seconds = {device: sum(row.seconds.get(device, 0.0) for row in rows) for device in devices}
    return Row("all", "", sum(row.bytes for row in rows), seconds)


def samples(entry: Dataset, *splits: str) -> int:
    """Published number of samples of the splits, or of all; 0 where none is published."""
    counts = entry.splits or {}
    return sum(count for split, count in counts.items() if not splits or split in splits)


def _render_row(chosen: Params, rendered: list[tuple], rates: Sequence[Rates]) -> Row:
    maps = sum(samples(chosen.dataset_entry(dataset)) * resolve(config).views for dataset, config in rendered)
    return Row("render", f"{maps:,} maps", maps * MAP_BYTES, {rate.device: maps * rate.render for rate in rates})


def _extract_row(chosen: Params, encoded: list[tuple], rates: Sequence[Rates]) -> Row:
    maps = {backbone: 0 for _, backbone, _ in encoded}
    for dataset, backbone, config in encoded:
        maps[backbone] += samples(chosen.dataset_entry(dataset)) * resolve(config).views
    size = sum(count * 4 * _width(chosen, backbone) for backbone, count in maps.items())
    seconds = {rate.device: sum(count * rate.encode[name] for name, count in maps.items()) for rate in rates}
    return Row("extract", f"{sum(maps.values()):,} maps", size, seconds)


def _embed_row(chosen: Params, rates: Sequence[Rates], root: Path) -> Row:
    select = chosen.select
    count = sum(
        _classes(chosen.dataset_entry(name)) * _sentences(chosen, chosen.embed.sets, root)
        for name in select.classification
    )
    size = sum(count * 4 * _width(chosen, name) for name in select.backbones)
    seconds = {rate.device: sum(count * rate.text[name] for name in select.backbones) for rate in rates}
    return Row("embed", f"{count * len(select.backbones):,} sentences", size, seconds)


def _search_seconds(searched: list[tuple], rate: Rates, root: Path) -> float:
    seconds, seen = 0.0, set()
    for dataset, backbone, run in searched:
        key = dataset, backbone, run.render, run.search
        if key not in seen:
            seen.add(key)
            entry = run.dataset_entry(dataset)
            tried = _classes(entry) * _sentences(run, run.search.candidates, root)
            seconds += rate.search * tried * samples(entry)
    return seconds


def _train_row(chosen: Params, rates: Sequence[Rates]) -> Row:
    """Clouds that methods which learn from clouds push through the image tower; others take minutes, uncounted."""
    learned, scored = dict.fromkeys(chosen.select.backbones, 0), dict.fromkeys(chosen.select.backbones, 0)
    for dataset in chosen.select.fewshot:
        entry = chosen.dataset_entry(dataset)
        for backbone in learned:
            for spec in run_specs(chosen.train, dataset=dataset, backbone=backbone):
                steps, tests = _clouds_of(spec, chosen.train, entry)
                learned[backbone] += steps
                scored[backbone] += tests
    views = resolve(chosen.render).views
    maps = views * (sum(learned.values()) + sum(scored.values()))
    seconds = {
        rate.device: sum(
            count * rate.cloud_step[name] + scored[name] * views * (rate.render + rate.encode[name])
            for name, count in learned.items()
            if count
        )
        for rate in rates
    }
    return Row("train", f"{maps:,} maps at most", _models_bytes(chosen), seconds)


def _clouds_of(spec: RunSpec, train: Train, entry: Dataset) -> tuple[int, int]:
    """Clouds that a run learns from and that it only encodes, over all epochs; none where it learns from features.

    Ours is validated on as many as it learns from, and on the test split where its epochs are recorded; as published
    on the test split after every epoch.
    """
    method = method_named(spec.method)
    if method.learns_from != "clouds":
        return 0, 0
    epochs = method.recipe(as_published(train) if spec.published else train).epochs
    shown, test = min(spec.shots * _classes(entry), samples(entry, "train")), samples(entry, EVALUATED)
    if spec.published:
        return epochs * shown, (epochs + 3) * test  # epoch 0, and the chosen epoch's predictions and features
    tested = min(epochs, RECORDED_EPOCHS) * test if train.best_on_test else 0
    return epochs * shown, (epochs + 2) * shown + tested + 3 * test


def _models_bytes(chosen: Params) -> float:
    """The weights of the few-shot models, and the features that those with an adapter or smoothing give, in float32."""
    views, numbers = resolve(chosen.render).views, 0
    for dataset in chosen.select.fewshot:
        entry = chosen.dataset_entry(dataset)
        test, classes = samples(entry, EVALUATED), _classes(entry)
        for backbone in chosen.select.backbones:
            width = _width(chosen, backbone)
            for spec in run_specs(chosen.train, dataset=dataset, backbone=backbone):
                shown = min(spec.shots * classes, samples(entry, "train"))
                if spec.method.startswith("tip_adapter"):
                    numbers += shown * views * width  # its keys
                elif spec.method == "linear_probe":
                    numbers += classes * views * width
                else:
                    numbers += (test + (0 if spec.published else shown)) * width
                    numbers += (2 * views + 1) * width**2 if spec.method.endswith("adapter") else 0
    return 4.0 * numbers


def _patches_row(chosen: Params, rates: Sequence[Rates]) -> Row:
    config, views = chosen.patches, preset_named(chosen.patches.preset, key="patches.preset").views
    shapes = size = 0
    for entry in map(chosen.dataset_entry, chosen.select.segmentation):
        others = samples(entry) - samples(entry, EVALUATED)
        splits = len([split for split in entry.splits or () if split != EVALUATED])
        kept = samples(entry, EVALUATED) + min(others, splits * _classes(entry) * config.search_shapes)
        shapes += kept * len(chosen.select.segmentation_backbones)
        for name in chosen.select.segmentation_backbones:
            cells = _grid(chosen, name) ** 2
            size += kept * views * (cells * _width(chosen, name) * 2 + 6 * (entry.points or 2048))
    seconds = {
        rate.device: shapes / max(1, len(rate.patches)) * sum(rate.patches.values()) for rate in rates if rate.patches
    }
    return Row("patches", f"{shapes:,} shapes", size, seconds)


def _points_bytes(chosen: Params) -> float:
    entries = map(chosen.dataset_entry, chosen.select.datasets)
    return float(sum(samples(entry) * (entry.points or 2048) * 12 for entry in entries))


def _classes(entry: Dataset) -> int:
    """Number of classes of a published dataset."""
    if entry.classes is not None:
        return len(entry.classes)
    if entry.reader == "scanobjectnn":
        return len(scanobjectnn.CLASSES)
    return len(shapenetpart.CLASSES) if entry.reader.startswith("shapenetpart") else 40


def _sentences(run: Params, names: Sequence[str], root: Path) -> int:
    """Sentences a class of the named sets, as many as are asked for."""
    paths = Paths(root)
    asked = parse_prompt_sets(read_text(paths.prompt_sets), source=str(paths.prompt_sets))
    count = 0
    for name in names:
        if name in asked:
            count += MANY if asked[name].many else len(asked[name].families)
        elif name == WAFFLE:
            count += run.embed.waffle_count
        elif paths.templates(name).is_file():
            count += len(parse_templates(read_text(paths.templates(name)), source=name))
        else:
            count += CORPUS if name == "v2_corpus" else 1
    return count


def _config(chosen: Params, backbone: str) -> dict:
    return open_clip.get_model_config(architecture_name(backbone, chosen.backbone_entry(backbone), root=default_root()))


def _width(chosen: Params, backbone: str) -> int:
    return _config(chosen, backbone)["embed_dim"]


def _grid(chosen: Params, backbone: str) -> int:
    """Patches a side of the features of `patches`."""
    vision = _config(chosen, backbone)["vision_cfg"]
    return (chosen.patches.resolution or vision["image_size"]) // (vision.get("patch_size") or 32)


def _once(items) -> list[tuple]:
    return list(dict.fromkeys(items))


def _listed(names: Sequence[str]) -> str:
    return f"{len(names)} datasets"


def lines(rows: Sequence[Row]) -> list[str]:
    """The rows and their sum as a table."""
    everything = [*rows, total(rows)]
    devices = everything[-1].seconds
    header = f"{'stage':10}{'work':>26}{'disk':>11}" + "".join(f"{'on ' + device:>14}" for device in devices)
    shown = [
        f"{row.stage:10}{row.work:>26}{row.bytes / GIGA:>8.2f} GB"
        + "".join(f"{_duration(row.seconds.get(device)):>14}" for device in devices)
        for row in everything
    ]
    return [
        header,
        *shown,
        "(times from rates measured just now; evaluate, segment and methods on stored features: no more)",
    ]


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, name in ((365 * 86400, "years"), (86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"
