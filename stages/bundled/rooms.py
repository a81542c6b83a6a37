"""Rooms composed from home_objects: furniture on a floor between walls, as a scanner standing in the room sees it.

Rooms of the train split hold objects of home_objects' train split, rooms of the test split those of its test split. A
room's seed alone decides about it. z is up, the floor is at z = 0, and lengths are metres.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.artifacts.types import Clouds, PointCloudDataset, Scene
from stages.core.errors import InputError

SEED = 0
ROOMS = {"train": 8, "test": 24}
FURNITURE = {  # class -> shortest and longest its longest side may be
    "armchair": (0.8, 1.1),
    "bed": (1.9, 2.2),
    "bench": (1.1, 1.6),
    "bookshelf": (1.6, 2.1),
    "cabinet": (0.8, 1.6),
    "chair": (0.8, 1.05),
    "desk": (1.1, 1.6),
    "oven": (0.7, 0.95),
    "plant": (0.6, 1.3),
    "radiator": (0.7, 1.2),
    "sofa": (1.6, 2.3),
    "stool": (0.4, 0.75),
    "table": (0.9, 1.7),
    "toilet": (0.65, 0.85),
    "trash_can": (0.4, 0.65),
    "wardrobe": (1.8, 2.1),
}
CLUTTER = {  # what lies about and has no box
    "bottle": (0.2, 0.35),
    "bowl": (0.2, 0.35),
    "box": (0.25, 0.5),
    "shoes": (0.25, 0.35),
    "teapot": (0.2, 0.3),
    "vase": (0.2, 0.4),
}
AT_THE_WALL = {"bed", "bookshelf", "cabinet", "oven", "radiator", "sofa", "toilet", "wardrobe"}
PIECES, LITTER = (4, 8), (2, 6)  # fewest and most in a room
SIDES, HEIGHT = (3.8, 5.6), 2.5
GAP = 0.06  # between two objects, and between an object and a wall
SURFACE_POINTS = 180  # a square metre of floor or wall
NOISE, STRAY_SHARE = 0.005, 0.003  # standard deviation of a point; points that float anywhere
EYE_LEVEL = (1.3, 1.7)
BEAM = np.pi / 120  # angle between two rays of the scanner
BEHIND = 0.1  # a point this far behind the nearest one on its ray is hidden
SEEN = 40  # points that an object must show to count as scanned
TRIES = 60


@dataclass(frozen=True)
class Placed:
    """One object in the room: points f4 [P, 3] and its class, or None for clutter."""

    points: np.ndarray
    name: str | None

    @property
    def corners(self) -> np.ndarray:
        """Lowest and highest coordinate f4 [2, 3] of the whole object."""
        return np.stack([self.points.min(axis=0), self.points.max(axis=0)])


def compose_rooms(
    objects: PointCloudDataset, *, rooms: dict[str, int] = ROOMS, source: Path
) -> dict[str, tuple[Scene, ...]]:
    """`rooms[split]` rooms of every split, furnished with that split's objects; InputError where a class is missing."""
    names, splits = objects.classes, objects.splits
    missing = sorted({*FURNITURE, *CLUTTER} - set(names))
    if missing:
        raise InputError(f"{source}: no class '{missing[0]}' in the objects, which the rooms are furnished with")
    return {
        split: tuple(
            compose(f"room_{index:02d}", _by_class(splits[split], names), np.random.default_rng([SEED, part, index]))
            for index in range(count)
        )
        for part, (split, count) in enumerate(rooms.items())
    }


def compose(name: str, library: dict[str, np.ndarray], rng: np.random.Generator) -> Scene:
    """One room from the clouds [N, P, 3] (y up) of every class in `library`.

    The boxes enclose the whole objects, also where the scanner saw one side alone; an object of which it saw fewer than
    SEEN points has no box.
    """
    sides = rng.uniform(*SIDES, size=2)
    placed = _furnish(library, sides, rng)
    surfaces = _surfaces(sides, rng)
    points = np.concatenate([surfaces, *(one.points for one in placed)])
    owner = np.repeat(np.arange(-1, len(placed)), [len(surfaces), *(len(one.points) for one in placed)])
    scanners = [_standpoint(placed, sides, rng) for _ in range(rng.integers(1, 3))]
    seen = np.any([visible(points, scanner) for scanner in scanners], axis=0)
    boxed = [k for k, one in enumerate(placed) if one.name and (owner[seen] == k).sum() >= SEEN]
    low, high = np.stack([placed[k].corners for k in boxed], axis=1)
    return Scene(
        name,
        _measured(points[seen], sides, rng),
        np.concatenate([(low + high) / 2, high - low], axis=1).astype(np.float32),
        np.array([list(FURNITURE).index(placed[k].name) for k in boxed], np.int64),
    )


def visible(points: np.ndarray, viewpoint: np.ndarray) -> np.ndarray:
    """Which of `points` [M, 3] a scanner at `viewpoint` [3] sees, bool [M]: a depth buffer over its rays."""
    offset = points - viewpoint
    distance = np.linalg.norm(offset, axis=1)
    azimuth = np.arctan2(offset[:, 1], offset[:, 0]) + np.pi
    polar = np.arccos(np.clip(offset[:, 2] / distance, -1, 1))
    ray = (azimuth / BEAM).astype(int) * (int(np.pi / BEAM) + 1) + (polar / BEAM).astype(int)
    nearest = np.full(ray.max() + 1, np.inf)
    np.minimum.at(nearest, ray, distance)
    return distance <= nearest[ray] + BEHIND


def _by_class(clouds: Clouds, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {name: clouds.points[clouds.labels == label] for label, name in enumerate(names)}


def _furnish(library: dict[str, np.ndarray], sides: np.ndarray, rng: np.random.Generator) -> list[Placed]:
    """Furniture, then clutter between it; what finds no free place in TRIES draws is left out."""
    wanted = [*rng.choice(list(FURNITURE), rng.integers(*PIECES, endpoint=True))]
    litter = [*rng.choice(list(CLUTTER), rng.integers(*LITTER, endpoint=True))]
    longest = FURNITURE | CLUTTER
    # the longest first: they find no place once the room is full
    wanted.sort(key=lambda name: -longest[name][1])
    placed = []
    for name in [*wanted, *litter]:
        cloud = rng.permutation(library[name])[0]
        cloud = cloud * (rng.uniform(*longest[name]) / np.ptp(cloud, axis=0).max())
        points = _place(cloud, placed, sides, rng, at_the_wall=name in AT_THE_WALL)
        if points is not None:
            placed.append(Placed(points, str(name) if name in FURNITURE else None))
    return placed


def _place(
    cloud: np.ndarray, placed: list[Placed], sides: np.ndarray, rng: np.random.Generator, *, at_the_wall: bool
) -> np.ndarray | None:
    """`cloud` (y up) turned and moved to a free place on the floor; None when there is none."""
    upright = np.stack([cloud[:, 0], -cloud[:, 2], cloud[:, 1]], axis=1)
    for _ in range(TRIES):
        quarter = rng.integers(4)
        angle = quarter * np.pi / 2 + (0.0 if at_the_wall else rng.normal(0, 0.2))
        turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        points = upright @ turn
        points -= points.min(axis=0)
        room_left = sides - points.max(axis=0)[:2] - GAP
        if (room_left < GAP).any():
            continue
        corner = rng.uniform(GAP, room_left)
        if at_the_wall:  # an object's back is at +y before it is turned
            axis, far = (1, 0, 1, 0)[quarter], quarter in (0, 3)
            corner[axis] = room_left[axis] if far else GAP
        points[:, :2] += corner
        if not any(_overlap(points, other.corners) for other in placed):
            return points.astype(np.float32)
    return None


def _overlap(points: np.ndarray, corners: np.ndarray) -> bool:
    """Whether the footprints of `points` and of an object with `corners` come closer than GAP."""
    low, high = points.min(axis=0)[:2], points.max(axis=0)[:2]
    return bool((low < corners[1, :2] + GAP).all() and (high > corners[0, :2] - GAP).all())


def _surfaces(sides: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random points on the floor and the four walls of a room with the corner (0, 0)."""
    (width, depth), pieces = sides, []
    for origin, *spans in (
        ((0, 0, 0), (width, 0, 0), (0, depth, 0)),
        ((0, 0, 0), (width, 0, 0), (0, 0, HEIGHT)),
        ((0, depth, 0), (width, 0, 0), (0, 0, HEIGHT)),
        ((0, 0, 0), (0, depth, 0), (0, 0, HEIGHT)),
        ((width, 0, 0), (0, depth, 0), (0, 0, HEIGHT)),
    ):
        area = np.linalg.norm(np.cross(*spans))
        pieces.append(origin + rng.random((round(area * SURFACE_POINTS), 2)) @ np.array(spans))
    return np.concatenate(pieces).astype(np.float32)


def _standpoint(placed: list[Placed], sides: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where a scanner stands: the one of TRIES draws that is farthest from all objects' footprints."""
    spots = rng.uniform(0.3, sides - 0.3, size=(TRIES, 2))
    low, high = np.stack([one.corners[:, :2] for one in placed], axis=1)
    outside = np.maximum(low - spots[:, None], spots[:, None] - high).max(axis=2)
    # any spot half a metre clear will do: the clearest ones come first, and the draw's order decides among them
    best = np.argmax(np.minimum(outside.min(axis=1), 0.5))
    return np.array([*spots[best], rng.uniform(*EYE_LEVEL)])


def _measured(points: np.ndarray, sides: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the scanner writes down: noisy points and a few stray ones, f4 [M, 3], in random order."""
    strays = rng.random((round(len(points) * STRAY_SHARE), 3)) * [*sides, HEIGHT]
    noisy = points + rng.normal(0, NOISE, points.shape)
    return rng.permutation(np.concatenate([noisy, strays])).astype(np.float32)
