"""The shapes of one category with all that follows from their patches: values of points, logits, predicted parts.

N shapes, P points, V views, G x G patches of a view, D embedding, K parts, n points whose values are averaged.
"""

from dataclasses import dataclass

import numpy as np

from stages.artifacts.types import Clouds, PatchFeatures
from stages.core.errors import InputError
from stages.core.threads import map_in_threads
from stages.segmentation.back_projection import (
    back_project,
    back_project_views,
    grid_side,
    nearest_seen,
    neighbours,
    released_layout,
    smooth_patches,
)
from stages.segmentation.patch_config import PatchConfig


@dataclass(frozen=True)
class Shapes:
    """Shapes of one category under one PatchConfig.

    features f2 or f4 [N, V, G * G, D]; pixels [N, V, P, 2] (row, column) of a map of `map_size`; visible bool
    [N, V, P]; sources i8 [N, P, n] the points whose values a point takes the mean of; points f4 [N, P, 3]; truth
    i8 [N, P].
    """

    features: np.ndarray
    pixels: np.ndarray
    visible: np.ndarray
    sources: np.ndarray
    points: np.ndarray
    truth: np.ndarray
    parts: tuple[str, ...]
    map_size: int
    config: PatchConfig

    @classmethod
    def from_patches(
        cls, patches: PatchFeatures, clouds: Clouds, *, parts: tuple[str, ...], config: PatchConfig
    ) -> "Shapes":
        """The shapes of `patches` and their `clouds` [N, P, 3], labelled with `parts` of their category.

        In mode `correct` a point that no view sees takes the values of the nearest point that one sees; looked up as
        released it has zeros. InputError where patches, points and labels do not fit together.
        """
        check_parts(clouds, parts=parts, source="points")
        shapes, views, points = patches.visible.shape
        if clouds.points.shape[:2] != (shapes, points) or patches.pixels.shape[:3] != (shapes, views, points):
            found = f"{list(clouds.points.shape[:2])} points, pixels of {[shapes, points]}"
            raise InputError(f"patches: {found}: shapes and points of both must be as many")
        grid_side(patches.features.shape[2])
        correct = config.mode == "correct"
        visible = patches.visible if correct else patches.visible_released
        sources = map_in_threads(lambda n: _sources(clouds.points[n], visible[n], config), shapes)
        return cls(
            features=patches.features,
            pixels=patches.pixels if correct else patches.pixels[..., ::-1],
            visible=visible,
            sources=np.stack(sources),
            points=clouds.points,
            truth=clouds.parts,
            parts=parts,
            map_size=patches.map_size,
            config=config,
        )

    def __len__(self) -> int:
        return len(self.features)

    @property
    def views(self) -> int:
        """Number of views V."""
        return self.features.shape[1]

    @property
    def unseen(self) -> float:
        """Share of the points that no view sees."""
        return float((~self.visible.any(axis=1)).mean())

    def point_features(self, n: int, *, view_weights: np.ndarray) -> np.ndarray:
        """Features f4 [P, D] of the points of shape `n`: a sentence's logits are their products with it."""
        return self._to_points(n, self._patches(n), view_weights)

    def point_views(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Features f4 [V, P, D] of the points of shape `n` by view, and which of them it sees, bool [V, P]."""
        smoothed = smooth_patches(self._patches(n), window=self._window)
        where = {"pixels": self.pixels[n], "visible": self.visible[n], "map_size": self.map_size}
        return back_project_views(smoothed, **where), self.visible[n]

    def logits(self, text: np.ndarray, *, view_weights: np.ndarray) -> np.ndarray:
        """Cosines f4 [N, P, K] with `text` [K, D], summed over views with `view_weights` [V]."""
        found = map_in_threads(lambda n: self._to_points(n, self._patches(n) @ text.T, view_weights), len(self))
        return np.stack(found)

    def view_logits(self, text: np.ndarray) -> np.ndarray:
        """Cosines f4 [V, N, P, K] of every view by itself, 0 where it does not see the point."""

        def of_shape(n: int) -> np.ndarray:
            smoothed = smooth_patches(self._patches(n) @ text.T, window=self._window)
            where = {"pixels": self.pixels[n], "visible": self.visible[n], "map_size": self.map_size}
            by_view = back_project_views(smoothed, **where)
            return np.stack([self._mean_of_sources(n, values) for values in by_view])

        return np.stack(map_in_threads(of_shape, len(self)), axis=1)

    def predict(self, text: np.ndarray, *, view_weights: np.ndarray) -> np.ndarray:
        """Parts i8 [N, P]: the largest logit, a tie to the lowest part."""
        return self.logits(text, view_weights=view_weights).argmax(axis=-1)

    @property
    def _window(self) -> int:
        return self.config.window(grid_side(self.features.shape[2]))

    def _patches(self, n: int) -> np.ndarray:
        features = self.features[n].astype(np.float32)
        return released_layout(features) if self.config.mode == "as_released" else features

    def _to_points(self, n: int, values: np.ndarray, view_weights: np.ndarray) -> np.ndarray:
        projected = back_project(
            smooth_patches(values, window=self._window),
            pixels=self.pixels[n],
            visible=self.visible[n],
            view_weights=view_weights,
            map_size=self.map_size,
        )
        return self._mean_of_sources(n, projected)

    def _mean_of_sources(self, n: int, values: np.ndarray) -> np.ndarray:
        sources = self.sources[n]
        return values[sources[:, 0]] if sources.shape[1] == 1 else values[sources].mean(axis=1)


def check_parts(clouds: Clouds, *, parts: tuple[str, ...], source: str) -> None:
    """InputError that names `source` and the shape where clouds have no parts, or a label that is none of `parts`."""
    if clouds.parts is None or not parts:
        raise InputError(f"{source}: no parts, expected part labels and the names of the category's parts")
    outside = (clouds.parts < 0) | (clouds.parts >= len(parts))
    if outside.any():
        shape, point = np.argwhere(outside)[0]
        label = clouds.parts[shape, point]
        raise InputError(
            f"{source}: shape {shape} has part {label}, expected 0 to {len(parts) - 1} ({', '.join(parts)})"
        )


def _sources(points: np.ndarray, visible: np.ndarray, config: PatchConfig) -> np.ndarray:
    """Per point i8 [P, n] the points whose values it takes the mean of."""
    own = nearest_seen(points, visible) if config.mode == "correct" else np.arange(len(points))
    count = config.refine_neighbours
    return own[neighbours(points, count=count)] if count else own[:, None]
