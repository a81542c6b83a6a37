"""What the furniture and room generators share: random choices, further solids, legs, handles and storage units."""

from collections import defaultdict

import numpy as np

from stages.bundled.procedural.mesh import box, ellipsoid, extrude, frustum, grid, lathe, tube
from stages.bundled.procedural.shapes import pick

SIDES = (-1, 1)


def chance(rng, share):
    """True in `share` of the draws."""
    return bool(rng.random() < share)


def parts(**named):
    """Named lists of meshes as a shape: one (name, triangles) per list that is not empty."""
    return [(name, np.concatenate(meshes)) for name, meshes in named.items() if meshes]


def soft(centre, size, roundness=0.35, *, segments=16):
    """Rounded box (superellipsoid) of full `size`; `roundness` 0 is a box, 1 an ellipsoid."""
    ball = ellipsoid((0, 0, 0), 1.0, segments=segments)
    return np.sign(ball) * np.abs(ball) ** roundness * np.asarray(size) / 2 + np.asarray(centre)


def outline(width, depth, power, points=24):
    """Closed curve [points, 2]: an ellipse for `power` 1, a rounded rectangle below, a rectangle for 0."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    if not power:
        angle = np.pi / 4 + np.pi / 2 * np.arange(4)
    xz = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.sign(xz) * np.abs(xz) ** power * (width / 2, depth / 2)


def plate(width, depth, y, thick, power):
    """Horizontal slab with the plan `outline`, its top at height `y`."""
    return extrude(outline(width, depth, power), thick)[..., [0, 2, 1]] + (0, y - thick / 2, 0)


def stack(levels, power):
    """Skin through `outline`s at levels [(width, depth, y, z offset)], all of one `power` or one each (then none 0)."""
    rings = []
    for (width, depth, y, z), bend in zip(levels, np.broadcast_to(power, len(levels)), strict=True):
        plan = outline(width, depth, bend)
        plan = np.concatenate([plan, plan[:1]])
        rings.append(np.column_stack([plan[:, 0], np.full(len(plan), y), plan[:, 1] + z]))
    return grid(np.array(rings))


def loft(lower, upper, depth):
    """Band between two polylines [N, 2] of the xy plane, `depth` thick along z."""
    back, front = -depth / 2, depth / 2
    edges = [(lower, back), (lower, front), (upper, front), (upper, back), (lower, back)]
    return grid(np.stack([np.column_stack([line, np.full(len(line), z)]) for line, z in edges], axis=1))


def bent(width, low, high, thick, curve):
    """Upright board from height `low` to `high` whose two ends come forward by `curve`."""
    x = np.linspace(-width / 2, width / 2, 9)
    z = curve * (2 * x / width) ** 2
    board = loft(np.stack([x, z - thick / 2], 1), np.stack([x, z + thick / 2], 1), high - low)
    return board[..., [0, 2, 1]] + (0, (low + high) / 2, 0)


def border(width, height, bar, depth, centre=(0, 0, 0)):
    """Rectangular frame of flat bars in the xy plane, `width` x `height` outside."""
    x, y = (width - bar) / 2, (height - bar) / 2
    bars = [box((s * x, 0, 0), (bar, height, depth)) for s in SIDES]
    bars += [box((0, s * y, 0), (width - 2 * bar, bar, depth)) for s in SIDES]
    return np.concatenate(bars) + np.asarray(centre)


def legs(rng, width, depth, top, *, thick=None, kind=None):
    """Legs below height `top` at the corners: square, round, taper, splay, turned, sled, slab or hairpin."""
    kind = kind or pick(rng, "square", "square", "round", "taper", "splay", "turned", "sled", "slab")
    t = thick or rng.uniform(0.025, 0.06)
    x, z = (width - t) / 2, (depth - t) / 2
    corners = [(a * x, b * z) for a in SIDES for b in SIDES]
    if kind == "square":
        return [box((a, top / 2, b), (t, top, t)) for a, b in corners]
    if kind == "slab":
        return [box((s * x, top / 2, 0), (t, top, depth)) for s in SIDES]
    if kind == "sled":
        return [border(depth, top, t * 0.7, t)[..., [2, 1, 0]] + (s * x, top / 2, 0) for s in SIDES]
    if kind == "turned":
        waist = [(0.4, 0), (0.8, 0.1), (0.5, 0.2), (0.9, 0.5), (0.5, 0.7), (1, 0.75), (0.6, 0.8), (1, 1)]
        return [lathe(np.array(waist) * (t * 0.7, top), centre=(a, 0, b), segments=8) for a, b in corners]
    if kind == "hairpin":
        return [tube([(a * 0.8, top, b), (a, 0, b), (a, top, b * 0.8)], 0.008, segments=6) for a, b in corners]
    out = 1 + (rng.uniform(0.05, 0.25) if kind == "splay" else 0)
    foot = t * {"round": 0.5}.get(kind, 0.3)
    return [frustum((a * out, 0, b * out), (a, top, b), foot, t / 2, segments=8) for a, b in corners]


def stretchers(width, depth, y, thick, *, cross=False):
    """Bars between the legs at height `y`: a ring of four, or an H."""
    sides = [box((s * width / 2, y, 0), (thick, thick, depth)) for s in SIDES]
    if cross:
        return [*sides, box((0, y, 0), (width, thick, thick))]
    return sides + [box((0, y, s * depth / 2), (width, thick, thick)) for s in SIDES]


def star(rng, radius, top, *, casters=True):
    """Swivel base: a star of three to six feet, with casters or without, and a column up to height `top`."""
    count, y = pick(rng, 3, 4, 5, 5, 5, 6), 0.07 if casters else 0.02
    angle = 2 * np.pi * np.arange(count) / count + rng.uniform(0, 2)
    tips = np.stack([radius * np.cos(angle), np.full(count, y), radius * np.sin(angle)], axis=1)
    feet = [frustum((0, y + 0.04, 0), tip, 0.03, 0.016, segments=6) for tip in tips]
    feet += [ellipsoid(tip * (1, 0.45, 1), 0.032, segments=8) for tip in tips if casters]
    return [*feet, frustum((0, y, 0), (0, top, 0), rng.uniform(0.02, 0.04), segments=10)]


def handle(kind, x, y, z, length, *, upright=False):
    """Pull on a front at depth `z`: "knob", "bar", "cup" or "none" -> list of meshes."""
    along = (0, length / 2, 0) if upright else (length / 2, 0, 0)
    if kind == "knob":
        return [ellipsoid((x, y, z + 0.015), (0.016, 0.016, 0.018), segments=6)]
    if kind == "bar":
        return [box((x, y, z + 0.02), np.maximum(np.abs(along) * 2, 0.014) + (0, 0, 0.01))]
    if kind == "cup":
        return [soft((x, y, z + 0.008), (length * 0.7, 0.03, 0.03), 0.8, segments=8)]
    return []


def cells(x, y, width, height, columns, rows=1):
    """Centres and sizes (x, y, w, h) of a `columns` x `rows` division of a rectangle with corner (x, y)."""
    w, h = width / columns, height / rows
    return [(x + (i + 0.5) * w, y + (j + 0.5) * h, w, h) for j in range(rows) for i in range(columns)]


def unit(rng, width, height, depth, rows, *, at=(0, 0, 0), board=0.02, back=True):
    """Storage box on point `at`, `rows` upwards of (share of height, columns, "drawer" | "door" | "glass" | "open")."""
    named, pull = defaultdict(list), pick(rng, "knob", "knob", "bar", "bar", "cup", "none")
    named["frame"] = [box((s * (width - board) / 2, height / 2, 0), (board, height, depth)) for s in SIDES]
    named["frame"] += [box((0, y, 0), (width, board, depth)) for y in (board / 2, height - board / 2)]
    named["frame"] += [box((0, height / 2, (board - depth) / 2), (width, height, board))] if back else []
    y, total, front, gap = board, sum(share for share, _, _ in rows), depth / 2, rng.uniform(0.006, 0.016)
    for share, columns, kind in rows:
        span = (height - 2 * board) * share / total
        for number, (cx, cy, w, h) in enumerate(cells(board - width / 2, y, width - 2 * board, span, columns)):
            if number:
                named["frame"].append(box((cx - w / 2, cy, 0), (board, h, depth * 0.96)))
            _front(named, kind, pull, cx, cy, w - gap, h - gap, front, number % 2 if columns > 1 else 0)
        y += span
        if y < height - 2 * board:
            named["shelf"].append(box((0, y, 0), (width - 2 * board, board, depth * 0.96)))
    return {name: [mesh + np.asarray(at) for mesh in meshes] for name, meshes in named.items()}


def _front(named, kind, pull, x, y, w, h, z, hinge_right):
    """Add to `named` the drawer, door or glazed door of one cell, with its handle."""
    if kind == "drawer":
        named["drawer"].append(box((x, y, z), (w, h, 0.025)))
        spots = (x,) if w < 0.75 else (x - w / 4, x + w / 4)
        named["handle"] += [m for s in spots for m in handle(pull, s, y, z + 0.012, min(0.14, w / 2))]
    if kind == "door":
        named["door"].append(box((x, y, z), (w, h, 0.025)))
    if kind == "glass":
        named["door"] += [border(w, h, min(0.05, w / 6), 0.025, (x, y, z))]
    if kind in ("door", "glass"):
        side = -1 if hinge_right else 1
        named["handle"] += handle(pull, x + side * (w / 2 - 0.04), y, z + 0.012, min(0.2, h / 3), upright=True)


def raised(rng, named, width, depth, lift):
    """Put a storage unit's parts on legs, a plinth or the floor (`lift` is the leg height)."""
    kind = pick(rng, "legs", "plinth", "floor")
    if kind == "floor":
        return named
    below = (
        legs(rng, width * 0.96, depth * 0.92, lift)
        if kind == "legs"
        else [box((0, 0.03, -0.01), (width * 0.96, 0.06, depth * 0.9))]
    )
    up = np.array((0, lift if kind == "legs" else 0.06, 0))
    return {**{name: [m + up for m in meshes] for name, meshes in named.items()}, "leg": below}


def faucet(rng, x, y, z, size):
    """Tap at (x, y, z) with its spout towards +z: gooseneck or straight, one lever or two knobs."""
    turn = np.linspace(0, np.pi, 6)
    neck = [(x, y + size * (0.6 + 0.4 * np.sin(a)), z + size * 0.35 * (1 - np.cos(a))) for a in turn]
    straight = [(x, y + size * 0.5, z), (x, y + size * 0.45, z + size * 0.8), (x, y + size * 0.3, z + size * 0.8)]
    spout = tube([(x, y, z), *pick(rng, neck, straight)], max(0.01, size * 0.06), segments=6)
    knobs = [frustum((x + s * size * 0.5, y, z), (x + s * size * 0.5, y + size * 0.3, z), 0.018) for s in SIDES]
    lever = [box((x, y + size * 0.55, z - 0.01), (0.02, 0.015, size * 0.4))]
    return [spout, *pick(rng, knobs, lever)]


def joined(*units):
    """Several units' parts as one dict of lists."""
    named = defaultdict(list)
    for part in units:
        for name, meshes in part.items():
            named[name] += meshes
    return named
