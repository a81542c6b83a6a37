"""Random kitchen and laundry appliances as (part name, triangles), y up, front +z, floor at y = 0."""

from collections import defaultdict

import numpy as np

from stages.bundled.procedural.joinery import SIDES, border, cells, chance, legs, loft, parts, plate, soft, stack
from stages.bundled.procedural.mesh import box, frustum, lathe, ring, rotate, tube
from stages.bundled.procedural.shapes import pick

FRONT = (0.0, 0.0, 1.0)


def refrigerator(rng):
    """Single-door, mini, top- or bottom-freezer, side-by-side, French-door and retro refrigerators."""
    kind = pick(rng, "single", "mini", "top", "top", "bottom", "side", "side", "french")
    w = rng.uniform(0.75, 0.95) if kind in ("side", "french") else rng.uniform(0.48, 0.75)
    h, d = rng.uniform(0.55, 0.9) if kind == "mini" else rng.uniform(1.45, 1.95), rng.uniform(0.52, 0.72)
    split, foot, t = rng.uniform(0.25, 0.38), rng.uniform(0.02, 0.08), rng.uniform(0.04, 0.08)
    tall = h - foot
    areas = {
        "top": [(0, 0, 1, 1 - split), (0, 1 - split, 1, split)],
        "bottom": [(0, 0, 1, split), (0, split, 1, 1 - split)],
        "side": [(0, 0, 0.45, 1), (0.45, 0, 0.55, 1)],
        "french": [(0, 0, 1, split), (0, split, 0.5, 1 - split), (0.5, split, 0.5, 1 - split)],
    }.get(kind, [(0, 0, 1, 1)])
    round_, pull = pick(rng, 0, 0, rng.uniform(0.08, 0.2)), pick(rng, "bar", "bar", "tube", "none")
    skin = (lambda c, s: soft(c, s, round_)) if round_ else box
    named = defaultdict(list, frame=[skin((0, foot + tall / 2, 0), (w, tall, d))])
    named["foot"] = legs(rng, w * 0.9, d * 0.9, foot + 0.01, thick=0.04, kind="round")
    hinge = pick(rng, *SIDES)
    for i, (x, y, a, b) in enumerate(areas):
        cx, cy, z = w * (x + a / 2 - 0.5), foot + tall * (y + b / 2), d / 2 + t / 2 + 0.01
        named["door"].append(skin((cx, cy, z), (w * a - 0.012, tall * b - 0.012, t)))
        side = {"side": (1, -1)[i % 2], "french": (0, 1, -1)[i % 3]}.get(kind, hinge)
        long = tall * b * rng.uniform(0.3, 0.75)
        hx, reach = cx + side * (w * a / 2 - 0.05), z + t / 2 + 0.04
        if pull == "tube":
            ends = (
                [(hx, cy - long / 2), (hx, cy + long / 2)]
                if side
                else [(-w * 0.35, cy + tall * b * 0.35), (w * 0.35, cy + tall * b * 0.35)]
            )
            (x0, y0), (x1, y1) = ends
            named["handle"] += [
                tube([(x0, y0, reach - 0.04), (x0, y0, reach), (x1, y1, reach), (x1, y1, reach - 0.04)], 0.012)
            ]
        elif pull == "bar":
            named["handle"].append(
                box((hx, cy, reach - 0.02), (0.03, long, 0.04))
                if side
                else box((0, cy + tall * b * 0.35, reach - 0.02), (w * 0.7, 0.03, 0.04))
            )
    if kind == "side" and chance(rng, 0.5):
        named["dispenser"] = [border(w * 0.22, 0.35, 0.02, 0.02, (-w * 0.27, foot + tall * 0.6, d / 2 + t + 0.015))]
    return parts(**named)


def _burner(style, x, y, z, radius, cell):
    """One burner at (x, y, z): coil, disc, or gas with a square grate over its `cell`."""
    if style == "coil":
        return [ring((x, y + 0.02, z), radius * k, 0.008, segments=8) for k in (0.5, 1)]
    if style == "disc":
        return [frustum((x, y, z), (x, y + 0.03, z), radius)]
    bars = [box((x, y + 0.045, z), size) for size in ((cell * 0.85, 0.012, 0.012), (0.012, 0.012, cell * 0.8))]
    rim = border(cell * 0.88, cell * 0.8, 0.012, 0.04)[..., [0, 2, 1]] + (x, y + 0.03, z)
    return [frustum((x, y, z), (x, y + 0.03, z), radius * 0.4), *bars, rim]


def stove(rng):
    """Freestanding and slide-in cookers with coil, plate or grate burners, double oven, backguard or vintage legs."""
    w, d, h = (
        pick(rng, rng.uniform(0.5, 0.62), rng.uniform(0.7, 0.95)),
        rng.uniform(0.55, 0.68),
        rng.uniform(0.84, 0.94),
    )
    lift, knobs, z = pick(rng, 0, 0, 0.04, rng.uniform(0.15, 0.3)), rng.integers(4, 7), d / 2
    named = defaultdict(
        list,
        frame=[box((0, (h + lift) / 2, 0), (w, h - lift, d))],
        top=[box((0, h, 0.01), (w * 1.02, 0.025, d * 1.03))],
    )
    style, panel = pick(rng, "coil", "disc", "grate"), h - 0.1
    r = min(w, d) * 0.16
    for x, y, a, _ in cells(-w / 2, -d * 0.45, w, d * 0.9, pick(rng, 2, 2, 3) if w > 0.7 else 2, 2):
        s = r * rng.uniform(0.7, 1)
        named["burner"] += _burner(style, x, h, y, s, a)
    guard = rng.uniform(0.1, 0.28) if chance(rng, 0.55) else 0
    if guard:
        named["backguard"] = [box((0, h + guard / 2, -d / 2 + 0.03), (w, guard, 0.06))]
    up = guard > 0.12 and chance(rng, 0.6)
    spot = (h + guard * 0.6, -d / 2 + 0.06) if up else (panel + 0.03, z)
    named["knob"] = [
        frustum((x, spot[0], spot[1]), (x, spot[0], spot[1] + 0.035), 0.022, 0.018)
        for x in np.linspace(-0.42, 0.42, knobs) * w
    ]
    rows = pick(
        rng,
        [(lift + 0.06, lift + 0.24), (lift + 0.26, panel - 0.03)],
        [(lift + 0.06, panel - 0.03)],
        [(lift + 0.05, h * 0.55), (h * 0.57, panel - 0.03)],
    )
    for low, high in rows:
        named["door"] += [box((0, (low + high) / 2, z + 0.015), (w * 0.94, high - low, 0.03))]
        named["handle"] += [frustum((-w * 0.4, high - 0.05, z + 0.07), (w * 0.4, high - 0.05, z + 0.07), 0.012)]
        named["handle"] += [box((s * w * 0.38, high - 0.05, z + 0.05), (0.02, 0.02, 0.04)) for s in SIDES]
        if high - low > 0.3:
            named["window"] += [
                border(w * 0.66, (high - low) * 0.55, 0.02, 0.015, (0, (low + high) / 2 - 0.03, z + 0.035))
            ]
    named["leg"] = legs(rng, w * 0.94, d * 0.9, lift, kind=pick(rng, "taper", "turned", "square")) if lift else []
    return parts(**named)


def washing_machine(rng):
    """Front loaders with a round door, open or shut, top loaders with a backguard, and stacked pairs."""
    w, d, h, kind = (
        rng.uniform(0.55, 0.7),
        rng.uniform(0.5, 0.7),
        rng.uniform(0.82, 1.0),
        pick(rng, "front", "front", "front", "top", "stack"),
    )
    named = defaultdict(list)
    for y in (0, h) if kind == "stack" else (0,):
        body = (
            box((0, y + h / 2, 0), (w, h - 0.01, d)) if chance(rng, 0.6) else soft((0, y + h / 2, 0), (w, h, d), 0.08)
        )
        named["frame"].append(body)
        if kind == "top":
            guard = rng.uniform(0.1, 0.22)
            lid = box((0, h + 0.015, 0.04), (w * 0.85, 0.02, d * 0.72))
            named["lid"] = [rotate(lid, axis="x", angle=-pick(rng, 0, 0, 1.4), about=(0, h + 0.015, -d * 0.32))]
            named["panel"] = [
                stack([(w, 0.14, h, 0), (w, 0.06, h + guard, -0.03), (0, 0, h + guard, -0.03)], 0)
                + (0, 0, 0.07 - d / 2)
            ]
            spots = [(x, h + guard * 0.5, 0.11 - d / 2) for x in np.array((-0.3, 0, 0.3)) * w]
        else:
            r, cy, z = w * rng.uniform(0.27, 0.36), y + h * rng.uniform(0.42, 0.52), d / 2
            dome = lathe([(0, rng.uniform(-0.04, 0.05)), (r * 0.4, 0.03), (r * 0.72, 0.03)])[..., [0, 2, 1]]
            porthole = [ring((0, 0, 0.02), r * 0.86, r * 0.14, axis=FRONT) * (1, 1, 0.6), dome]
            angle = pick(rng, 0, 0, 0, -1.6)
            named["door"] += [rotate(m + (0, cy, z), axis="y", angle=angle, about=(-r, 0, z)) for m in porthole]
            if angle:
                named["drum"] += [lathe([(0, -0.3), (r * 0.8, -0.3), (r * 0.85, 0.01)])[..., [0, 2, 1]] + (0, cy, z)]
            top = y + h - 0.08
            named["panel"] += [
                box((0, top, z + 0.01), (w * 0.98, 0.13, 0.02)),
                box((-w * 0.33, top, z + 0.02), (w * 0.28, 0.09, 0.02)),
            ]
            spots = [(x * w, top, z + 0.02) for x in pick(rng, (0.05,), (0.05, 0.25), (0.35,))]
        named["knob"] += [frustum(p, np.add(p, (0, 0, 0.03)), 0.035, 0.03) for p in spots]
    named["foot"] = [
        frustum((a * w * 0.42, -0.02, b * d * 0.42), (a * w * 0.42, 0.01, b * d * 0.42), 0.025)
        for a in SIDES
        for b in SIDES
    ]
    return parts(**named)


def range_hood(rng):
    """Pyramid, box, under-cabinet, curved-glass, bell, slanted and island hoods, most with a chimney."""
    w, d, kind = (
        rng.uniform(0.55, 1.2),
        rng.uniform(0.42, 0.6),
        pick(rng, "pyramid", "pyramid", "box", "under", "glass", "bell", "slant", "island"),
    )
    t, rise, flue = rng.uniform(0.03, 0.09), rng.uniform(0.12, 0.4), rng.uniform(0.2, 0.34)
    back, deep = -d / 2, flue * rng.uniform(0.7, 1)
    z, tall = back + deep / 2, rng.uniform(0.35, 0.9)
    lip = [border(w, d, 0.02, t)[..., [0, 2, 1]] + (0, t / 2, 0), box((0, t * 0.6, 0), (w * 0.97, 0.01, d * 0.97))]
    if kind in ("under", "slant"):
        h, front = (rng.uniform(0.12, 0.25), 1) if kind == "under" else (rng.uniform(0.35, 0.6), 0.35)
        skin = stack([(w, d, 0, 0), (w, d, 0.05, 0), (w, d * front, h, (front - 1) * d / 2), (0, 0, h, back / 2)], 0)
        knobs = [frustum((x * w, 0.03, d / 2), (x * w, 0.03, d / 2 + 0.02), 0.015) for x in (0.25, 0.32, 0.39)]
        pipe = [box((0, h + tall / 2, z), (flue, tall, deep))] if kind == "slant" or chance(rng, 0.3) else []
        return parts(hood=[skin, box((0, 0.01, 0), (w * 0.9, 0.01, d * 0.9))], knob=knobs, chimney=pipe)
    if kind == "island":
        z, power = 0, pick(rng, 0, 1)
        hood = [
            stack([(w, d, 0, 0), (w, d, t, 0), (flue, deep, t + rise * power, 0)], power),
            plate(w * 0.97, d * 0.97, t * 0.5, 0.01, power),
        ]
        pipe = (
            frustum((0, t, 0), (0, t + rise + tall, 0), flue / 2)
            if power
            else box((0, t + (rise + tall) / 2, 0), (flue, rise + tall, deep))
        )
        return parts(hood=hood, chimney=[pipe])
    if kind == "glass":
        x = np.linspace(-w / 2, w / 2, 13)
        bow = np.stack([x, t + 0.02 - rng.uniform(0, 0.15) * (2 * x / w) ** 2], 1)
        pane = loft(bow, bow + (0, 0.006), d)
        low = np.array((0, min(0, pane[..., 1].min()), 0))
        body = box((0, t / 2, -0.03), (w * 0.6, t, d * 0.8))
        pipe = box((0, t + tall / 2, z), (flue, tall, deep))
        return parts(glass=[pane - low], hood=[body - low], chimney=[pipe - low])
    if kind == "box":
        rise = rng.uniform(0.15, 0.3)
        hood = [box((0, t + rise / 2, back + d * 0.45), (w * rng.uniform(0.6, 1), rise, d * 0.9))]
    else:
        curve = 1.0 if kind == "pyramid" else rng.uniform(1.6, 3)
        s = (1 - np.linspace(0, 1, 6)) ** curve
        levels = [
            (flue + (w - flue) * a, deep + (d - deep) * a, t + rise * b, z * (1 - a))
            for a, b in zip(s, np.linspace(0, 1, 6), strict=True)
        ]
        hood = [stack(levels, 0)]
    pipe = [box((0, t + rise + tall / 2, z), (flue, tall, deep))] if chance(rng, 0.85) else []
    knobs = [box((x, t / 2, d / 2 + 0.006), (0.02, 0.015, 0.012)) for x in np.linspace(-0.06, 0.06, 4)]
    return parts(hood=hood + lip, chimney=pipe, knob=knobs)
