"""An estimate of what a selection will fetch and cost, before anything is fetched."""

from collections.abc import Sequence
from typing import NamedTuple

from stages.config.dataset import Dataset
from stages.config.params import Params

MAP_BYTES = 2640  # of a depth map on disk, measured on home_objects with the published projection
FEATURE_BYTES = 4 * 640  # of a map's features; 640 is the mean width of the published backbones
GIGA = 1e9


class CostEstimate(NamedTuple):
    """A selection with its overrides set, views a cloud, and how often it is rendered and encoded (sweeps included).

    `cloud_methods` are its few-shot methods that learn from clouds: they render and encode again at every step.
    """

    params: Params
    views: int
    runs: int
    cloud_methods: Sequence[str]


def download_lines(estimate: CostEstimate) -> list[str]:
    """Per dataset and backbone: what is fetched from where, or where it is awaited, and under which terms."""
    select = estimate.params.select
    lines = ["Datasets"]
    for name in select.datasets:
        entry = estimate.params.dataset_entry(name)
        lines += [f"  {name}: {_source(entry)}", f"    terms: {entry.licence}{f' ({entry.url})' if entry.url else ''}"]
    generate = estimate.params.generate
    if any(name.startswith("v2_") for name in generate.sets):
        corpora = generate.corpora
        lines += ["Sentences", f"  PointCLIP V2's own: {corpora.folder or corpora.url.removesuffix('/{path}')}"]
    lines.append("Backbones")
    for name in select.backbones:
        entry = estimate.params.backbone_entry(name)
        size = (
            f", about {estimate.params.reproduce.weights_gb} GB" if "/" not in entry.pretrained else " (a local file)"
        )
        lines.append(f"  {name}: {entry.architecture}, weights '{entry.pretrained}'{size}")
    return lines


def estimate_lines(estimate: CostEstimate) -> list[str]:
    """Disk and time from the published numbers of samples; where none is published, that is said."""
    params, runs, maps = estimate.params, estimate.runs, 0
    lines = ["Estimates"]
    for name in params.select.classification:
        splits = params.dataset_entry(name).splits
        if splits is None:
            lines.append(f"  {name}: number of samples unknown, left out below")
        else:
            maps += sum(splits.values()) * estimate.views
    backbones = len(params.select.backbones)
    disk = maps * runs * (MAP_BYTES + backbones * FEATURE_BYTES) / GIGA
    rate = params.reproduce.maps_per_second
    hours = maps * runs * backbones / rate / 3600
    methods = ", ".join(estimate.cloud_methods)
    unknown = f"  not included: {methods}, which draws and encodes its shots anew in every epoch"
    return [
        *lines,
        f"  disk: {disk:.1f} GB of depth maps and features for {maps} maps, {runs} times (once and every sweep)",
        f"  time: {hours:.1f} h of encoding at {rate:g} maps a second (reproduce.maps_per_second)",
        *([unknown] if methods else ()),
    ]


def cost_lines(estimate: CostEstimate) -> list[str]:
    """What the language model may cost: nothing where answers only come from the record."""
    generate = estimate.params.generate
    if generate.base_url is None:
        return ["Language model", "  answers come from prompts/recorded alone: no cost"]
    names = ", ".join(estimate.params.select.datasets)
    return [
        "Language model",
        f"  {generate.model}: see `python -m stages.generate <dataset> --dry-run` for each of {names}",
    ]


def _source(entry: Dataset) -> str:
    if entry.path is not None:
        return f"your folder {entry.path}"
    size = sum(file.bytes or 0 for file in entry.files) / GIGA
    known = f"{size:.2f} GB" if size else "of unpublished length"
    names = ", ".join(file.file for file in entry.files)
    if entry.signed_form:
        return f"{names}, {known}: sign the makers' form and put it into data/raw"
    return f"{names}, {known}, from {entry.files[0].mirrors[0]}"
