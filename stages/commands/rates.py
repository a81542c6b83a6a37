"""How fast this machine is: seconds a depth map, a sentence, a shape and a training step, each measured in seconds.

The backbones have random weights, so that nothing is fetched: how long arithmetic takes depends on no value.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from stages.artifacts.depth import new_depth
from stages.artifacts.types import Features, Prompts
from stages.backbones.clip import ClipModel
from stages.backbones.loading import random_backbone
from stages.config.params import Params
from stages.fewshot.classifiers import CloudClassifier
from stages.fewshot.methods import learning_from_clouds
from stages.fewshot.runs import run_specs
from stages.projection.device import projection_device
from stages.projection.presets import preset_named
from stages.projection.rendering import render
from stages.projection.settings import resolve
from stages.projection.visibility import render_with_visibility
from stages.prompt_search.protocols import PROTOCOLS, PromptPool

CLOUDS, CLASSES = 64, 10
USUAL_POINTS = 2048  # of a dataset whose entry tells none
LONG_ENOUGH = 0.1  # seconds that are measured, at the least one run


class Rates(NamedTuple):
    """Seconds on one device: a map rendered and stored, encoded, a sentence, a shape of `patches`, a training cloud.

    `search` is a sentence that all search protocols try on a sample. Those of a backbone are by its name.
    """

    device: str
    render: float
    search: float
    encode: dict[str, float]
    text: dict[str, float]
    patches: dict[str, float]
    cloud_step: dict[str, float]


def measure(params: Params, device: torch.device, *, root: Path) -> Rates:
    """The rates of everything that `params` selects."""
    select, on_cpu = params.select, device.type == "cpu"
    clouds = _clouds(params, select.classification)
    projection = resolve(params.render)
    maps = render(clouds[:1], projection)[0, :1].repeat(2 if on_cpu else 512, axis=0)[None]
    sentences = [f"a depth map of a thing number {number}" for number in range(8 if on_cpu else 512)]
    taught = _taught(params)
    encode, text, patches, cloud_step = {}, {}, {}, {}
    smoothing = _smoothing_step(clouds, params, device) if taught else 0.0
    for name in dict.fromkeys((*select.backbones, *select.segmentation_backbones)):
        model = random_backbone(name, params.backbone_entry(name), device=device, root=root)
        text[name] = _seconds(partial(model.encode_text, sentences, batch_size=params.embed.batch_size)) / len(
            sentences
        )
        if name in select.backbones:
            batch_size = params.extract.batch_size
            encode[name] = _seconds(partial(model.encode_depth, maps, batch_size=batch_size)) / maps.shape[1]
        if name in select.segmentation_backbones and select.segmentation:
            patches[name] = _patches(_clouds(params, select.segmentation)[:4], maps, model, params)
        if name in taught:
            cloud_step[name] = smoothing + projection.views * _map_step(maps[0, :32], model)
    return Rates(
        device=device.type,
        render=_seconds(partial(_render, clouds, params, device)) / (len(clouds) * projection.views),
        search=_search_rate(params),
        encode=encode,
        text=text,
        patches=patches,
        cloud_step=cloud_step,
    )


def points_of(params: Params, dataset: str) -> int:
    """Points that `download` keeps of a cloud of a published dataset."""
    entry = params.dataset_entry(dataset)
    return params.download.num_points or entry.num_points or entry.points or USUAL_POINTS


def _clouds(params: Params, datasets: Sequence[str]) -> np.ndarray:
    """Random clouds f4 [N, P, 3] of as many points as the largest of the datasets has."""
    points = max((points_of(params, name) for name in datasets), default=USUAL_POINTS)
    return np.random.default_rng(0).normal(size=(CLOUDS, points, 3)).astype("f4")


def _render(clouds: np.ndarray, params: Params, device: torch.device) -> None:
    """What stage render does with clouds: project, pack and store them; on the device where the method can."""
    projection = resolve(params.render)
    name = "cpu" if device.type == "cpu" else params.render.device
    where = projection_device(name, method=projection.method, key="render.device")
    attributes = {"views": projection.view_names, "polarity": projection.polarity, "dtype": params.render.dtype}
    with (
        tempfile.TemporaryDirectory() as folder,
        new_depth(Path(folder) / "depth.h5", classes=(), **attributes) as writer,
    ):
        maps = render(clouds, projection, device=where, in_bytes=params.render.dtype == "u1")
        writer.append("test", writer.packed(maps), np.zeros(len(maps), np.int64))


def _taught(params: Params) -> list[str]:
    """Backbones with which a method learns from clouds."""
    return [
        backbone
        for backbone in params.select.backbones
        for dataset in params.select.fewshot
        if learning_from_clouds(spec.method for spec in run_specs(params.train, dataset=dataset, backbone=backbone))
    ]


def _seconds(work: Callable[[], object]) -> float:
    """Mean seconds of `work`; where it takes long its first run counts, else what compiles and allocates does not."""
    begun = time.perf_counter()
    work()
    _finish()
    first = time.perf_counter() - begun
    if first > LONG_ENOUGH and not torch.cuda.is_available():
        return first
    begun, runs = time.perf_counter(), 0
    while not runs or time.perf_counter() - begun < LONG_ENOUGH:
        work()
        _finish()
        runs += 1
    return (time.perf_counter() - begun) / runs


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _patches(clouds: np.ndarray, maps: np.ndarray, model: ClipModel, params: Params) -> float:
    """Seconds of a shape: its views rendered with visibility and encoded."""
    config, projection = params.patches, preset_named(params.patches.preset, key="patches.preset")
    shown = maps[:, :32]
    rendered = _seconds(partial(render_with_visibility, clouds, projection)) / len(clouds)
    sizes = {"batch_size": config.batch_size, "resolution": config.resolution}
    encoded = _seconds(partial(model.encode_patches, shown, **sizes)) / shown.shape[1]
    return rendered + projection.views * encoded


def _smoothing_step(clouds: np.ndarray, params: Params, device: torch.device) -> float:
    """Seconds of a cloud forward and backward through learnable smoothing, without an image tower."""
    projection, channels = resolve(params.render), params.train.smooth_channels
    classifier = CloudClassifier(torch.nn.Flatten(), projection, lambda maps: maps.flatten(1), channels=channels)
    given = torch.from_numpy(clouds[:1]).to(device)
    classifier.to(device)
    return _seconds(lambda: classifier(given).sum().backward())


def _map_step(maps: np.ndarray, model: ClipModel) -> float:
    """Seconds of a depth map forward and backward through the image tower."""
    given = torch.from_numpy(maps).to(model.device).requires_grad_()
    return _seconds(lambda: model.encode_maps(given).sum().backward()) / len(maps)


def _search_rate(params: Params) -> float:
    """Seconds that all protocols take for a candidate sentence and a sample, by random features."""
    rng, samples, tried, width = np.random.default_rng(0), 400, 20, 512
    views, names = resolve(params.render).views, tuple(f"c{number}" for number in range(CLASSES))

    def unit(*shape: int) -> np.ndarray:
        drawn = rng.normal(size=shape).astype("f4")
        return drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)

    sets = [params.search.start, *islice(cycle(params.search.candidates), tried)]
    classes = np.tile(np.arange(CLASSES), len(sets))
    prompts = Prompts(
        classes=classes,
        class_names=tuple(names[c] for c in classes),
        sets=tuple(np.repeat(sets, CLASSES).tolist()),
        texts=tuple(map(str, range(len(classes)))),
        features=unit(len(classes), width),
    )
    features = Features(unit(samples, views, width), np.arange(samples) % CLASSES, names, 100.0)
    splits = {"train": features, "test": features}
    pool = PromptPool.from_prompts(prompts, names, params.search)
    seconds = _seconds(lambda: [protocol.run(splits, pool, params.search) for protocol in PROTOCOLS.values()])
    return seconds / (tried * CLASSES * 2 * samples)
