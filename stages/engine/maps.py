"""The depth maps that are encoded: stored ones, or those of clouds, rendered on the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.artifacts.depth import DepthReader, open_depth
from stages.artifacts.points import PointsReader, open_points
from stages.backbones.clip import Maps
from stages.config.params import Params
from stages.projection.device import projection_device
from stages.projection.poses import posed
from stages.projection.rendering import render, render_on
from stages.projection.settings import resolve


class RenderedMaps:
    """Depth maps of clouds, rendered as they are asked for: read like the stored ones of a DepthReader."""

    def __init__(self, points: PointsReader, params: Params, source: Path):
        self._points, self._source, self._render = points, source, params.render
        self._projection = resolve(params.render)
        self._device = projection_device(params.render.device, method=self._projection.method, key="render.device")
        self.classes, self.counts, self.labels = points.classes, points.counts, points.labels
        self.views = self._projection.view_names

    def chunks(self, split: str, rows: slice, samples: int) -> Iterator[Maps]:
        """The depth maps f4 [n, V, R, R] of `rows`, `samples` at a time, on the device that rendered them."""
        for start in range(rows.start, rows.stop, samples):
            wanted = slice(start, min(start + samples, rows.stop))
            found = self._points.points(split, wanted)
            clouds = posed(found, self._points.up_axis, self._render, split=split, first_sample=start)
            where = {"source": f"{self._source}: {split}", "first_sample": start}
            if self._device is None:
                yield render(clouds, self._projection, **where)
            else:
                yield render_on(self._device, clouds, self._projection, **where)


@contextmanager
def maps_of(source: Path, params: Params) -> Iterator[DepthReader | RenderedMaps]:
    """The maps that `extract.maps` says, of the depth maps or the clouds at `source`."""
    if params.extract.maps == "depth":
        with open_depth(source) as maps:
            yield maps
    else:
        with open_points(source) as points:
            yield RenderedMaps(points, params, source)
