"""Random seats as lists of (part name, triangles), y up, front +z, floor at y = 0."""

from collections import defaultdict

import numpy as np

from stages.bundled.procedural.joinery import (
    SIDES,
    bent,
    border,
    cells,
    chance,
    legs,
    loft,
    parts,
    plate,
    soft,
    stack,
    star,
    stretchers,
)
from stages.bundled.procedural.mesh import box, extrude, frustum, grid, lathe, ring, rotate, tube
from stages.bundled.procedural.shapes import pick


def _posts(w, h, r, flare=1.0):
    """Two uprights of a chair back."""
    return [frustum((s * w / 2, 0, 0), (s * w / 2 * flare, h, 0), r, segments=6) for s in SIDES]


def _chair_back(rng, w, h):
    """A chair back standing on z = 0: panels, slats, ladder, spindles, splat, cross, medallion, wires or a frame."""
    kind = pick(rng, "panel", "panel", "cushion", "slats", "ladder", "bow", "splat", "cross", "oval", "wire", "mesh")
    curve, t, gap = rng.uniform(0, 0.08), rng.uniform(0.015, 0.04), rng.uniform(0, 0.45) * h
    posts, x = _posts(w - t, h, t / 2), np.linspace(-0.5, 0.5, rng.integers(4, 9))[1:-1] * w
    rail = bent(w, h - rng.uniform(0.04, 0.14), h, t, curve)
    low = bent(w, gap * 0.5, gap * 0.5 + 0.04, t, curve)
    if kind == "panel":
        return [bent(w, gap, h, t, curve)] + (_posts(w * rng.uniform(0.2, 0.9), h * 0.9, t / 2) if gap > 0.05 else [])
    if kind == "cushion":
        return [soft((0, (gap + h) / 2, 0), (w, h - gap, rng.uniform(0.05, 0.12)), rng.uniform(0.15, 0.6)), *posts]
    if kind == "slats":
        return [*posts, rail, low, *[box((a, h * 0.5, curve / 3), (0.025, h * 0.9, 0.012)) for a in x]]
    if kind == "ladder":
        steps = np.linspace(h * 0.3, h, rng.integers(2, 6))
        return [*posts, *[bent(w, y - rng.uniform(0.03, 0.07), y, t * 0.7, curve) for y in steps]]
    if kind == "bow":
        turn = np.linspace(0, np.pi, 11)
        arc = tube(np.stack([-w / 2 * np.cos(turn), h * np.sin(turn) ** 0.6, 0 * turn], 1), t / 2, segments=6)
        return [
            arc,
            *[frustum((a * 0.8, 0, 0), (a, h * (1 - (2 * a / w) ** 2) ** 0.3, 0), 0.006, segments=5) for a in x],
        ]
    if kind == "splat":
        vase = np.array([(0.5, 0), (0.6, 0.2), (1, 0.55), (0.6, 0.8), (0.8, 1)]) * (
            w * rng.uniform(0.12, 0.25),
            h * 0.95,
        )
        return [*posts, rail, loft(vase * (-1, 1), vase, 0.012)]
    if kind == "cross":
        bars = [frustum((s * w / 2, h * 0.1, 0), (-s * w / 2, h * 0.92, 0), t / 2.5, segments=6) for s in SIDES]
        return [*posts, rail, *bars]
    if kind == "oval":
        medal = plate(w, h * 0.75, 0, rng.uniform(0.02, 0.06), rng.uniform(0.6, 1))[..., [0, 2, 1]]
        return [medal + (0, h * 0.62, 0), *_posts(w * 0.5, h * 0.45, t / 2)]
    if kind == "wire":
        lines = [box((a, h / 2, 0), (0.008, h, 0.008)) for a in x]
        return [
            border(w, h, 0.015, 0.015, (0, h / 2, 0)),
            *lines,
            *[box((0, a / w * h + h / 2, 0), (w, 0.008, 0.008)) for a in x],
        ]
    return [
        border(w, h * 0.85, 0.03, 0.03, (0, h * 0.57, 0)),
        box((0, h * 0.57, 0), (w, h * 0.85, 0.006)),
        box((0, h * 0.1, -0.03), (0.07, h * 0.4, 0.025)),
    ]


def _chair_base(rng, w, d, h):
    """What carries a chair seat at height `h`: legs with stretchers, star, sled, cantilever, pedestal, X or wires."""
    kind = pick(rng, "legs", "legs", "legs", "star", "cantilever", "pedestal", "cross", "sled", "eiffel")
    t = rng.uniform(0.022, 0.05)
    if kind == "star":
        return star(rng, rng.uniform(0.25, 0.34), h, casters=chance(rng, 0.8))
    if kind == "pedestal":
        foot = [(0, 0.015), (w * 0.5, 0), (w * 0.45, 0.02), (0.05, 0.07), (0.03, h * 0.5), (0.08, h)]
        return [lathe(foot)]
    if kind == "cantilever":
        runs = [
            tube(
                [(s * w / 2, h, -d / 2), (s * w / 2, h, d / 2), (s * w / 2, 0.01, d / 2), (s * w / 2, 0.01, -d / 2)],
                t / 3,
            )
            for s in SIDES
        ]
        return [*runs, box((0, 0.01, -d / 2), (w, 0.022, 0.022))]
    if kind == "cross":
        return [frustum((s * w / 2, 0, e * d / 2), (s * w / 2, h, -e * d / 2), t / 3) for s in SIDES for e in SIDES]
    if kind == "sled":
        return legs(rng, w, d, h, thick=t, kind="sled")
    if kind == "eiffel":
        bars = [
            frustum((a * w / 2, 0, b * d / 2), (a * w * 0.15, h, b * d * 0.15), 0.009) for a in SIDES for b in SIDES
        ]
        brace = [
            frustum((a * w * 0.41, h / 4, b * d * 0.41), (a * b * w * 0.2, h * 0.9, -d * 0.2), 0.006)
            for a in SIDES
            for b in SIDES
        ]
        return bars + brace
    made = legs(rng, w, d, h, thick=t, kind=pick(rng, "square", "square", "taper", "round", "splay", "turned"))
    if chance(rng, 0.4):
        made += stretchers(w - t, d - t, h * rng.uniform(0.2, 0.6), t * 0.6, cross=chance(rng, 0.5))
    return made


def _chair_arms(rng, w, d, h):
    """Arms beside a seat at height `h`: rest on posts, T pads, tube loops, a sweep around the back, or panels."""
    kind, y, t = (
        pick(rng, "post", "pad", "loop", "sweep", "panel"),
        h + rng.uniform(0.15, 0.27),
        rng.uniform(0.025, 0.06),
    )
    x = w / 2 + t / 2
    if kind == "post":
        front = d / 2 * rng.uniform(0.4, 1)
        rests = [box((s * x, y, (front - d / 2) / 2), (t, 0.03, front + d / 2)) for s in SIDES]
        return rests + [box((s * x, (y + h * 0.8) / 2, front * 0.9), (t * 0.7, y - h * 0.8, t * 0.7)) for s in SIDES]
    if kind == "pad":
        pads = [soft((s * (x + 0.03), y, 0), (0.08, 0.03, d * 0.6)) for s in SIDES]
        stems = [
            tube([(s * w / 4, h - 0.03, 0), (s * (x + 0.03), h - 0.03, 0), (s * (x + 0.03), y, 0)], 0.018)
            for s in SIDES
        ]
        return pads + stems
    if kind == "loop":
        return [
            tube(
                [(s * x, h - 0.02, d * 0.4), (s * x, y, d * 0.4), (s * x, y, -d * 0.45), (s * x, y + 0.02, -d / 2)],
                t / 3,
            )
            for s in SIDES
        ]
    if kind == "sweep":
        rail = ring((0, 0, 0), x, t / 2.5, arc=np.pi)
        rail = rail * (1, 1, -d / w) + (0, y, d * 0.05)
        return [rail] + [
            frustum((s * w * 0.48, h, d * z), (s * x, y, d * z), 0.01) for s in SIDES for z in (0.05, -0.1)
        ]
    return [box((s * x, (y + h - 0.1) / 2, 0), (t, y - h + 0.1, d)) for s in SIDES]


def _chair_shell(rng, w, d, h, rise):
    """Moulded shell chair top -> (seat, back): a curved profile, dished and narrowed across."""
    dish, narrow = rng.uniform(0.02, 0.12), rng.uniform(0.6, 1.1)
    lean = rng.uniform(0.03, 0.15)
    profile = np.array(
        [
            (h - 0.03, d / 2),
            (h, d * 0.4),
            (h - 0.015, 0),
            (h - 0.01, -d * 0.3),
            (h + 0.03, -d * 0.43),
            (h + 0.1, -d / 2),
            (h + rise * 0.6, -d / 2 - lean * 0.5),
            (h + rise, -d / 2 - lean),
        ]
    )
    wide = np.array([0.95, 1, 1.02, 1, 0.98, 0.95, (1 + narrow) / 2, narrow * 0.8])[:, None] * w / 2
    across, upright = np.linspace(-1, 1, 9), np.array([0, 0, 0, 0.2, 0.5, 0.9, 1, 1])[:, None]
    bowl = dish * across**2 * np.array([0.3, 0.7, 1, 1.2, 1.2, 1, 1, 0.6])[:, None]
    lattice = np.stack([wide * across, profile[:, :1] + bowl * (1 - upright), profile[:, 1:] + bowl * upright], axis=-1)
    return grid(lattice[:5]), grid(lattice[4:])


def chair(rng):
    """Dining, slat, ladder, Windsor, shell, wire, cantilever, pedestal and office chairs, with or without arms."""
    w, d, h = rng.uniform(0.36, 0.56), rng.uniform(0.36, 0.52), rng.uniform(0.4, 0.52)
    rise, t = rng.uniform(0.3, 0.7), rng.uniform(0.015, 0.05)
    base = _chair_base(rng, w * 0.94, d * 0.94, h)
    if chance(rng, 0.18):
        seat, back = ([mesh] for mesh in _chair_shell(rng, w, d, h + 0.015, rise))
    else:
        kind = pick(rng, "slab", "slab", "soft", "round", "apron", "pad")
        seat = [plate(w, d, h + t, t, {"slab": 0, "apron": 0, "pad": 0.15}.get(kind, rng.uniform(0.3, 1)))]
        if kind in ("soft", "pad"):
            seat = [soft((0, h + t, 0), (w, rng.uniform(0.05, 0.12), d), rng.uniform(0.2, 0.5)), *seat]
        if kind == "apron":
            seat += [border(w * 0.94, d * 0.94, 0.02, 0.06)[..., [0, 2, 1]] + (0, h - 0.03, 0)]
        lean, wide = rng.uniform(0, 0.3), w * rng.uniform(0.8, 1)
        place = (0, h + t * 0.5, 0.02 - d / 2)
        back = [rotate(mesh + place, axis="x", angle=-lean, about=place) for mesh in _chair_back(rng, wide, rise)]
    arms = _chair_arms(rng, w, d, h) if chance(rng, 0.4) else []
    return parts(back=back, seat=seat, leg=base, arm=arms)


def _upholstered(rng, seats):
    """Sofa or armchair of `seats` places (0.52 to 0.75 m): box, rolled, soft, slim or frame arms, loose cushions."""
    place, d, h = rng.uniform(0.52, 0.75), rng.uniform(0.75, 1.0), rng.uniform(0.36, 0.46)
    w, top, foot = place * seats, rng.uniform(0.68, 0.95), rng.uniform(0, 0.16)
    kind, t, round_ = (
        pick(rng, "box", "rolled", "soft", "slim", "frame", "slope", "none"),
        rng.uniform(0.12, 0.26),
        rng.uniform(0.1, 0.5),
    )
    t, arm_y = {"slim": 0.06, "frame": 0.05, "none": 0}.get(kind, t), rng.uniform(h + 0.06, max(h + 0.1, top - 0.05))
    thick, full = rng.uniform(0.12, 0.28), w + 2 * t
    base = [box((0, (foot + h - 0.12) / 2, 0), (w if kind != "none" else full, h - 0.12 - foot, d))]
    back = [soft((0, (h * 0.5 + top) / 2, (thick - d) / 2), (full, top - h * 0.5, thick), round_ * 0.5)]
    spans = cells(-w / 2, 0, w, 1, pick(rng, 1, seats, seats))
    deep = d - thick
    cushions = [soft((x, h - 0.06, thick / 2), (cw - 0.01, 0.18, deep), round_) for x, _, cw, _ in spans]
    if chance(rng, 0.6):
        tilt = rng.uniform(0.05, 0.3)
        upright = [
            soft((x, (h + top) / 2 + 0.03, thick - d / 2 + 0.06), (cw - 0.01, top - h, 0.18), round_, segments=8)
            for x, _, cw, _ in spans
        ]
        cushions += [rotate(m, axis="x", angle=-tilt, about=(0, h, thick - d / 2)) for m in upright]
    arms = [m for s in SIDES for m in _sofa_arm(kind, s * (w + t) / 2, t, d, foot, arm_y)] if t else []
    feet = legs(rng, full * 0.92, d * 0.9, foot + 0.01) if foot > 0.04 else []
    return (full, d, h, foot, top), {"seat": base, "back": back, "cushion": cushions, "arm": arms, "leg": feet}


def _sofa_arm(kind, x, t, d, foot, y):
    """One arm of an upholstered seat at `x`, `t` wide, up to height `y`."""
    middle, tall = (foot + y) / 2, y - foot
    if kind == "rolled":
        roll = frustum((x, y - t * 0.6, -d / 2), (x, y - t * 0.6, d / 2 + 0.01), t * 0.62, segments=12)
        return [box((x, middle - t * 0.3, 0), (t * 0.75, tall - t * 0.6, d)), roll]
    if kind == "soft":
        return [soft((x, middle, 0), (t, tall, d), 0.3)]
    if kind == "frame":
        return [border(d, y, t, t)[..., [2, 1, 0]] + (x, y / 2, 0)]
    if kind == "slope":
        side = np.array(
            [
                (-d / 2, foot),
                (d / 2, foot),
                (d / 2, foot + tall * 0.75),
                (d * 0.3, foot + tall * 0.8),
                (-d / 2, y + 0.1),
            ]
        )
        return [extrude(side, t)[..., [2, 1, 0]] + (x, 0, 0)]
    return [box((x, middle, 0), (t, tall, d))]


def armchair(rng):
    """Club, rolled-arm, slipper, wing, barrel (tub) and wooden lounge armchairs."""
    kind = pick(rng, "club", "club", "wing", "barrel", "lounge")
    if kind == "barrel":
        w, h, top, foot = (
            rng.uniform(0.65, 0.9),
            rng.uniform(0.36, 0.46),
            rng.uniform(0.65, 0.85),
            rng.uniform(0.02, 0.18),
        )
        turn, t = np.linspace(-0.15, np.pi + 0.15, 17), rng.uniform(0.08, 0.15)
        rim = top - rng.uniform(0, 0.25) * np.cos(turn) ** 2
        walls = [
            np.stack([r * np.cos(turn), y, -r * np.sin(turn)], 1)
            for r, y in [
                (w / 2, foot + 0 * turn),
                (w / 2, rim),
                (w / 2 - t, rim),
                (w / 2 - t, foot + 0 * turn),
                (w / 2, foot + 0 * turn),
            ]
        ]
        seat = [stack([(0, 0, foot, 0), (w - t, w - t, foot, 0), (w - t, w - t, h - 0.1, 0), (0, 0, h - 0.1, 0)], 0.8)]
        cushion = [soft((0, h - 0.05, t / 3), (w - 2 * t, 0.14, w - 1.5 * t), 0.5)]
        wall = grid(np.array(walls))
        rear = wall[..., 2].mean(axis=1) < -w * 0.22
        feet = (
            legs(rng, w * 0.65, w * 0.65, foot) if chance(rng, 0.7) else star(rng, w * 0.3, foot + 0.02, casters=False)
        )
        return parts(back=[wall[rear]], arm=[wall[~rear]], seat=seat, cushion=cushion, leg=feet)
    if kind == "lounge":
        w, d, h, rise = rng.uniform(0.55, 0.75), rng.uniform(0.6, 0.8), rng.uniform(0.32, 0.42), rng.uniform(0.45, 0.75)
        tilt, t, thick = rng.uniform(0.2, 0.5), rng.uniform(0.03, 0.06), rng.uniform(0.06, 0.14)
        pivot = (0, h, -d * 0.42)
        seat = rotate(soft((0, h, 0), (w, thick, d * 0.9), 0.25), axis="x", angle=-tilt * 0.3, about=(0, h, d / 2))
        back = rotate(soft((0, h + rise / 2, -d * 0.42), (w, rise, thick), 0.25), axis="x", angle=-tilt, about=pivot)
        arms = [box((s * (w + t) / 2, h + 0.2, 0), (t * 1.4, 0.03, d)) for s in SIDES]
        return parts(
            seat=[seat],
            back=[back],
            arm=arms,
            leg=[
                *legs(rng, w + 2 * t, d * 0.9, h + 0.2, thick=t, kind=pick(rng, "square", "sled", "round", "splay")),
                *stretchers(w, d * 0.8, h - 0.06, t * 0.8),
            ],
        )
    (w, d, h, _, top), named = _upholstered(rng, 1)
    if kind == "wing":
        rise, t = rng.uniform(0.2, 0.4), rng.uniform(0.06, 0.12)
        named["back"] += [soft((0, top + rise / 2 - 0.1, 0.09 - d / 2), (w, rise + 0.2, 0.18), 0.25)]
        named["back"] += [
            box((s * (w - t) / 2, top + rise / 2 - 0.12, 0.15 - d / 2), (t, rise + 0.1, rng.uniform(0.25, 0.4)))
            for s in SIDES
        ]
    return parts(**named)


def sofa(rng):
    """Two- to four-seat sofas with box, rolled, sloped, framed or no arms, loose cushions, legs, chaise or L-shape."""
    seats = pick(rng, 2, 2, 3, 3, 3, 4)
    (w, d, h, foot, top), named = _upholstered(rng, seats)
    if chance(rng, 0.3):
        side, long, place = pick(rng, *SIDES), rng.uniform(0.5, 1.3), rng.uniform(0.6, 0.9)
        x, z = side * (w - place) / 2, (d + long) / 2
        named["arm"] = [m for m in named["arm"] if m[..., 0].mean() * side < 0]
        named["seat"] += [box((x, (foot + h - 0.12) / 2, z), (place, h - 0.12 - foot, long))]
        named["cushion"] += [soft((x, h - 0.06, z - 0.05), (place, 0.18, long + 0.1), 0.2)]
        if long > 0.9:
            named["back"] += [box((side * (w / 2 + 0.08), (foot + top) / 2, long / 2), (0.16, top - foot, d + long))]
    if chance(rng, 0.3):
        named["pillow"] = [
            rotate(soft((s * w * 0.3, h + 0.2, 0.0), (0.4, 0.4, 0.14), 0.5), axis="x", angle=-0.4, about=(0, h, 0))
            for s in SIDES
        ]
    return parts(**named)


def stool(rng):
    """Bar, counter, low, swivel, three-legged, square and pedestal stools, with foot rings or a saddle seat."""
    h, w, t = (
        pick(rng, rng.uniform(0.25, 0.5), rng.uniform(0.6, 0.85)),
        rng.uniform(0.27, 0.42),
        rng.uniform(0.02, 0.06),
    )
    power, kind = pick(rng, 0, 0.3, 1, 1, 1), pick(rng, "legs", "legs", "three", "star", "disc", "slab", "hourglass")
    d = w * (rng.uniform(0.7, 1) if power < 1 else 1)
    seat = (
        [plate(w, d, h, t, power)]
        if chance(rng, 0.6)
        else [soft((0, h - t, 0), (w, t * 2.4, d), max(power, 0.25) * 0.7)]
    )
    y, r = h * rng.uniform(0.25, 0.45), rng.uniform(0.01, 0.02)
    if kind == "disc":
        foot = [(0, 0), (w * 0.6, 0), (w * 0.55, 0.02), (0.05, 0.05), (0.025, 0.1), (0.025, h - t)]
        base = [lathe(foot)] + (
            [ring((0, y, 0), w * 0.4, 0.01), box((0, y, 0), (w * 0.8, 0.015, 0.015))] if h > 0.55 else []
        )
    elif kind == "star":
        base = star(rng, w * 0.65, h - t) + ([ring((0, y, 0), w * 0.5, 0.01)] if h > 0.5 else [])
    elif kind == "three":
        spread = rng.uniform(0.9, 1.4)
        spots = [(np.cos(a) * w * 0.35, np.sin(a) * w * 0.35) for a in np.pi * 2 / 3 * np.arange(3)]
        base = [frustum((x * spread, 0, z * spread), (x, h - t, z), r, segments=8) for x, z in spots]
        base += [ring((0, y, 0), w * 0.35 * (1 + (spread - 1) * 0.65), 0.008)] if chance(rng, 0.5) else []
    elif kind == "hourglass":
        base = [lathe([(w * 0.45, 0), (w * rng.uniform(0.2, 0.5), h / 2), (w * 0.45, h - t)])]
    elif kind == "slab":
        base = legs(rng, w * 0.9, d * 0.9, h - t, thick=r * 1.5, kind="slab") + [
            box((0, h * 0.5, 0), (w * 0.85, 0.05, 0.02))
        ]
    else:
        inset = 0.7 if power == 1 else 0.94
        base = legs(rng, w * inset, d * inset, h - t, thick=2 * r, kind=pick(rng, "square", "round", "taper", "splay"))
        base += stretchers(w * inset, d * inset, y, r * 1.2, cross=chance(rng, 0.3)) if chance(rng, 0.7) else []
    return parts(seat=seat, leg=base)


def bench(rng):
    """Plain, slatted, park (back and arms), upholstered, storage and picnic-height benches."""
    w, d, h, t = rng.uniform(0.9, 1.9), rng.uniform(0.3, 0.5), rng.uniform(0.4, 0.5), rng.uniform(0.02, 0.06)
    kind, named = pick(rng, "plain", "slats", "soft", "chest"), defaultdict(list)
    boards = rng.integers(3, 7)
    named["seat"] = {
        "slats": [box((0, h, z), (w, t * 0.8, d / boards * 0.75)) for z in np.linspace(-0.42, 0.42, boards) * d],
        "soft": [soft((0, h, 0), (w, 0.1, d), 0.2), box((0, h - 0.05, 0), (w, 0.04, d))],
    }.get(kind, [box((0, h, 0), (w, t, d))])
    if kind == "chest":
        named["frame"] = [box((0, h / 2, 0), (w * 0.97, h, d * 0.96))]
    else:
        style = pick(rng, "square", "square", "slab", "taper", "sled", "splay")
        named["leg"] = legs(rng, w * rng.uniform(0.75, 0.98), d * 0.92, h, thick=rng.uniform(0.04, 0.09), kind=style)
        named["leg"] += [box((0, h * 0.35, 0), (w * 0.8, 0.05, 0.03))] if chance(rng, 0.4) else []
    if chance(rng, 0.55):
        rise, lean, n = rng.uniform(0.3, 0.5), rng.uniform(0, 0.3), rng.integers(2, 5)
        rungs = [box((0, h + rise * (i + 0.7) / n, -d / 2), (w, rise / n * 0.7, t * 0.7)) for i in range(n)]
        upright = [
            box((a, h + rise / 2, -d / 2), (0.03, rise, 0.015))
            for a in np.linspace(-0.45, 0.45, rng.integers(8, 16)) * w
        ]
        panel = [box((0, h + rise / 2, -d / 2), (w, rise, t))]
        rail = [box((0, h + rise, -d / 2), (w, 0.06, t)), box((0, h + 0.06, -d / 2), (w, 0.04, t))]
        ends = [box((s * w * 0.47, h + rise / 2, -d / 2 - t / 2), (0.05, rise, t)) for s in SIDES]
        made = pick(rng, rungs, rungs, upright + rail, panel) + ends
        named["back"] = [rotate(m, axis="x", angle=-lean, about=(0, h, -d / 2)) for m in made]
        if chance(rng, 0.6):
            named["arm"] = [
                m
                for s in SIDES
                for m in (
                    box((s * w * 0.48, h + 0.22, 0), (0.06, 0.03, d)),
                    box((s * w * 0.48, h + 0.1, d * 0.4), (0.05, 0.24, 0.05)),
                )
            ]
    return parts(**named)
