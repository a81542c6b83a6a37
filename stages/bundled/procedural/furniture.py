"""Random beds, tables and desks as (part name, triangles), y up, front +z, floor at y = 0; lists all furniture."""

import numpy as np

from stages.bundled.procedural.joinery import (
    SIDES,
    border,
    cells,
    chance,
    handle,
    joined,
    legs,
    loft,
    parts,
    plate,
    soft,
    star,
    stretchers,
    unit,
)
from stages.bundled.procedural.mesh import box, frustum, lathe, rotate
from stages.bundled.procedural.seating import armchair, bench, chair, sofa, stool
from stages.bundled.procedural.shapes import pick
from stages.bundled.procedural.storage import bookshelf, cabinet, dresser, night_stand, tv_stand, wardrobe


def _bed_end(rng, w, low, high, z, kind):
    """Headboard or footboard at depth `z`: board, posts and slats, arched, padded, or sleigh."""
    t = rng.uniform(0.03, 0.07)
    posts = [frustum((s * w / 2, 0, z), (s * w / 2, high, z), t * 0.7, segments=8) for s in SIDES]
    if kind == "board":
        return [box((0, (low + high) / 2, z), (w, high - low, t)), *posts]
    if kind == "slats":
        bars = [
            box((x, (low + high) / 2, z), (t / 2, high - low, t / 2))
            for x in np.linspace(-0.45, 0.45, rng.integers(6, 16)) * w
        ]
        return [box((0, high - t, z), (w, t * 1.5, t)), box((0, low, z), (w, t, t)), *bars, *posts]
    if kind == "arch":
        x = np.linspace(-w / 2, w / 2, 13)
        top = high - (high - low) * 0.35 * (2 * x / w) ** 2
        return [loft(np.stack([x, 0 * x + low], 1), np.stack([x, top], 1), t) + (0, 0, z), *posts]
    if kind == "soft":
        pads = cells(-w / 2, low, w, high - low, rng.integers(1, 5), rng.integers(1, 3))
        return [soft((x, y, z), (a * 0.99, b * 0.99, 0.12), 0.25, segments=8) for x, y, a, b in pads]
    away = np.sign(z) * 0.12
    y = np.linspace(0, 1, 8)
    curve = np.stack([z + away * (1.3 * y**3 - 0.3 * y), low + y * (high - low)], 1)
    return [
        loft(curve, curve + (0.05, 0), w)[..., [2, 1, 0]],
        frustum((-w / 2, high, z + away), (w / 2, high, z + away), 0.05),
    ]


def _bedding(rng, w, long, y, thick):
    """Mattress on height `y`, pillows at the head (-z), and perhaps a duvet."""
    top, count = y + thick, 1 if w < 1.2 else 2
    named = {"mattress": [soft((0, y + thick / 2, 0), (w, thick, long), 0.12)], "pillow": []}
    for x, _, pw, _ in cells(-w / 2, 0, w, 1, count) if chance(rng, 0.8) else []:
        for row in range(pick(rng, 1, 1, 2)):
            pillow = soft((x, top + 0.06, 0.25 - long / 2), (pw * 0.85, 0.15, rng.uniform(0.35, 0.45)), 0.5)
            named["pillow"].append(
                rotate(pillow, axis="x", angle=0.5 * row, about=(x, top, 0.2 - long / 2)) + (0, 0.1 * row, 0)
            )
    if chance(rng, 0.5):
        share, drop = rng.uniform(0.45, 0.75), rng.uniform(0.15, thick + y * 0.6)
        z = long / 2 * (1 - share) + 0.02
        named["duvet"] = [soft((0, top + 0.02 - drop / 2, z), (w + 0.06, drop + 0.06, long * share), 0.1)]
    return named


def bed(rng):
    """Panel, slatted, arched, padded, sleigh, platform, divan, bunk and canopy beds, single or double, made or bare."""
    w, long, y = (
        pick(rng, rng.uniform(0.8, 1.0), rng.uniform(1.3, 2.0)),
        rng.uniform(1.85, 2.15),
        rng.uniform(0.15, 0.45),
    )
    thick, kind = rng.uniform(0.14, 0.32), pick(rng, *["plain"] * 7, "divan", "bunk", "canopy")
    head_z, high = -long / 2 - 0.04, y + thick + rng.uniform(0.15, 0.75)
    if kind == "bunk":
        w, tall = min(w, 1.0), rng.uniform(1.5, 1.8)
        beds = [_bedding(rng, w, long, level, 0.15) for level in (0.3, tall - 0.4)]
        frame = [box((s * w / 2, level, 0), (0.04, 0.18, long)) for s in SIDES for level in (0.32, tall - 0.35)]
        frame += [box((w / 2, tall - 0.1, long * 0.1), (0.03, 0.1, long * 0.7))]
        ends = [
            box((0, level, e * long / 2), (w, 0.2, 0.03)) for e in SIDES for level in (0.4, tall - 0.3, tall - 0.05)
        ]
        rungs = [
            frustum((w / 2 + 0.05, v, long * 0.3), (w / 2 + 0.05, v, long * 0.45), 0.015)
            for v in np.arange(0.2, tall, 0.28)
        ]
        rails = [box((w / 2 + 0.05, tall / 2, long * z), (0.03, tall, 0.04)) for z in (0.3, 0.45)]
        return parts(
            **joined(
                *beds,
                {
                    "frame": frame + ends,
                    "ladder": rungs + rails,
                    "leg": legs(rng, w + 0.06, long + 0.06, tall, thick=0.07, kind="square"),
                },
            )
        )
    style = pick(rng, "board", "board", "slats", "arch", "soft", "sleigh")
    rail = rng.uniform(0.08, min(0.3, y))
    named = {
        "frame": [box((0, y - rail / 2 + 0.03, 0), (w + 0.06, rail, long + 0.04))],
        **_bedding(rng, w, long, y, thick),
    }
    named["leg"] = legs(rng, w, long, y, thick=rng.uniform(0.05, 0.1), kind=pick(rng, "square", "taper", "round"))
    if kind == "divan":
        named["frame"] = [box((0, y / 2 + 0.02, 0), (w, y - 0.03, long))]
        named["drawer"] = [box((w / 2, y / 2, z * long), (0.03, y * 0.6, long * 0.4)) for z in (-0.22, 0.22)]
    if kind != "divan" or chance(rng, 0.5):
        named["headboard"] = _bed_end(rng, w + 0.08, y * rng.uniform(0.2, 1), high, head_z, style)
    if kind == "plain" and chance(rng, 0.5):
        foot = y + thick * rng.uniform(0.4, 1.3) + rng.uniform(0, 0.2)
        named["footboard"] = _bed_end(rng, w + 0.08, y * 0.5, foot, -head_z, style)
    if kind == "canopy":
        tall = rng.uniform(1.8, 2.2)
        named["leg"] = legs(rng, w + 0.1, long + 0.1, tall, thick=0.06, kind=pick(rng, "square", "turned"))
        named["frame"] += [border(w + 0.1, long + 0.1, 0.06, 0.05)[..., [0, 2, 1]] + (0, tall, 0)]
        named["canopy"] = [box((0, tall + 0.02, 0), (w + 0.1, 0.01, long + 0.1))] if chance(rng, 0.4) else []
    return parts(**named)


def _table_base(rng, w, d, h, power):
    """What carries a table top: legs, pedestals, trestles, slabs, a cube frame or crossed feet."""
    kind = pick(rng, *["legs"] * 6, "pedestal", "pedestal", "trestle", "cross", "frame", "star", "drum")
    t = rng.uniform(0.035, 0.1) * min(1, h / 0.5)
    if power > 0.5 and kind in ("trestle", "frame"):
        kind = "pedestal"
    if kind == "drum" and h < 0.5:
        kind = "legs"
    if kind == "legs":
        inset = rng.uniform(0.55, 0.72) if power > 0.5 else rng.uniform(0.75, 0.99)
        made = legs(
            rng,
            w * inset,
            d * inset,
            h,
            thick=t,
            kind=pick(rng, "square", "square", "round", "taper", "splay", "turned", "slab", "sled", "hairpin"),
        )
        apron = rng.uniform(0.05, 0.14)
        if chance(rng, 0.45):
            made += [border(w * inset, d * inset, 0.02, apron)[..., [0, 2, 1]] + (0, h - apron / 2, 0)]
        if chance(rng, 0.25):
            made += stretchers(w * inset - t, d * inset - t, h * rng.uniform(0.1, 0.4), t * 0.7, cross=chance(rng, 0.5))
        elif chance(rng, 0.2):
            made += [plate(w * inset * 0.97, d * inset * 0.97, h * rng.uniform(0.15, 0.5), 0.02, power)]
        return made
    if kind in ("pedestal", "drum", "star"):
        spots, small = ((-w * 0.28, w * 0.28) if w > 1.8 * d else (0,)), min(w, d)
        waist = {"drum": (0.3, 0.24, 0.3)}.get(
            kind, (rng.uniform(0.25, 0.38), rng.uniform(0.04, 0.1), rng.uniform(0.05, 0.2))
        )
        r = np.array(waist) * min(small, h * 1.2)
        column = lathe(
            [(0, 0), (r[0], 0), (r[0], 0.025), (r[1] * 1.4, 0.06), (r[1], h * 0.3), (r[1], h * 0.8), (r[2], h)]
        )
        if kind == "star":
            return [m + (x, 0, 0) for x in spots for m in star(rng, small * 0.35, h, casters=False)]
        return [column + (x, 0, 0) for x in spots]
    if kind == "frame":
        return [border(w, d, t * 0.6, t * 0.6)[..., [0, 2, 1]] + (0, y, 0) for y in (t * 0.3, h - t * 0.3)] + legs(
            rng, w, d, h, thick=t * 0.6, kind="square"
        )
    foot = d * 0.42
    ends, lean = [s * w * rng.uniform(0.33, 0.46) for s in SIDES], foot * pick(rng, 0, 0.4, 0.8)
    beam = [box((0, h * rng.uniform(0.15, 0.5), 0), (abs(ends[0]) * 2, t, t * 0.6))]
    if kind == "cross":
        return beam + [frustum((x, 0, s * foot), (x, h, -s * foot), t / 2, segments=6) for x in ends for s in SIDES]
    posts = [frustum((x, 0, s * foot), (x, h, s * (foot - lean)), t / 2, segments=6) for x in ends for s in SIDES]
    return beam + posts + [box((x, y, 0), (t, t, foot * 2)) for x in ends for y in (t / 2, h - t / 2)]


def table(rng):
    """Dining, coffee, side, console and bar tables: angular, round or oval, on legs, pedestals or trestles."""
    h = pick(rng, rng.uniform(0.35, 0.5), rng.uniform(0.68, 0.8), rng.uniform(0.68, 0.8), rng.uniform(0.5, 1.1))
    w, power = rng.uniform(0.6, 2.2) if h < 0.85 else rng.uniform(0.5, 1.2), pick(rng, 0, 0, 0, 0, 0.2, 0.45, 1, 1)
    d = w * pick(rng, 1, rng.uniform(0.4, 0.75), rng.uniform(0.35, 0.6))
    thick = pick(rng, rng.uniform(0.012, 0.03), rng.uniform(0.03, 0.07))
    named = {"desktop": [plate(w, d, h, thick, power)], "leg": _table_base(rng, w, d, h - thick, power)}
    if power == 0 and chance(rng, 0.25):
        tall, n = rng.uniform(0.07, 0.16), rng.integers(1, 4)
        named["desktop"] += [box((0, h - thick - tall / 2, 0), (w * 0.84, tall, d * 0.78))]
        named["drawer"] = [
            m
            for x, y, a, b in cells(-w * 0.42, h - thick - tall, w * 0.84, tall, n)
            for m in (box((x, y, d * 0.39), (a * 0.94, b * 0.85, 0.03)), *handle("knob", x, y, d * 0.4, 0.1))
        ]
    return parts(**named)


def desk(rng):
    """Pedestal, executive, writing, panel-sided, L-shaped, computer and hutch desks."""
    w, d, h, t = rng.uniform(0.9, 1.9), rng.uniform(0.45, 0.85), rng.uniform(0.7, 0.78), rng.uniform(0.02, 0.05)
    named, under = joined({"desktop": [box((0, h - t / 2, 0), (w, t, d))]}), h - t
    kind = pick(rng, "double", "double", "single", "single", "writing", "panel", "computer")
    block, flip = w * rng.uniform(0.22, 0.32), pick(rng, *SIDES)
    lift = pick(rng, 0, 0, rng.uniform(0.08, 0.2)) if kind in ("double", "single") else 0
    sides = {"double": SIDES, "single": (flip,), "computer": (flip,)}.get(kind, ())
    for s in sides:
        rows = [(1, 1, "drawer")] * pick(rng, 2, 3, 3, 4) if kind != "computer" else [(2, 1, "open"), (1, 1, "drawer")]
        rows = pick(rng, rows, rows, [(2, 1, "door"), (1, 1, "drawer")])
        named = joined(named, unit(rng, block, under - lift, d * 0.94, rows, at=(s * (w - block) / 2 * 0.98, lift, 0)))
    if lift:
        named["leg"] += legs(rng, w * 0.95, d * 0.9, lift, kind=pick(rng, "square", "taper", "round"))
    if kind in ("single", "computer"):
        post = [box((-flip * w * 0.46, under / 2, z), (0.05, under, 0.05)) for z in (-d * 0.43, d * 0.43)]
        named["leg"] += pick(rng, [box((-flip * (w - t) / 2, under / 2, 0), (t, under, d))], post)
    if kind == "writing":
        named["leg"] += legs(rng, w * 0.96, d * 0.94, under, thick=rng.uniform(0.03, 0.07))
        wide, tall = w * 0.92, rng.uniform(0.08, 0.14)
        named["frame"] += [box((0, under - tall / 2, 0), (wide, tall, d * 0.86))]
        for x, y, a, b in cells(-wide / 2, under - tall, wide, tall, rng.integers(1, 4)):
            named["drawer"] += [box((x, y, d * 0.44), (a * 0.95, b * 0.85, 0.03)), *handle("knob", x, y, d * 0.45, 0.1)]
    if kind == "panel":
        named["leg"] += [box((s * (w - t) / 2, under / 2, 0), (t, under, d)) for s in SIDES]
    if kind != "writing" and chance(rng, 0.7):
        tall = under * rng.uniform(0.4, 1)
        named["panel"] += [box((0, under - tall / 2, -d * 0.42), (w * 0.96, tall, 0.02))]
    if kind in ("computer", "double", "single") and chance(rng, 0.5):
        named["drawer"] += [
            box((-flip * block * 0.5 * (kind != "double"), under - 0.07, d * 0.1), (w * 0.4, 0.03, d * 0.75))
        ]
    if kind == "computer" or chance(rng, 0.15):
        rows = pick(rng, [(1, 1, "open"), (0.6, 3, "open")], [(1, 2, "open")], [(1, 3, "open"), (1, 3, "door")])
        tall, deep = rng.uniform(0.35, 0.8), d * rng.uniform(0.35, 0.5)
        named = joined(named, unit(rng, w, tall, deep, rows, at=(0, h, (deep - d) / 2)))
    elif chance(rng, 0.25):
        long, wide = rng.uniform(0.5, 1.1), rng.uniform(0.45, 0.6)
        x, z = flip * (w - wide) / 2, -d / 2 - long / 2
        z = pick(rng, z, -z)
        named["desktop"] += [box((x, h - t / 2, z), (wide, t, long))]
        named["leg"] += [
            box((x, under / 2, z * (1 + long / 2 / abs(z)) - np.sign(z) * 0.03), (wide * 0.9, under, 0.03))
        ]
    return parts(**named)


GENERATORS = {
    "chair": chair,
    "armchair": armchair,
    "stool": stool,
    "bench": bench,
    "sofa": sofa,
    "bed": bed,
    "table": table,
    "desk": desk,
    "night_stand": night_stand,
    "dresser": dresser,
    "wardrobe": wardrobe,
    "cabinet": cabinet,
    "bookshelf": bookshelf,
    "tv_stand": tv_stand,
}
