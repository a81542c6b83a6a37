"""Random parts of rooms as (part name, triangles), y up, front +z, floor at y = 0; lists all room objects."""

from collections import defaultdict

import numpy as np

from stages.bundled.procedural.appliances import range_hood, refrigerator, stove, washing_machine
from stages.bundled.procedural.fixtures import bathtub, carton, pillow, radiator, sink, toilet, trash_can
from stages.bundled.procedural.joinery import (
    SIDES,
    border,
    cells,
    chance,
    faucet,
    loft,
    outline,
    parts,
    plate,
    soft,
    stack,
    unit,
)
from stages.bundled.procedural.mesh import box, ellipsoid, extrude, frustum, grid, ring, rotate, tube
from stages.bundled.procedural.shapes import pick

FRONT = (0.0, 0.0, 1.0)


def _arch(width, rise, points=13):
    """Half ellipse [points, 2] over a span `width`, from left to right."""
    turn = np.linspace(np.pi, 0, points)
    return np.stack([width / 2 * np.cos(turn), rise * np.sin(turn)], axis=1)


def mantel(rng):
    """Fireplace surrounds: plain, moulded, columned, arched, with hearth, firebox, corbels or overmantel."""
    w, h, d = rng.uniform(1.1, 2.0), rng.uniform(0.95, 1.4), rng.uniform(0.12, 0.35)
    jamb, head = w * rng.uniform(0.1, 0.22), h * rng.uniform(0.12, 0.3)
    opening, x = w - 2 * jamb, (w - jamb) / 2
    named = defaultdict(
        list, shelf=[box((0, h, d * 0.15), (w * rng.uniform(1.02, 1.2), rng.uniform(0.03, 0.09), d * 1.35))]
    )
    if chance(rng, 0.25):
        named["jamb"] = [
            frustum((s * x, 0.1, 0), (s * x, h - head, 0), jamb * 0.32, jamb * 0.27, segments=14) for s in SIDES
        ]
        named["jamb"] += [
            box((s * x, y, 0), (jamb * 0.8, 0.1, jamb * 0.8)) for s in SIDES for y in (0.05, h - head - 0.05)
        ]
    else:
        named["jamb"] = [box((s * x, (h - head) / 2, 0), (jamb, h - head, d)) for s in SIDES]
        named["jamb"] += [box((s * x, 0.08, 0.015), (jamb * 1.15, 0.16, d)) for s in SIDES if chance(rng, 0.6)]
        if chance(rng, 0.4):
            named["jamb"] += [border(jamb * 0.7, (h - head) * 0.7, 0.02, 0.02, (s * x, h * 0.42, d / 2)) for s in SIDES]
    named["header"] = [box((0, h - head / 2, 0), (w, head, d))]
    if chance(rng, 0.3):
        rise = (h - head) * rng.uniform(0.15, 0.5)
        curve = _arch(opening, rise) + (0, h - head - rise)
        named["header"] += [loft(curve, np.stack([curve[:, 0], np.full(13, h - head)], 1), d)]
    if chance(rng, 0.5):
        steps = rng.integers(1, 4)
        named["shelf"] += [
            box((0, h - 0.03 * i, d * 0.1), (w * (1.06 - 0.02 * i), 0.03, d * (1.25 - 0.07 * i)))
            for i in range(1, steps + 1)
        ]
    if chance(rng, 0.25):
        named["corbel"] = [box((s * x, h - 0.12, d * 0.6), (jamb * 0.5, 0.2, d * 0.3)) for s in SIDES]
    if chance(rng, 0.4):
        named["hearth"] = [box((0, 0.02, d * 0.8), (w * 1.1, rng.uniform(0.03, 0.12), d * 2.4))]
    if chance(rng, 0.4):
        deep, tall = rng.uniform(0.2, 0.4), h - head
        named["firebox"] = [
            box((0, tall / 2, -d / 2 - deep), (opening, tall, 0.02)),
            *[box((s * opening / 2, tall / 2, -d / 2 - deep / 2), (0.02, tall, deep)) for s in SIDES],
        ]
    if chance(rng, 0.2):
        tall = rng.uniform(0.6, 1.2)
        named["overmantel"] = [
            border(w * 0.9, tall, 0.1, d * 0.4, (0, h + tall / 2, -d * 0.25)),
            box((0, h + tall / 2, -d * 0.4), (w * 0.85, tall, 0.02)),
        ]
    return parts(**named)


def counter(rng):
    """Kitchen base units with a worktop: straight, L-shaped, island with overhang, bar, with sink or wall units."""
    w, h, d = rng.uniform(1.2, 3.0), rng.uniform(0.82, 0.92), rng.uniform(0.55, 0.68)
    kind, t = pick(rng, "straight", "straight", "L", "island", "bar"), rng.uniform(0.025, 0.06)
    n = max(2, round(w / rng.uniform(0.5, 0.7)))
    rows = pick(rng, [(1, n, "door")], [(3, n, "door"), (1, n, "drawer")], [(1, n, "drawer")] * 3)
    named = defaultdict(list, unit(rng, w, h - 0.1, d, rows, at=(0, 0.1, 0)))
    named["plinth"] = [box((0, 0.05, -0.03), (w * 0.98, 0.1, d * 0.86))]
    over = {"island": rng.uniform(0.15, 0.4), "bar": 0.3}.get(kind, 0)
    named["worktop"] = [box((0, h + t / 2, 0.015 - over / 2), (w + 0.04, t, d + 0.04 + over))]
    if kind == "bar":
        named["panel"] += [box((0, h / 2 + 0.1, -d / 2 - 0.05), (w, h + 0.2, 0.08))]
        named["worktop"] += [box((0, h + 0.22, -d / 2 - 0.15), (w + 0.1, 0.04, 0.4))]
    if kind == "L":
        side, long = pick(rng, *SIDES), rng.uniform(0.6, 1.8)
        wing = unit(rng, long, h - 0.1, d, rows, at=(0, 0.1, 0))
        place = np.array((side * (w - d) / 2, 0, d / 2 + long / 2))
        for name, meshes in wing.items():
            named[name] += [rotate(m, axis="y", angle=-side * np.pi / 2) + place for m in meshes]
        named["worktop"] += [box(place + (0, h + t / 2, 0), (d + 0.04, t, long + 0.02))]
    if chance(rng, 0.4) and kind in ("straight", "L"):
        named["panel"] += [box((0, h + 0.25, -d / 2), (w, 0.5, 0.02))]
        if chance(rng, 0.6):
            for name, meshes in unit(rng, w, 0.7, 0.33, [(1, n, "door")], at=(0, h + 0.5, 0.165 - d / 2)).items():
                named[name] += meshes
    if chance(rng, 0.5):
        named["basin"] = [
            stack(
                [
                    (0.52, 0.42, h + t + 0.004, 0),
                    (0.44, 0.36, h + t + 0.004, 0),
                    (0.4, 0.32, h - 0.12, 0),
                    (0, 0, h - 0.12, 0),
                ],
                0.2,
            )
        ]
        named["faucet"] = faucet(rng, 0, h + t, -d * 0.38, 0.25)
    return parts(**named)


def stairs(rng):
    """Straight flights with open or closed risers or solid, quarter-turn, curved and spiral stairs, with railings."""
    n, rise, going = rng.integers(5, 15), rng.uniform(0.15, 0.21), rng.uniform(0.22, 0.32)
    w, t = rng.uniform(0.7, 1.5), rng.uniform(0.03, 0.06)
    kind, rail, named = (
        pick(rng, "closed", "solid", "open", "open", "spiral", "turn"),
        pick(rng, 0, 0.9),
        defaultdict(list),
    )
    if kind == "spiral":
        n, step = max(n, 9), pick(rng, *SIDES) * rng.uniform(0.35, 0.55)
        tread = extrude([(0.04, -0.03), (w, -w * 0.2), (w * 1.02, 0), (w, w * 0.2), (0.04, 0.03)], t)[..., [0, 2, 1]]
        turns = step * np.arange(n)
        named["step"] = [rotate(tread, axis="y", angle=a) + (0, (i + 1) * rise, 0) for i, a in enumerate(turns)]
        named["pole"] = [frustum((0, 0, 0), (0, n * rise + 0.9, 0), 0.06, segments=10)]
        edge = [(w * 0.97 * np.cos(a), (i + 1) * rise, -w * 0.97 * np.sin(a)) for i, a in enumerate(turns)]
        named["rail"] = [tube(np.array(edge) + (0, 0.9, 0), 0.02, segments=5)]
        named["rail"] += [frustum(p, np.add(p, (0, 0.9, 0)), 0.01, segments=5) for p in edge]
        return parts(**named)
    long, top = n * going, n * rise
    for i in range(n):
        y, z = (i + 1) * rise, long / 2 - (i + 0.5) * going
        if kind == "solid":
            named["step"].append(box((0, y / 2, z), (w, y, going)))
            continue
        named["step"].append(box((0, y - t / 2, z + 0.01), (w, t, going * 1.1)))
        if kind != "open":
            named["riser"].append(box((0, y - rise / 2, z + going / 2), (w, rise, 0.02)))
    if kind != "solid":
        slope, deep = np.arctan2(rise, going), rng.uniform(0.15, 0.3)
        beam = rotate(box((0, 0, 0), (0.05, deep, np.hypot(long, top))), axis="x", angle=slope) + (0, top / 2, 0)
        spots = pick(rng, (-w / 2, w / 2), (-w / 2, w / 2), (-w * 0.2, w * 0.2))
        named["stringer"] = [np.maximum(beam, (-9, 0, -9)) + (x, 0, 0) for x in spots]
    if kind == "turn":
        side, m = pick(rng, *SIDES), rng.integers(3, 7)
        z = -long / 2 - w / 2
        named["landing"] = [
            box((0, top - t / 2, z), (w, t, w)),
            *[box((a * w * 0.46, top / 2, z + b * w * 0.46), (0.08, top, 0.08)) for a in SIDES for b in SIDES],
        ]
        for i in range(m):
            x, y = side * (w / 2 + (i + 0.5) * going), top + (i + 1) * rise
            named["step"].append(box((x, y - t / 2, z), (going * 1.1, t, w)))
            named["riser"].append(box((x - side * going / 2, y - rise / 2, z), (0.02, rise, w)))
    if rail:
        posts = np.linspace(0, 1, pick(rng, 2, n // 2, n))
        for s in pick(rng, SIDES, SIDES, (-1,), (1,)):
            ends = np.array([(s * w * 0.47, rise, long / 2), (s * w * 0.47, top, -long / 2)])
            named["rail"] += [tube(ends + (0, rail, 0), 0.028)]
            feet = ends[0] + posts[:, None] * (ends[1] - ends[0])
            named["rail"] += [frustum(p, p + (0, rail, 0), 0.014, segments=5) for p in feet]
    return parts(**named)


def door(rng):
    """Flush, panelled, glazed, arched, louvred, double and half-open doors, with or without a frame."""
    w, h, t = rng.uniform(0.7, 1.05), rng.uniform(1.95, 2.3), rng.uniform(0.03, 0.06)
    leaves, kind, named = (
        pick(rng, 1, 1, 1, 2),
        pick(rng, "flush", "panel", "panel", "glass", "louvre"),
        defaultdict(list),
    )
    arched, swing = chance(rng, 0.12), pick(rng, 0, 0, 0, rng.uniform(0.2, 1.5))
    columns, rows = pick(rng, 1, 2, 2), pick(rng, 1, 2, 3, 4)
    for k in range(leaves):
        side, x0 = (1, -1)[k] if leaves == 2 else 1, (k - (leaves - 1) / 2) * w
        leaf, knob = defaultdict(list), side * (w / 2 - 0.07)
        leaf["door"] = [box((0, h / 2, 0), (w * 0.99, h, t * (0.35 if kind in ("panel", "louvre") else 1)))]
        if kind == "glass":
            leaf["door"] = [
                border(w * 0.99, h, rng.uniform(0.07, 0.14), t, (0, h / 2, 0)),
                box((0, h * 0.15, 0), (w * 0.9, h * 0.3, t)),
            ]
        if kind == "louvre":
            leaf["door"] += [border(w * 0.99, h, 0.09, t, (0, h / 2, 0))]
            leaf["door"] += [box((0, y, 0), (w * 0.82, 0.03, t * 0.8)) for y in np.linspace(0.12, h - 0.12, 20)]
        low = h * 0.3 if kind == "glass" else 0.05
        for x, y, a, b in (
            cells(-w * 0.45, low, w * 0.9, h - 0.05 - low, columns, rows) if kind in ("panel", "glass") else []
        ):
            leaf["panel"] += [border(a, b, 0.05 if kind == "panel" else 0.025, t, (x, y, 0))]
            leaf["panel"] += [box((x, y, 0), (a * 0.7, b * 0.8, t * 0.8))] if kind == "panel" else []
        for s in SIDES:
            lever = box((knob - side * 0.05, 1, s * (t / 2 + 0.04)), (0.13, 0.02, 0.02))
            leaf["handle"] += pick(rng, [ellipsoid((knob, 1, s * (t / 2 + 0.03)), 0.032, segments=8)], [lever])
        for name, meshes in leaf.items():
            turn = -side * swing * (k == 0)
            named[name] += [rotate(m, axis="y", angle=turn, about=(-side * w / 2, 0, 0)) + (x0, 0, 0) for m in meshes]
    wide = w * leaves
    if arched:
        rise = wide * rng.uniform(0.2, 0.5)
        curve = _arch(wide, rise) + (0, h)
        named["door"] += [loft(np.stack([curve[:, 0], np.full(13, h)], 1), curve, t)]
    if chance(rng, 0.6) or swing:
        bar, deep = rng.uniform(0.05, 0.14), rng.uniform(0.06, 0.16)
        named["frame"] = [box((s * (wide + bar) / 2, h / 2, 0), (bar, h, deep)) for s in SIDES]
        named["frame"] += [
            loft(curve, curve * (1 + 2 * bar / wide, 1) + (0, bar), deep)
            if arched
            else box((0, h + bar / 2, 0), (wide + 2 * bar, bar, deep))
        ]
    return parts(**named)


def window(rng):
    """Casement, sash, grid, open, arched, round and shuttered windows with mullions, panes and sill."""
    w, h, bar, deep = rng.uniform(0.6, 2.0), rng.uniform(0.7, 1.7), rng.uniform(0.04, 0.09), rng.uniform(0.05, 0.14)
    kind, thin = pick(rng, "casement", "casement", "grid", "sash", "open", "arch", "round"), rng.uniform(0.015, 0.035)
    if kind == "round":
        frame = ring((0, w / 2, 0), w / 2, bar * 0.6, axis=FRONT, segments=24)
        cross = [box((0, w / 2, 0), (w, thin, thin)), box((0, w / 2, 0), (thin, w, thin))]
        pane = plate(w, w, 0.002, 0.004, 1)[..., [0, 2, 1]] + (0, w / 2, 0)
        return parts(frame=[frame + (0, bar * 0.6, 0)], mullion=[m + (0, bar * 0.6, 0) for m in cross], pane=[pane])
    named = defaultdict(list, frame=[border(w, h, bar, deep, (0, h / 2, 0))])
    columns, rows = pick(rng, 1, 2, 2, 3), pick(rng, 1, 2, 3) if kind != "grid" else pick(rng, 3, 4)
    leaves = {"sash": cells(-w / 2, 0, w, h, 1, 2)}.get(
        kind, cells(-w / 2, 0, w, h, 1 if w < 0.8 else pick(rng, 1, 2, 3))
    )
    for number, (x, y, a, b) in enumerate(leaves):
        z, cols = deep * 0.3 * (number % 2) if kind == "sash" else 0, columns if len(leaves) < 3 else 1
        leaf = {"sash": [border(a, b, bar * 1.3, deep * 0.5, (x, y, z))], "pane": [box((x, y, z), (a, b, 0.006))]}
        leaf["mullion"] = [box((x - a / 2 + a * i / cols, y, z), (thin, b, thin)) for i in range(1, cols)]
        leaf["mullion"] += [box((x, y - b / 2 + b * i / rows, z), (a, thin, thin)) for i in range(1, rows)]
        ends = number in (0, len(leaves) - 1) and kind == "open"
        edge, turn = (x - a / 2, 1) if number == 0 else (x + a / 2, -1)
        angle = -turn * rng.uniform(0.5, 1.5) if ends else 0
        for name, meshes in leaf.items():
            named[name] += [rotate(m, axis="y", angle=angle, about=(edge, 0, z)) for m in meshes]
    if kind == "arch":
        curve = _arch(w, w * rng.uniform(0.25, 0.5)) + (0, h)
        inner = curve * (1 - 2 * bar / w, 1) - (0, bar * 0.6)
        named["frame"] += [loft(inner, curve, deep)]
        named["pane"] += [loft(np.stack([inner[:, 0], np.full(13, h)], 1), inner, 0.006)]
        named["mullion"] += [frustum((0, h, 0), (*p, 0), thin / 2, segments=6) for p in curve[3:-3:3]]
    if chance(rng, 0.45):
        named["sill"] = [box((0, -0.015, deep * 0.4), (w * 1.12, 0.03, deep * 1.8))]
    if chance(rng, 0.15):
        wide = w / 2 if w < 1.3 else w / 3
        for s in SIDES:
            x = s * (w + wide) / 2
            named["shutter"] += [border(wide, h, 0.05, 0.03, (x, h / 2, 0))]
            named["shutter"] += [box((x, y, 0), (wide * 0.85, 0.04, 0.012)) for y in np.linspace(0.1, h - 0.1, 12)]
    return parts(**{name: [m + (0, 0.03, 0) for m in meshes] for name, meshes in named.items()})


def _drape(rng, x0, x1, low, high, *, tie=None, towards=0.0):
    """Wavy hanging sheet between x0 and x1; gathered at share `tie` of the height towards x = `towards`."""
    folds, depth = max(3, round((x1 - x0) / rng.uniform(0.12, 0.2))), rng.uniform(0.02, 0.07)
    u, v = np.linspace(0, 1, 4 * folds + 1)[None], np.linspace(0, 1, 6)[:, None]
    shape = np.sin(2 * np.pi * folds * u + rng.uniform(0, 6)) + 0.3 * np.sin(5.3 * folds * u + 3 * v)
    pull = 0 * v if tie is None else np.interp(v, [0, tie, 1], [0.35, 0.7, 0])
    x = (x0 + (x1 - x0) * u) * (1 - pull) + towards * pull
    return grid(np.stack([x, low + (high - low) * v + 0 * u, depth * shape * (1 + 0.3 * (1 - v))], axis=-1))


def curtain(rng):
    """Drapes on a rod: a pair or one panel, drawn or open, tied back, with sheers, rings or a valance."""
    w, h = rng.uniform(0.9, 2.6), rng.uniform(1.2, 2.6)
    kind, share = pick(rng, "pair", "pair", "tied", "tied", "single"), rng.uniform(0.25, 0.5)
    tie = rng.uniform(0.35, 0.55) if kind == "tied" else None
    share = rng.uniform(0.42, 0.5) if kind == "tied" else share
    spans = (
        [(-w / 2, w / 2, 0)]
        if kind == "single"
        else [(-w / 2, w * (share - 0.5), -w / 2), (w * (0.5 - share), w / 2, w / 2)]
    )
    named = defaultdict(list, cloth=[_drape(rng, a, b, 0, h, tie=tie, towards=c) for a, b, c in spans])
    if chance(rng, 0.8):
        y, r = h + rng.uniform(0, 0.04), rng.uniform(0.01, 0.025)
        named["rod"] = [frustum((-w * 0.55, y, 0), (w * 0.55, y, 0), r)]
        named["rod"] += [ellipsoid((s * w * 0.56, y, 0), r * rng.uniform(1.5, 2.5), segments=8) for s in SIDES]
        if chance(rng, 0.4):
            spots = np.concatenate([np.linspace(a, b, 5) for a, b, _ in spans])
            named["ring"] = [ring((x, y - 0.015, 0), 0.035, 0.005, axis=(1.0, 0, 0), segments=6) for x in spots]
    if chance(rng, 0.35) and "ring" not in named:
        named["valance"] = [_drape(rng, -w * 0.53, w * 0.53, h * 0.85, h * 1.02) * (1, 1, 0.6) + (0, 0, 0.08)]
    if chance(rng, 0.2) and kind != "single":
        named["sheer"] = [_drape(rng, -w / 2, w / 2, 0, h) * (1, 1, 0.4) - (0, 0, 0.1)]
    if tie:
        named["tieback"] = [soft((c * 0.9, h * tie, 0), (w * 0.16, 0.06, 0.14), 0.5) for _, _, c in spans]
    return parts(**named)


def shower_curtain(rng):
    """One wavy sheet on rings under a straight, curved or cornered rod, drawn wide or pushed aside."""
    w, h, low = rng.uniform(1.2, 1.9), rng.uniform(1.8, 2.1), 0.0
    share, side, bow = rng.uniform(0.45, 1), pick(rng, *SIDES), pick(rng, 0, 0, rng.uniform(0.1, 0.3))
    a, b = sorted((side * w / 2, side * w * (0.5 - share)))
    hang = rng.uniform(0.04, 0.08)
    count = rng.integers(7, 13)
    x = np.linspace(-w / 2, w / 2, 9)

    def bulge(at):
        return bow * (1 - (2 * at / w) ** 2)

    sheet = _drape(rng, a, b, low, h)
    sheet[..., 2] += bulge(sheet[..., 0])
    y = h + hang
    rod = tube(np.stack([x, np.full(9, y), bulge(x)], 1), 0.014, segments=6)
    rings = [
        ring((p, y - hang / 2, bulge(p)), hang * 0.6, 0.005, axis=(1.0, 0, 0), segments=8)
        for p in np.linspace(a, b, count)
    ]
    flanges = [frustum((s * w / 2, y, 0), (s * (w / 2 + 0.02), y, 0), 0.04) for s in SIDES]
    if chance(rng, 0.15):
        flanges += [frustum((-side * w / 2, y, 0), (-side * w / 2, y, -w * 0.5), 0.014)]
    return parts(curtain=[sheet], ring=rings, rod=[rod, *flanges])


def picture(rng):
    """Framed pictures: portrait, landscape, oval, canvas, with mat, triptych, or on a rear prop."""
    w, h, d = rng.uniform(0.3, 1.2), rng.uniform(0.3, 1.2), rng.uniform(0.015, 0.06)
    kind, bar = pick(rng, *["frame"] * 5, "mat", "mat", "oval", "canvas", "triptych", "prop"), rng.uniform(0.015, 0.1)
    bar *= min(w, h, 1)
    named = {"picture": [box((0, h / 2, -d * 0.2), (w * 0.97, h * 0.97, d * 0.3))]}
    if kind == "canvas":
        return parts(picture=[box((0, h / 2, 0), (w, h, d))])
    if kind == "oval":
        rim = [outline(w * a, h * a, 1) + (0, h / 2) for a in (1 - 2 * bar / max(w, h), 1)]
        inner, outer = (np.concatenate([c, c[:1]]) for c in rim)
        disc = plate(w * 0.95, h * 0.95, 0, d * 0.3, 1)[..., [0, 2, 1]] + (0, h / 2, 0)
        return parts(frame=[loft(inner, outer, d)], picture=[disc])
    if kind == "triptych":
        count, gap = pick(rng, 2, 3, 3), w * 0.05
        panels = [
            box((x, h / 2, 0), (a - gap, h * rng.uniform(0.7, 1), d)) for x, _, a, _ in cells(-w, 0, 2 * w, h, count)
        ]
        return parts(picture=[m - (0, min(p[..., 1].min() for p in panels), 0) for m in panels])
    named["frame"] = [border(w, h, bar, d, (0, h / 2, 0))]
    if chance(rng, 0.4):
        named["frame"] += [border(w * 1.01, h * 1.01, bar * 0.35, d * 1.6, (0, h / 2, 0))]
    if kind == "mat":
        named["mat"] = [border(w - 2 * bar, h - 2 * bar, min(w, h) * 0.12, d * 0.3, (0, h / 2, 0))]
    if kind == "prop":
        w_, lean = w * 0.15, rng.uniform(0.15, 0.35)
        named = {k: [rotate(m, axis="x", angle=-lean) for m in v] for k, v in named.items()}
        named["stand"] = [
            rotate(box((0, h * 0.35, 0), (w_, h * 0.7, 0.01)), axis="x", angle=lean) - (0, 0, h * lean * 1.35)
        ]
    return parts(**named)


def rug(rng):
    """Rectangular, runner, round, oval and fringed rugs, flat, rippled or with a rolled end."""
    w, power, t = rng.uniform(0.8, 2.8), pick(rng, 0, 0, 0, 0.15, 1, 1), rng.uniform(0.006, 0.03)
    d = w * pick(rng, 1, rng.uniform(0.55, 0.75), rng.uniform(0.25, 0.4))
    named = {"rug": [plate(w, d, t, t, power)]}
    if power == 0 and chance(rng, 0.4):
        named["fringe"] = [
            box((s * (w / 2 + 0.04), t / 3, z), (0.08, t * 0.5, 0.012))
            for s in SIDES
            for z in np.linspace(-0.49, 0.49, 24) * d
        ]
    if power == 0 and chance(rng, 0.2):
        named["roll"] = [frustum((w / 2, 0.06, -d / 2), (w / 2, 0.06, d / 2), 0.06)]
    elif power == 0 and chance(rng, 0.3):
        x, z = np.meshgrid(np.linspace(-w / 2, w / 2, 25), np.linspace(-d / 2, d / 2, 5), indexing="ij")
        wave = t + t * np.sin(x * rng.uniform(2, 9) + z)
        named["rug"] = [grid(np.stack([x, wave, z], -1)), grid(np.stack([x, wave + t, z], -1))]
    return parts(**named)


def fence(rng):
    """Picket, board, split-rail, lattice and wrought-iron fences of one to three bays, tops level or arched."""
    w, h, kind = (
        rng.uniform(1.5, 3.5),
        rng.uniform(0.8, 1.8),
        pick(rng, "picket", "picket", "board", "rail", "iron", "lattice"),
    )
    bays, t = pick(rng, 1, 2, 3), rng.uniform(0.015, 0.03)
    r = rng.uniform(0.03, 0.06)
    posts = [box((x, h * 0.52, -0.02), (2 * r, h * 1.04, 2 * r)) for x in np.linspace(-w / 2, w / 2, bays + 1)]
    levels = np.linspace(0.2, 0.85, pick(rng, 2, 2, 3)) * h
    rails = [box((0, y, -0.02), (w, 0.06, t)) for y in levels]
    if kind == "rail":
        bars = [frustum((-w / 2, y, 0), (w / 2, y + rng.uniform(-0.04, 0.04), 0), 0.045, segments=7) for y in levels]
        return parts(post=posts, rail=bars)
    n = rng.integers(8, 22)
    x = (np.arange(n) + 0.5) / n * w - w / 2
    if kind == "iron":
        pickets = [frustum((a, 0.08, 0), (a, h, 0), 0.01, segments=6) for a in x]
        tips = [frustum((a, h, 0), (a, h + 0.09, 0), 0.025, 0.001, segments=6) for a in x]
        return parts(post=posts, rail=rails, picket=pickets + tips)
    if kind == "lattice":
        slats = [
            rotate(box((a, h / 2, 0), (0.03, h * 1.35, 0.01)), axis="z", angle=s * 0.78, about=(a, h / 2, 0))
            for a in x
            for s in SIDES
        ]
        slats = [m.clip((-w / 2, 0.08, -9), (w / 2, h * 0.95, 9)) for m in slats]
        return parts(post=posts, rail=[box((0, y, 0), (w, 0.06, 0.04)) for y in (0.08, h * 0.95)], picket=slats)
    wide = w / n * (rng.uniform(0.45, 0.75) if kind == "picket" else 0.97)
    tip, arch = wide * pick(rng, 0, 0.5, 0.8), pick(rng, 0, 0, 0.15, -0.15)
    tall = h * (1 + arch * (1 - (2 * x / w) ** 2))
    heads = [
        np.array([(-wide / 2, 0.05), (wide / 2, 0.05), (wide / 2, y - tip), (0, y), (-wide / 2, y - tip)]) for y in tall
    ]
    return parts(
        post=posts, rail=rails, picket=[extrude(head, t) + (a, 0, 0) for a, head in zip(x, heads, strict=True)]
    )


GENERATORS = {
    "mantel": mantel,
    "counter": counter,
    "stairs": stairs,
    "door": door,
    "window": window,
    "curtain": curtain,
    "shower_curtain": shower_curtain,
    "picture": picture,
    "rug": rug,
    "fence": fence,
    "bathtub": bathtub,
    "sink": sink,
    "toilet": toilet,
    "refrigerator": refrigerator,
    "oven": stove,
    "washing_machine": washing_machine,
    "range_hood": range_hood,
    "radiator": radiator,
    "pillow": pillow,
    "box": carton,
    "trash_can": trash_can,
}
