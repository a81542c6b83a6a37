"""Random storage furniture as lists of (part name, triangles), y up, front +z, floor at y = 0."""

from collections import defaultdict

import numpy as np

from stages.bundled.procedural.joinery import SIDES, border, cells, chance, joined, legs, parts, plate, raised, unit
from stages.bundled.procedural.mesh import box, ellipsoid, frustum, lathe, rotate
from stages.bundled.procedural.shapes import pick


def night_stand(rng):
    """Bedside boxes: one to three drawers, drawer over open shelf, door, round drum, or a little table with drawer."""
    w, h, kind = rng.uniform(0.35, 0.62), rng.uniform(0.4, 0.72), pick(rng, "box", "box", "box", "table", "drum")
    d = w * rng.uniform(0.7, 1.05)
    top = rng.uniform(0.015, 0.045)
    if kind == "drum":
        drawers = [
            lathe([(w * 0.51, y - h * 0.15), (w * 0.51, y + h * 0.15)], arc=np.pi * 0.8, segments=12)
            for y in (h * 0.3, h * 0.7)
        ]
        turn = [rotate(m, axis="y", angle=-np.pi * 0.1) for m in drawers]
        return parts(
            frame=[frustum((0, 0.02, 0), (0, h, 0), w / 2, segments=20)],
            drawer=turn,
            handle=[ellipsoid((0, y, w * 0.53), 0.018, segments=8) for y in (h * 0.3, h * 0.7)],
        )
    lid = [plate(w * rng.uniform(1, 1.12), d * rng.uniform(1, 1.1), h + top, top, pick(rng, 0, 0, 0.2))]
    if kind == "table":
        body = h * rng.uniform(0.2, 0.45)
        named = unit(rng, w, body, d, [(1, 1, "drawer")] * pick(rng, 1, 1, 2), at=(0, h - body, 0))
        shelf = [box((0, h * 0.15, 0), (w * 0.95, 0.02, d * 0.95))] if chance(rng, 0.6) else []
        named = joined(
            named, {"shelf": shelf, "leg": legs(rng, w, d, h - body, kind=pick(rng, "square", "taper", "turned"))}
        )
        return parts(top=lid, **named)
    rows = pick(
        rng,
        *[[(1, 1, "drawer")] * n for n in (1, 2, 2, 3, 3)],
        [(1.5, 1, "open"), (1, 1, "drawer")],
        [(1, 1, "drawer"), (1, 1, "open")],
        [(2, 1, "door"), (1, 1, "drawer")],
        [(1, 1, "open")],
    )
    lift = rng.uniform(0.05, 0.2)
    named = raised(rng, joined({"top": lid}, unit(rng, w, h, d, rows)), w, d, lift)
    return parts(**named)


def dresser(rng):
    """Chests of drawers: low and wide, tall, mixed rows, with side doors, on legs or plinth, perhaps with a mirror."""
    w, d, n = rng.uniform(0.6, 1.6), rng.uniform(0.4, 0.6), pick(rng, 3, 4, 4, 5, 6)
    h = pick(rng, rng.uniform(0.7, 0.95), rng.uniform(0.95, 1.4))
    columns = 1 if w < 0.95 else pick(rng, 2, 2, 3)
    rows = [(rng.uniform(1, 1.4) if i < n - 1 else 0.8, columns, "drawer") for i in range(n)]
    if chance(rng, 0.35):
        rows = [(1, 1 if w < 1.3 else 2, "drawer")] * (n - 1) + [(0.8, pick(rng, 2, 3), "drawer")]
    if chance(rng, 0.12):
        rows = [(3, columns + 1, "door"), (1, columns + 1, "drawer")]
    lid = [box((0, h + 0.012, 0.01), (w * rng.uniform(1, 1.06), rng.uniform(0.02, 0.05), d * 1.05))]
    named = defaultdict(
        list, raised(rng, joined({"top": lid}, unit(rng, w, h, d, rows)), w, d, rng.uniform(0.06, 0.22))
    )
    if chance(rng, 0.3):
        wide, tall, y = w * rng.uniform(0.5, 0.9), rng.uniform(0.6, 1.0), max(m[..., 1].max() for m in named["top"])
        oval = plate(wide, tall, 0.01, 0.02, pick(rng, 0.6, 1))[..., [0, 2, 1]] + (0, y + tall / 2, -d * 0.4)
        square = border(wide, tall, 0.05, 0.04, (0, y + tall / 2, -d * 0.4))
        glass = box((0, y + tall / 2, -d * 0.4), (wide * 0.97, tall * 0.97, 0.012))
        named["mirror"] = pick(rng, [square, glass], [square, glass], [oval])
    return parts(**named)


def wardrobe(rng):
    """Tall closets: one to four doors, drawers below, open side, top boxes, crown moulding, sliding fronts."""
    w, h, d = rng.uniform(0.7, 2.2), rng.uniform(1.7, 2.4), rng.uniform(0.5, 0.68)
    n = max(1, round(w / rng.uniform(0.42, 0.6)))
    rows = pick(
        rng,
        [(1, n, "door")],
        [(1, n, "door")],
        [(1, 1, "drawer"), (5, n, "door")],
        [(4, n, "door"), (1, n, "door")],
        [(0.6, max(1, n // 2), "drawer"), (0.6, max(1, n // 2), "drawer"), (4, n, "door")],
        [(1, n, "glass")],
    )
    if n > 1 and chance(rng, 0.2):
        side, cut = pick(rng, *SIDES), w / n
        named = joined(
            unit(rng, w - cut, h, d, [(1, n - 1, "door")], at=(-side * cut / 2, 0, 0)),
            unit(rng, cut, h, d, [(1, 1, "open")] * pick(rng, 3, 4, 5), at=(side * (w - cut) / 2, 0, 0)),
        )
    else:
        named = joined(unit(rng, w, h, d, rows))
    if chance(rng, 0.4):
        named["top"] = [
            box((0, h + 0.03, 0.01), (w * 1.05, 0.06, d * 1.06)),
            box((0, h + 0.08, 0.01), (w * 1.1, 0.04, d * 1.1)),
        ]
    if chance(rng, 0.2):
        named["door"] += [
            border(w / n * 0.6, h * 0.35, 0.02, 0.02, (x, y, d / 2 + 0.015))
            for x, y, _, _ in cells(-w / 2, h * 0.1, w, h * 0.85, n, 2)
        ]
    return parts(**raised(rng, named, w, d, rng.uniform(0.06, 0.16)))


def cabinet(rng):
    """Sideboards, base and wall cupboards, tall larders, glazed china cabinets and file cabinets."""
    kind, d = pick(rng, "low", "low", "tall", "china", "file", "cupboard"), rng.uniform(0.32, 0.55)
    w = {
        "low": rng.uniform(0.8, 2),
        "tall": rng.uniform(0.4, 0.9),
        "china": rng.uniform(0.7, 1.4),
        "file": rng.uniform(0.38, 0.5),
    }.get(kind, rng.uniform(0.4, 0.9))
    h = {"low": rng.uniform(0.6, 0.95), "tall": rng.uniform(1.3, 2.1), "file": rng.uniform(0.7, 1.4)}.get(
        kind, rng.uniform(0.6, 0.9)
    )
    n = max(1, round(w / rng.uniform(0.35, 0.55)))
    rows = {
        "low": pick(rng, [(1, n, "door")], [(3, n, "door"), (1, n, "drawer")], [(1, n, "glass")]),
        "tall": pick(rng, [(1, n, "door")], [(2, n, "door"), (1, n, "door")], [(1, n, "door"), (1, n, "open")]),
        "file": [(1, 1, "drawer")] * pick(rng, 2, 3, 4, 4),
        "china": pick(rng, [(1, n, "door")], [(2, n, "door"), (1, n, "drawer")]),
    }.get(kind, [(1, n, "door")])
    lid = [box((0, h + 0.012, 0.01), (w * rng.uniform(1, 1.06), 0.025, d * 1.04))]
    named = joined({"top": lid}, unit(rng, w, h, d, rows))
    if kind == "china":
        deep, tall = d * rng.uniform(0.65, 1), rng.uniform(0.8, 1.2)
        upper = unit(rng, w * 0.96, tall, deep, [(1, n, "glass")], at=(0, h + 0.02, (deep - d) / 2))
        shelves = [box((0, h + tall * y, (deep - d) / 2), (w * 0.92, 0.015, deep * 0.9)) for y in (0.35, 0.67)]
        crown = [box((0, h + tall + 0.03, (deep - d) / 2), (w * 1.03, 0.05, deep * 1.1))]
        named = joined(named, upper, {"shelf": shelves, "top": crown})
    if chance(rng, 0.15):
        named["door"] = [
            rotate(m, axis="y", angle=1.2, about=(m[..., 0].max(), 0, d / 2)) if i == len(named["door"]) - 1 else m
            for i, m in enumerate(named["door"])
        ]
    return parts(**(named if kind == "file" else raised(rng, named, w, d, rng.uniform(0.06, 0.3))))


def _books(rng, x0, x1, y, tall, depth, z=0.0):
    """Row of upright books filling part of a shelf, at most eight, the last sometimes leaning."""
    made, x = [], x0 + 0.01
    for _ in range(rng.integers(2, 9)):
        thick, high = rng.uniform(0.02, 0.08), tall * rng.uniform(0.55, 0.88)
        if x + thick > x1 - 0.01:
            break
        made.append(box((x + thick / 2, y + high / 2, z), (thick * 0.94, high, depth * rng.uniform(0.6, 0.85))))
        x += thick
    return made


def bookshelf(rng):
    """Bookcases with even, wide, cubed or irregular cells, back or none, ladder and leaning shelves, books or empty."""
    w, h, d = rng.uniform(0.5, 1.8), rng.uniform(0.9, 2.2), rng.uniform(0.24, 0.4)
    n, kind, books = (
        max(2, round(h / rng.uniform(0.28, 0.42))),
        pick(rng, *["case"] * 4, "irregular", "ladder", "rack"),
        [],
    )
    t, fill = rng.uniform(0.015, 0.04), pick(rng, 0, 0, 0.7)
    if kind in ("ladder", "rack"):
        lean = rng.uniform(0.15, 0.35) if kind == "ladder" else 0
        levels = np.linspace(0.12, 0.98, min(n, 6))
        z = -lean * levels + lean / 2
        deep = np.where(lean > 0, d * (1.3 - 0.7 * levels), d)
        boards = [box((0, y * h, a), (w, t, b)) for y, a, b in zip(levels, z, deep, strict=True)]
        rails = [
            frustum(
                (s * w / 2, 0, e * d / 2 + lean / 2),
                (s * w / 2, h, e * d * (0.3 if lean else 0.5) - lean / 2),
                0.016,
                segments=6,
            )
            for s in SIDES
            for e in SIDES
        ]
        books = [
            m
            for y, a in zip(levels[:-1], z, strict=False)
            if chance(rng, fill)
            for m in _books(rng, -w / 2, w / 2, y * h + t / 2, h / n * 0.8, d * 0.7, a)
        ]
        return parts(shelf=boards, frame=rails, book=books)
    columns = 1 if w < 0.9 else pick(rng, 1, 2, 3, round(w / 0.38))
    rows = [(1, columns, "open")] * min(n, 7)
    if kind == "irregular":
        rows = [(rng.uniform(0.6, 1.6), rng.integers(1, 5), "open") for _ in range(min(n, 6))]
    elif chance(rng, 0.2):
        rows[0] = (1.4, max(2, columns), "door")
    named = joined(unit(rng, w, h, d, rows, board=t, back=chance(rng, 0.7)))
    y, total = t, sum(row[0] for row in rows)
    for share, count, front in rows:
        span = (h - 2 * t) * share / total
        for x, _, cw, _ in cells(-w / 2, y, w, span, count):
            if front == "open" and chance(rng, fill) and len(books) < 45:
                books += _books(rng, x - cw / 2 + t, x + cw / 2 - t, y + t / 2, span, d)
        y += span
    return parts(**joined(named, {"book": books}))


def tv_stand(rng):
    """Low media units: open bays, doors or drawers at the sides, on legs, tiers on posts, with towers or a bridge."""
    w, h, d = rng.uniform(0.9, 2.1), rng.uniform(0.32, 0.65), rng.uniform(0.35, 0.55)
    kind, t = pick(rng, "unit", "unit", "sides", "sides", "tiers", "bridge"), rng.uniform(0.018, 0.05)
    if kind == "tiers":
        power, levels = pick(rng, 0, 0.2, 0.5), np.linspace(0.12, 1, pick(rng, 2, 3, 3)) * h
        boards = [plate(w, d, y, t * 0.6, power) for y in levels]
        posts = pick(
            rng,
            legs(rng, w * 0.8, d * 0.7, h, thick=0.05, kind="round"),
            legs(rng, w * 0.9, d * 0.9, h, thick=0.04, kind="slab"),
            [
                box((0, h / 2, -d * 0.4), (w * 0.3, h, 0.05)),
                *legs(rng, w * 0.85, d * 0.8, h, thick=0.03, kind="square"),
            ],
        )
        return parts(shelf=boards, leg=posts)
    low = pick(rng, "door", "drawer", "open")
    rows = pick(
        rng,
        [(1, pick(rng, 2, 3, 4), "open")],
        [(1, 2, "open"), (1, 2, "open")],
        [(1.2, pick(rng, 2, 3), "drawer"), (1, 2, "open")],
        [(1, pick(rng, 2, 3), low), (0.7, pick(rng, 1, 2, 3), "open")],
    )
    if kind == "unit":
        named = joined(unit(rng, w, h, d, rows, board=t, back=chance(rng, 0.7)))
    else:
        side = w * rng.uniform(0.22, 0.33)
        flank = pick(rng, [(1, 1, "door")], [(1, 1, "drawer")] * 2, [(1, 1, "glass")])
        middle = unit(
            rng,
            w - 2 * side,
            h,
            d,
            pick(rng, [(1, 1, "open")] * 2, [(1, 1, "open")], [(1, 1, "drawer"), (1, 1, "open")]),
            board=t,
        )
        named = joined(middle, *[unit(rng, side, h, d, flank, at=(s * (w - side) / 2, 0, 0), board=t) for s in SIDES])
    named["top"] = [box((0, h + t / 2, 0), (w * rng.uniform(1, 1.06), t, d * 1.05))]
    if kind == "bridge":
        tall, cut = rng.uniform(0.5, 1.1), rng.uniform(0.2, 0.35)
        towers = [unit(rng, cut, tall, d * 0.8, [(1, 1, "open")] * 3, at=(s * (w - cut) / 2, h + t, 0)) for s in SIDES]
        named = joined(
            named,
            *towers,
            {"shelf": [box((0, h + t + tall - 0.15, 0), (w - 2 * cut, 0.3, d * 0.6))] if chance(rng, 0.6) else []},
        )
    return parts(**raised(rng, named, w, d, rng.uniform(0.06, 0.22)))
