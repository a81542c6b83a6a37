"""PointCLIP V2 for objects of one's own: numpy in, plain records out, no params.yaml and no working directory.

    from stages import PointClip

    model = PointClip("bundled")
    model.classify(["chair.obj", "scan.ply"], ["chair", "floor lamp", "cactus"], up="z")

N objects, V views, D width of a feature, R pixels a side of a depth map, P points, K labels or parts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import get_args

import numpy as np

from stages.config.params import load_params
from stages.core.errors import InputError
from stages.core.root import default_root
from stages.own.inputs import Cloud, Given, read_cloud, several, source_of
from stages.own.results import Axis, Boxes, Classification, Encoded, PartLabels, Up, UpGuess
from stages.own.upright import AXES, agreement, best_axes

OnError = Callable[[str, InputError], None]
OWN_PARTS = {"bundled": "bundled_parts"}  # backbones whose patches mean nothing, and those that tell parts for them
MOST_POINTS = 1_000_000
CHUNK = 32  # objects rendered and encoded at a time, which bounds the memory


class PointClip:
    """A backbone with everything that it takes to name objects, read at first use; features are of unit norm.

    `backbone` is an entry of the bundled params.yaml: bundled, vit_b16, ... Of a mesh `points` are sampled, a cloud is
    thinned to so many; with `strict` an input of which something is dropped or guessed is refused. Wherever `on_error` is taken, it is called with an input that cannot be read and the reason, and
    the other inputs are done; without it the first one raises InputError.
    """

    def __init__(
        self,
        backbone: str = "bundled",
        *,
        device: str = "auto",
        templates: str = "simple",
        points: int = 2048,
        strict: bool = False,
        root: Path | None = None,
    ):
        if not 2 <= points <= MOST_POINTS:
            raise InputError(f"points {points}: expected 2 to {MOST_POINTS}")
        self.backbone, self.points, self.strict = backbone, points, strict
        self._root = root or default_root()
        self._params = load_params(self._root)
        self._entry = self._params.backbone_entry(backbone)
        self._device, self._templates = device, templates
        self._label_features: dict[tuple, np.ndarray] = {}

    @property
    def weights(self) -> str:
        """Which weights answer, in words."""
        return f"{self.backbone} ({self._entry.architecture}, {self._entry.pretrained})"

    @property
    def parts_weights(self) -> str:
        """The same of `parts`."""
        return self._part_teller.weights

    @property
    def logit_scale(self) -> float:
        """What a cosine is multiplied by before the softmax, as the backbone was trained."""
        return self._clip.logit_scale

    def classify(
        self,
        objects: Given | Iterable[Given],
        labels: Sequence[str],
        *,
        top: int = 5,
        up: Up = "y",
        on_error: OnError | None = None,
    ) -> list[Classification]:
        """The best `top` of `labels` for every object, with equal view weights (PointCLIP V2, eq. 3).

        Probabilities are a softmax over all labels of cosine times `logit_scale`. InputError for fewer than two labels.
        """
        from stages.zeroshot.classifier import class_logits, rank_classes

        names = distinct(labels, kind="labels")
        found = []
        for clouds, ups, features, _ in self._chunks(self._read(objects, on_error), up):
            weights = np.full(features.shape[1], 1 / features.shape[1])
            logits = class_logits(
                features, self.label_features(names), view_weights=weights, logit_scale=self.logit_scale
            )
            for cloud, axis, ranked, scores in zip(clouds, ups, *rank_classes(logits, top=top), strict=True):
                best = tuple(names[label] for label in ranked)
                found.append(Classification(cloud.source, best, scores, axis, cloud.read))
        return found

    def parts(self, one: Given, parts: Sequence[str], *, category: str | None = None, up: Up = "y") -> PartLabels:
        """The part of every point of one object, by the sentence "a {part} of a {category}" (PointCLIP V2, 3.3)."""
        from stages.own.parts import label_parts

        names = distinct(parts, kind="parts")
        [cloud] = self._read([one], None)
        [axis] = self._ups([cloud], up)
        teller = self._part_teller
        labels = label_parts(cloud, names, category=category, up=axis, model=teller._clip, params=self._params)
        return PartLabels(cloud.source, names, labels, cloud.points, axis, cloud.read)

    def boxes(self, scan: Given, labels: Sequence[str], *, up: Axis = "z") -> Boxes:
        """Boxes of `labels` in one scan in metres, a cloud or a mesh: clusters of what is neither floor nor wall."""
        from stages.own.boxes import find_boxes

        names = distinct(labels, kind="labels")
        return find_boxes(scan, names, up=up, model=self._clip, params=self._params, root=self._root)

    def encode(
        self,
        objects: Given | Iterable[Given],
        *,
        up: Up = "y",
        keep_depth: bool = False,
        on_error: OnError | None = None,
    ) -> Encoded:
        """Image features f4 [N, V, D] of objects, a feature a view; with `keep_depth` the maps f4 [N, V, R, R] too."""
        clouds = self._read(objects, on_error)
        chunks = list(self._chunks(clouds, up, keep_depth=keep_depth))
        views = len(self._projection.view_names)
        return Encoded(
            sources=tuple(cloud.source for cloud in clouds),
            features=np.concatenate([chunk[2] for chunk in chunks]) if chunks else np.empty((0, views, 0), np.float32),
            points=np.array([cloud.read.vertices for cloud in clouds], np.int64),
            up=tuple(axis for chunk in chunks for axis in chunk[1]),
            read=tuple(cloud.read for cloud in clouds),
            depth=np.concatenate([chunk[3] for chunk in chunks]) if chunks and keep_depth else None,
        )

    def encode_text(self, sentences: Sequence[str]) -> np.ndarray:
        """Text features f4 [T, D] of whole sentences, as they are."""
        return self._clip.encode_text(list(sentences), batch_size=self._params.embed.batch_size)

    def label_features(self, labels: Sequence[str]) -> np.ndarray:
        """Text features f4 [K, D] of labels: the mean over the sentences that the templates make of each."""
        from stages.own.sentences import average_features, label_sentences

        key = tuple(labels)
        if key not in self._label_features:
            sentences = label_sentences(key, templates=self._templates, root=self._root)
            self._label_features[key] = average_features(
                self._clip, sentences, batch_size=self._params.embed.batch_size, backbone=self.backbone
            )
        return self._label_features[key]

    def encode_images(self, paths: str | Path | Iterable[str | Path]) -> np.ndarray:
        """Image features f4 [N, D] of photos: the middle square of each, its pixels normalised as in training.

        A backbone with a configuration of its own (.json) takes pixels as its entry says. InputError for no picture.
        """
        from stages.own.photos import read_photo

        files = [paths] if isinstance(paths, str | Path) else list(paths)
        photos = np.stack([read_photo(Path(path), side=self._clip.resolution) for path in files])
        normalisation = self._entry.normalise if self._entry.architecture.endswith(".json") else "clip"
        return self._clip.encode_photos(photos, batch_size=self._params.extract.batch_size, normalisation=normalisation)

    def depth_maps(self, one: Given, *, up: Up = "y") -> np.ndarray:
        """The depth maps f4 [V, R, R] in 0..1 of one object that the backbone sees, in the order of `view_names`."""
        clouds = self._read([one], None)
        return self._render(clouds, self._ups(clouds, up))[0]

    @property
    def view_names(self) -> tuple[str, ...]:
        """Names of the V views, in order."""
        return self._projection.view_names

    @property
    def view_directions(self) -> np.ndarray:
        """Where each view is seen from, f4 [V, 3]: unit vectors from an object with y up to the eye."""
        from stages.projection.views import VIEW_SETS

        return VIEW_SETS[self._projection.view_set].directions()

    def unknown_words(self, names: Sequence[str]) -> tuple[str, ...]:
        """Words of labels or parts that the backbone has learnt nothing about."""
        from stages.language.prompts.templates import display_name

        return self._clip.unknown_words(map(display_name, names))

    def guess_up(self, objects: Given | Iterable[Given], *, on_error: OnError | None = None) -> list[UpGuess]:
        """The axis that points up in every object, with the agreement of views under each: see `upright`."""
        clouds = self._read(objects, on_error)
        return [UpGuess(cloud.source, *guess) for cloud, guess in zip(clouds, self._guesses(clouds), strict=True)]

    @cached_property
    def _clip(self):
        from stages.backbones.device import choose_device
        from stages.backbones.loading import load_backbone  # here: it brings torch, which a wrong call does without

        return load_backbone(self.backbone, self._entry, device=choose_device(self._device), root=self._root)

    @cached_property
    def _part_teller(self) -> "PointClip":
        name = OWN_PARTS.get(self.backbone)
        return PointClip(name, device=self._device, points=self.points, root=self._root) if name else self

    @cached_property
    def _projection(self):
        from stages.projection.settings import resolve

        return resolve(self._params.render)

    def _read(self, objects: Given | Iterable[Given], on_error: OnError | None) -> list[Cloud]:
        clouds = []
        for number, given in enumerate(several(objects)):
            source = source_of(given, number)
            try:
                cloud = read_cloud(given, source=source, points=self.points)
                if self.strict and cloud.read.notes:
                    raise InputError(f"{source}: {cloud.read.notes[0]} (strict)")
                clouds.append(cloud)
            except InputError as error:
                if on_error is None:
                    raise
                on_error(source, error)
        return clouds

    def _chunks(
        self, clouds: list[Cloud], up: Up, *, keep_depth: bool = False
    ) -> Iterator[tuple[list[Cloud], list[Axis], np.ndarray, np.ndarray | None]]:
        """CHUNK clouds at a time with the axis that is up, features f4 [n, V, D] and the maps f4 [n, V, R, R]."""
        for start in range(0, len(clouds), CHUNK):
            chunk = clouds[start : start + CHUNK]
            ups = self._ups(chunk, up)
            depth = self._render(chunk, ups)
            features = self._clip.encode_depth(depth, batch_size=self._params.extract.batch_size)
            yield chunk, ups, features, depth if keep_depth else None

    def _ups(self, clouds: list[Cloud], up: Up) -> list[Axis]:
        if up not in get_args(Up):
            raise InputError(f"up {up!r}: expected one of {', '.join(get_args(Up))}")
        return [axis for axis, _ in self._guesses(clouds)] if up == "auto" else [up] * len(clouds)

    def _guesses(self, clouds: list[Cloud]) -> list[tuple[Axis, dict[Axis, float]]]:
        scores = [
            np.concatenate([agreement(features) for _, _, features, _ in self._chunks(clouds, axis)]) for axis in AXES
        ]
        return best_axes(np.stack(scores)) if clouds else []

    def _render(self, clouds: list[Cloud], ups: list[Axis]) -> np.ndarray:
        from stages.projection.clouds import orient
        from stages.projection.rendering import render

        turned = [orient(cloud.points, axis) for cloud, axis in zip(clouds, ups, strict=True)]
        return render(turned, self._projection)


def distinct(names: Sequence[str], *, kind: str) -> tuple[str, ...]:
    """The names without spaces around them, each once; InputError for fewer than two."""
    if isinstance(names, str):
        raise InputError(f"{kind} {names!r}: expected a list of names, not a text")
    found = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
    if len(found) < 2:
        raise InputError(f"{kind}: {len(found)} different names, expected at least two")
    return found
