"""PointCLIP V2 for objects of one's own: numpy in, plain records out, no params.yaml and no working directory.

    from stages import PointClip

    model = PointClip("bundled")
    model.classify(["chair.obj", "scan.ply"], ["chair", "floor lamp", "cactus"], up="z")

N objects, V views, D width of a feature, R pixels a side of a depth map, P points, K labels or parts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

import numpy as np

from stages.config.params import load_params
from stages.core.errors import InputError
from stages.core.root import default_root
from stages.own.inputs import Cloud, Given, read_cloud, read_scan, several, source_of
from stages.own.results import Axis, Boxes, Classification, Encoded, PartLabels, ReadError, Up, UpGuess
from stages.own.upright import AXES, agreement, around

# What is slow to import (torch, numba, the readers of formats) is imported where it is used: a call that is wrong, and
# `pointclip --help`, do without.

if TYPE_CHECKING:  # these modules are brought when they are used
    from stages.own.index import Each, Indexed
    from stages.own.search import Searchable

OnError = Callable[[str, InputError], None]
OWN_PARTS = {"bundled": "bundled_parts"}  # backbones whose patches mean nothing, and those that tell parts for them
MOST_POINTS = 1_000_000
SCAN_POINTS = 50_000  # of a scan, drawn at random, as VoteNet prepares ScanNet
CHUNK = 32  # objects read, rendered and encoded at a time, which bounds the memory


class PointClip:
    """A backbone with everything that it takes to name objects, loaded at first use; features are of unit norm.

    `backbone` is an entry of the bundled params.yaml: bundled, vit_b16, ... Of a mesh `points` are sampled, a cloud is
    thinned to so many; with `strict` an input of which something is dropped or guessed is refused. Wherever `on_error`
    is taken, it is called with the source of an input that cannot be read and the reason, and the others are done;
    without it the first one raises ReadError, an InputError. `up` is the axis that points up in the inputs, or "auto",
    which guesses it of each.
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
        self._text: dict[tuple, np.ndarray] = {}

    @property
    def weights(self) -> str:
        """Which weights answer, in words."""
        return f"{self.backbone} ({self._entry.architecture}, {self._entry.pretrained})"

    @property
    def parts_weights(self) -> str:
        """Which weights tell parts, in words."""
        return self._part_teller.weights

    @property
    def logit_scale(self) -> float:
        """What a cosine is multiplied by before the softmax, as the backbone was trained."""
        return self._clip.logit_scale

    @property
    def view_names(self) -> tuple[str, ...]:
        """Names of the V views, in order."""
        return self._projection.view_names

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
        names = distinct(labels, kind="labels")
        if top < 1:
            raise InputError(f"top {top}: expected 1 or more")
        return [
            found
            for seen in self._seen(self._read(objects, on_error), up)
            for found in self._ranked(seen, names, top=top)
        ]

    def parts(self, one: Given, parts: Sequence[str], *, category: str | None = None, up: Up = "y") -> PartLabels:
        """The part of every point of one object, by the sentence "a {part} of a {category}" (PointCLIP V2, 3.3)."""
        names = distinct(parts, kind="parts")
        [cloud] = self._read([one], None)
        axis = self._axis(cloud, up)
        return self._part_teller._parts_of(cloud, names, category=category or "", up=axis)

    def boxes(self, scan: Given, labels: Sequence[str], *, up: Axis = "z") -> Boxes:
        """Boxes of `labels` in one scan in metres, a cloud or a mesh: clusters of what is neither floor nor wall."""
        names = distinct(labels, kind="labels")
        if up not in AXES:
            raise InputError(f"up {up!r}: expected one of {', '.join(AXES)}")
        cloud = self._read_one(scan, 0, read=read_scan, points=SCAN_POINTS)

        from stages.own.boxes import find_boxes

        return find_boxes(cloud, names, up=up, model=self._clip, params=self._params, root=self._root)

    def encode(
        self,
        objects: Given | Iterable[Given],
        *,
        up: Up = "y",
        keep_depth: bool = False,
        on_error: OnError | None = None,
    ) -> Encoded:
        """Image features f4 [N, V, D] of objects, a feature a view; with `keep_depth` the maps f4 [N, V, R, R] too."""
        features = [np.empty((0, len(self.view_names), 0), np.float32)]
        clouds, axes, depth = [], [], []
        for seen in self._seen(self._read(objects, on_error), up):
            clouds += seen.clouds
            axes += seen.axes
            features = [*(features if features[0].size else []), seen.features]
            depth += [seen.depth] if keep_depth else []
        return Encoded(
            sources=tuple(cloud.source for cloud in clouds),
            features=np.concatenate(features),
            points=np.array([cloud.read.vertices for cloud in clouds], np.int64),
            up=tuple(axes),
            read=tuple(cloud.read for cloud in clouds),
            depth=np.concatenate(depth) if depth else None,
        )

    def encode_text(self, sentences: Sequence[str]) -> np.ndarray:
        """Text features f4 [T, D] of whole sentences, as they are."""
        return self._clip.encode_text(list(sentences), batch_size=self._params.embed.batch_size)

    def encode_images(self, paths: str | Path | Iterable[str | Path]) -> np.ndarray:
        """Image features f4 [N, D] of photos: the middle square of each, its pixels normalised as in training.

        A backbone with a configuration of its own (.json) takes pixels as its entry says. InputError for no picture.
        """
        from stages.own.photos import read_photo

        files = [paths] if isinstance(paths, str | Path) else list(paths)
        photos = [read_photo(Path(path), side=self._clip.resolution) for path in files]
        normalisation = self._entry.normalise if self._entry.architecture.endswith(".json") else "clip"
        batch_size = self._params.extract.batch_size
        return self._clip.encode_photos(np.stack(photos), batch_size=batch_size, normalisation=normalisation)

    def label_features(self, labels: Sequence[str]) -> np.ndarray:
        """Text features f4 [K, D] of labels: the mean over the sentences that the templates make of each."""
        from stages.own.sentences import label_sentences

        return self._averages(label_sentences(labels, templates=self._templates, root=self._root), words=labels)

    def depth_maps(self, one: Given, *, up: Up = "y") -> np.ndarray:
        """The depth maps f4 [V, R, R] in 0..1 of one object that the backbone sees, in the order of `view_names`."""
        [cloud] = self._read([one], None)
        return self._render([cloud], self._axis(cloud, up))[0]

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
        """The axis that points up in every object, with the agreement of its views under each: see `upright`."""
        return [
            UpGuess(cloud.source, axis, dict(zip(AXES, map(float, scores), strict=True)))
            for seen in self._seen(self._read(objects, on_error), "auto")
            for cloud, axis, scores in zip(seen.clouds, seen.axes, seen.agreement.T, strict=True)
        ]

    def index(
        self,
        folder: str | Path,
        out: str | Path,
        *,
        up: Up = "y",
        anew: bool = False,
        each: "Each" = lambda entry, status: None,
    ) -> "Indexed":
        """Write a library of all objects below `folder` to the Parquet file `out`, and say what became of them.

        What `out` already holds of unchanged files is kept, unless `anew`; a stopped run is continued. `each` is called
        with every file's entry as it is there and what became of it: "encoded", "unchanged" or "rejected".
        """
        from stages.own.index import index

        return index(self, Path(folder), Path(out), up=up, anew=anew, each=each)

    def open_library(self, path: str | Path) -> "Searchable":
        """The library at `path` in memory, for searches: `.search("a chair with arms")`, `like=`, `image=`."""
        from stages.own.search import Searchable

        return Searchable(self, Path(path))

    @cached_property
    def _clip(self):
        from stages.backbones.device import choose_device
        from stages.backbones.loading import load_backbone

        return load_backbone(self.backbone, self._entry, device=choose_device(self._device), root=self._root)

    @cached_property
    def _part_teller(self) -> "PointClip":
        name = OWN_PARTS.get(self.backbone)
        return PointClip(name, device=self._device, root=self._root) if name else self

    @cached_property
    def _projection(self):
        from stages.projection.settings import resolve

        return resolve(self._params.render)

    def _read(self, objects: Given | Iterable[Given], on_error: OnError | None) -> Iterator[Cloud]:
        for number, given in enumerate(several(objects)):
            try:
                cloud = self._read_one(given, number, read=read_cloud, points=self.points)
            except ReadError as error:
                if on_error is None:
                    raise
                on_error(source_of(given, number), error)
            else:
                yield cloud

    def _read_one(self, given: Given, number: int, *, read: Callable[..., Cloud], points: int) -> Cloud:
        source = source_of(given, number)
        try:
            cloud = read(given, source=source, points=points)
        except InputError as error:
            raise ReadError(str(error)) from error
        if self.strict and cloud.read.notes:
            raise ReadError(f"{source}: {cloud.read.notes[0]} (strict)")
        return cloud

    def _seen(self, clouds: Iterator[Cloud], up: Up) -> Iterator["_Seen"]:
        """CHUNK clouds at a time as the backbone sees them, set upright."""
        if up not in get_args(Up):
            raise InputError(f"up {up!r}: expected one of {', '.join(get_args(Up))}")
        while chunk := list(islice(clouds, CHUNK)):
            yield self._seen_upright(chunk) if up == "auto" else self._seen_under(chunk, up)

    def _seen_under(self, clouds: list[Cloud], axis: Axis) -> "_Seen":
        depth = self._render(clouds, axis)
        features = self._clip.encode_depth(depth, batch_size=self._params.extract.batch_size)
        return _Seen(clouds, [axis] * len(clouds), features, depth)

    def _seen_upright(self, clouds: list[Cloud]) -> "_Seen":
        """Every cloud under the axis where its views agree most; a tie goes to the first of AXES."""
        by_axis = [self._seen_under(clouds, axis) for axis in AXES]
        views = around(self.view_names)
        scores = np.stack([agreement(seen.features[:, views]) for seen in by_axis])
        best, rows = scores.argmax(axis=0), np.arange(len(clouds))
        features, depth = (
            np.stack(arrays)[best, rows]
            for arrays in zip(*((seen.features, seen.depth) for seen in by_axis), strict=True)
        )
        return _Seen(clouds, [AXES[axis] for axis in best], features, depth, scores)

    def _axis(self, cloud: Cloud, up: Up) -> Axis:
        if up in AXES:
            return up
        [seen] = self._seen(iter([cloud]), up)
        return seen.axes[0]

    def _render(self, clouds: list[Cloud], axis: Axis) -> np.ndarray:
        from stages.projection.clouds import orient
        from stages.projection.rendering import render

        return render([orient(cloud.points, axis) for cloud in clouds], self._projection)

    def _ranked(self, seen: "_Seen", names: tuple[str, ...], *, top: int) -> Iterator[Classification]:
        from stages.zeroshot.classifier import class_logits, rank_classes

        weights = np.full(seen.features.shape[1], 1 / seen.features.shape[1])
        logits = class_logits(
            seen.features, self.label_features(names), view_weights=weights, logit_scale=self.logit_scale
        )
        for cloud, axis, ranked, shares in zip(seen.clouds, seen.axes, *rank_classes(logits, top=top), strict=True):
            yield Classification(cloud.source, tuple(names[label] for label in ranked), shares, axis, cloud.read)

    def _parts_of(self, cloud: Cloud, names: tuple[str, ...], *, category: str, up: Axis) -> PartLabels:
        from stages.own.parts import label_points, part_sentences

        sentences = part_sentences(names, category=category, neutral=self._params.segment.neutral)
        text = self._averages(sentences, words=(*names, category))
        labels = label_points(cloud, text, parts=names, up=up, model=self._clip, params=self._params)
        return PartLabels(cloud.source, names, labels, cloud.points, up, cloud.read)

    def _averages(self, sentences: dict[str, list[str]], *, words: Sequence[str]) -> np.ndarray:
        """One feature a name f4 [K, D], encoded once; words that the backbone has never seen are told on stderr."""
        from stages.own.sentences import average_features

        key = tuple(map(tuple, sentences.values()))
        if key not in self._text:
            batch_size = self._params.embed.batch_size
            self._text[key] = average_features(self._clip, sentences, words=words, batch_size=batch_size)
        return self._text[key]


class _Seen(NamedTuple):
    """n clouds as the backbone sees them: the axis taken as up, features f4 [n, V, D] and depth maps f4 [n, V, R, R].

    `agreement` f4 [3, n] is that of the views under each of AXES where the axis was guessed.
    """

    clouds: list[Cloud]
    axes: list[Axis]
    features: np.ndarray
    depth: np.ndarray
    agreement: np.ndarray | None = None


def distinct(names: Sequence[str], *, kind: str) -> tuple[str, ...]:
    """The names without spaces around them, each once; InputError for fewer than two."""
    if isinstance(names, str):
        raise InputError(f"{kind} {names!r}: expected a list of names")
    found = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
    if len(found) < 2:
        raise InputError(f"{kind}: {len(found)} different names, expected at least two")
    return found
