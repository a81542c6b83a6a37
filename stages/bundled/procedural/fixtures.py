"""Random bathroom fixtures, radiators, pillows and bins as (part name, triangles), y up, front +z, floor at y = 0."""

from collections import defaultdict

import numpy as np

from stages.bundled.procedural.joinery import SIDES, border, cells, chance, faucet, outline, parts, plate, soft, stack
from stages.bundled.procedural.mesh import box, ellipsoid, frustum, grid, lathe, ring, rotate, tube
from stages.bundled.procedural.shapes import pick


def _tub(w, d, low, high, wall, depth, power, *, slope=0.85, inside=None):
    """Hollow vessel: outer skin from `low` to the rim at `high`, and a cavity `depth` deep with walls `wall` thick."""
    inner_w, inner_d = w - 2 * wall, d - 2 * wall
    outer = stack([(0, 0, low, 0), (w * slope, d * slope, low, 0), (w, d, high - 0.03, 0), (w, d, high, 0)], power)
    inside = inside or power
    rim = stack([(w, d, high, 0), (inner_w, inner_d, high, 0)], [power, inside])
    hole = [(1, 0), (0.96, 0.35), (0.85, 0.8), (0.7, 1), (0, 1)]
    cavity = stack([(inner_w * s, inner_d * s, high - depth * t, 0) for s, t in hole], inside)
    return [outer, rim, cavity]


def bathtub(rng):
    """Built-in, free-standing, clawfoot, slipper and corner tubs with a rounded cavity, with or without taps."""
    w, d, h = rng.uniform(1.3, 1.85), rng.uniform(0.65, 0.9), rng.uniform(0.42, 0.62)
    kind, wall = pick(rng, "built", "built", "free", "claw", "slipper", "corner"), rng.uniform(0.03, 0.1)
    if kind == "corner":
        w = rng.uniform(1.2, 1.5)
        turn = np.linspace(0, np.pi / 2, 13)
        arc = np.stack([np.cos(turn) ** 0.6, np.sin(turn) ** 0.6], 1) * 0.95
        plan = np.concatenate([[(0, 0)], arc, [(0, 0)]]) - 0.4
        levels = [(1, 0), (1, h), (0.86, h), (0.8, h - 0.25), (0.65, 0.12), (0, 0.12)]
        return parts(
            tub=[
                grid(
                    np.stack(
                        [
                            np.column_stack([plan[:, 0] * s * w, np.full(len(plan), y), plan[:, 1] * s * w])
                            for s, y in levels
                        ]
                    )
                )
            ],
            faucet=faucet(rng, -w * 0.33, h, -w * 0.33, 0.2),
        )
    power = {"built": 0.05}.get(kind, rng.uniform(0.45, 0.9))
    lift = rng.uniform(0.08, 0.15) if kind in ("claw", "slipper") else 0
    tub = _tub(
        w,
        d,
        lift,
        h,
        wall,
        (h - lift) * rng.uniform(0.7, 0.88),
        power,
        inside=rng.uniform(0.3, 0.8),
        slope=1 if kind == "built" else rng.uniform(0.6, 0.9),
    )
    if kind != "built" and chance(rng, 0.6):
        tub.append(ring((0, 0, 0), 1, 0.05, segments=24) * (w / 2, 0.4, d / 2) + (0, h, 0))
    named = defaultdict(list, tub=tub)
    if kind == "slipper":
        rise = rng.uniform(0.1, 0.25)
        for mesh in tub:
            mesh[..., 1] += rise * np.clip(mesh[..., 0] / w + 0.1, 0, 1) ** 2 * 3 * (mesh[..., 1] > h * 0.6)
    if lift:
        named["foot"] = [
            frustum((a * w * 0.3, 0, b * d * 0.25), (a * w * 0.26, lift + 0.06, b * d * 0.2), 0.022, 0.04)
            for a in SIDES
            for b in SIDES
        ]
    if chance(rng, 0.55):
        named["faucet"] = pick(
            rng,
            faucet(rng, 0, h, -d * 0.47, 0.2),
            [rotate(m, axis="y", angle=np.pi / 2) for m in faucet(rng, 0, h, -w * 0.48, 0.2)],
        )
    return parts(**named)


def sink(rng):
    """Pedestal, wall-hung, vessel, vanity and single or double kitchen sinks with taps."""
    kind, w, d = (
        pick(rng, "pedestal", "wall", "vessel", "kitchen", "kitchen", "vanity"),
        rng.uniform(0.4, 0.7),
        rng.uniform(0.36, 0.52),
    )
    power, tap = rng.uniform(0.15, 1), rng.uniform(0.15, 0.25)
    if kind in ("pedestal", "wall"):
        deep = rng.uniform(0.13, 0.2)
        y = rng.uniform(0.78, 0.9) if kind == "pedestal" else deep
        bowl = _tub(w, d, y - deep, y, 0.04, 0.11, power, slope=rng.uniform(0.4, 0.8))
        named = {
            "basin": [*bowl, box((0, y - 0.05, -d * 0.45), (w * 0.8, 0.1, d * 0.2))],
            "faucet": faucet(rng, 0, y, -d * 0.43, tap),
        }
        if kind == "pedestal":
            r = rng.uniform(0.07, 0.12)
            named["pedestal"] = [
                lathe([(r * 1.4, 0), (r * 1.3, 0.05), (r * 0.8, 0.2), (r * 0.8, y * 0.6), (r * 1.5, y - 0.12)])
                - (0, 0, 0.05)
            ]
        return parts(**named)
    if kind == "kitchen":
        n, w, y = pick(rng, 1, 2, 2), rng.uniform(0.55, 1.1), rng.uniform(0.16, 0.25)
        d, drain = rng.uniform(0.42, 0.55), pick(rng, 0, 0, w * 0.4)
        bowls, dip = cells(-w / 2 + 0.03, -d / 2 + 0.1, w - 0.06, d - 0.13, n), [(1, 0), (0.96, 0.6), (0.85, 1), (0, 1)]
        basin = [
            stack([(a * 0.93 * s, b * 0.95 * s, y * (1 - 0.9 * t), 0) for s, t in dip], 0.25) + (x, 0, z)
            for x, z, a, b in bowls
        ]
        basin += [
            stack([(a * 0.95, b * 0.97, y - 0.003, 0), (a * 0.93, b * 0.95, 0.02, 0), (0, 0, 0.02, 0)], 0.25)
            + (x, 0, z)
            for x, z, a, b in bowls
        ]
        deck = [border(w, d, 0.035, 0.012)[..., [0, 2, 1]] + (0, y, 0), box((0, y, -d / 2 + 0.06), (w, 0.012, 0.1))]
        deck += [box((x + a / 2, y, z), (a * 0.08, 0.012, b)) for x, z, a, b in bowls[:-1]]
        ribs = [box((w / 2 + drain / 2, y, 0), (drain, 0.012, d))] if drain else []
        ribs += [
            box((w / 2 + drain * f, y + 0.008, 0.03), (0.012, 0.01, d * 0.7))
            for f in np.linspace(0.15, 0.85, 6)
            if drain
        ]
        return parts(basin=basin, deck=deck + ribs, faucet=faucet(rng, 0, y, -d * 0.4, rng.uniform(0.2, 0.38)))
    top, wide, deep = rng.uniform(0.72, 0.85), rng.uniform(0.55, 1.2), rng.uniform(0.45, 0.55)
    full = chance(rng, 0.5)
    named = defaultdict(list)
    if full:
        named["cabinet"] = [
            stack([(0, 0, 0, 0), (wide * 0.96, deep * 0.94, 0, 0), (wide * 0.96, deep * 0.94, top, 0)], 0)
        ]
        named["door"] = [
            box((x, y, deep * 0.47), (a * 0.95, b * 0.93, 0.02))
            for x, y, a, b in cells(-wide * 0.48, 0.08, wide * 0.96, top - 0.12, max(2, round(wide / 0.4)))
        ]
    else:
        top = 0.025 if kind == "vessel" else 0.14
    y, rise = top + 0.025, rng.uniform(0.1, 0.16)
    w, d = min(w, wide * 0.8), min(d, deep * 0.75)
    if kind == "vessel":
        named["counter"] = [box((0, top, 0), (wide, 0.05, deep))]
        named["basin"] = _tub(w, d, y, y + rise, 0.02, rise * 0.9, power, slope=rng.uniform(0.5, 0.95))
    else:
        named["counter"] = [stack([(wide, deep, y - 0.06, 0), (wide, deep, y, 0), (w, d, y, 0)], [0.05, 0.05, power])]
        named["basin"] = [
            stack([(w * s, d * s, y - t, 0) for s, t in [(1, 0), (0.9, 0.06), (0.6, 0.13), (0, 0.14)]], power)
        ]
        rise = 0
    named["faucet"] = faucet(rng, 0, y, -deep * 0.42, rise + tap)
    return parts(**named)


def toilet(rng):
    """Close-coupled, one-piece, high-tank, wall-hung and back-to-wall toilets, lid shut, open or missing."""
    w, d, h = rng.uniform(0.34, 0.4), rng.uniform(0.42, 0.54), rng.uniform(0.37, 0.44)
    kind, power = pick(rng, "coupled", "coupled", "coupled", "skirted", "hung", "high"), rng.uniform(0.75, 1)
    waist, z = (0.85, 0) if kind == "skirted" else (rng.uniform(0.45, 0.65), -0.05)
    low = rng.uniform(0.1, 0.18) if kind == "hung" else 0
    foot = [(w * waist, d * 0.75, low, z), (w * waist * 0.9, d * 0.7, low + 0.1, z), (w * waist, d * 0.75, h * 0.55, z)]
    if kind == "hung":
        foot = [(0, 0, low, -0.1), (w * 0.6, d * 0.6, low, -0.1), (w * 0.85, d * 0.85, low + 0.1, -0.05)]
    hole = [
        (w * 0.7, d * 0.74, h, 0.02),
        (w * 0.6, d * 0.62, h - 0.08, 0.02),
        (w * 0.3, d * 0.3, h - 0.2, -0.02),
        (0, 0, h - 0.22, -0.02),
    ]
    bowl = [
        stack([*foot, (w * 0.96, d * 0.97, h - 0.06, 0), (w, d, h, 0), *hole], power),
        box((0, h - 0.08, -d * 0.5), (w * 0.75, 0.16, d * 0.3)),
    ]
    named = defaultdict(list, bowl=[m - (0, low, 0) for m in bowl])
    h -= low
    named["seat"] = [
        stack(
            [
                (w * 1.03 * a, d * 1.02 * b, h + 0.02 * t, 0.01)
                for a, b, t in [(0.68, 0.72, 0), (1, 1, 0), (1, 1, 1), (0.68, 0.72, 1), (0.68, 0.72, 0)]
            ],
            power,
        )
    ]
    lid, state = (
        plate(w * 1.03, d * 1.02, h + 0.04, 0.018, power) + (0, 0, 0.01),
        pick(rng, "shut", "open", "open", "none"),
    )
    hinge = (0, h + 0.03, -d * 0.46)
    if state == "open":
        lid = rotate(lid, axis="x", angle=-rng.uniform(1.45, 1.8), about=hinge)
    named["lid"] = [] if state == "none" else [lid]
    back = -d / 2 - rng.uniform(0.06, 0.12)
    tall, wide, deep = rng.uniform(0.28, 0.42), rng.uniform(0.34, 0.48), rng.uniform(0.15, 0.2)
    if kind in ("coupled", "skirted"):
        named["tank"] = [
            stack(
                [(0, 0, h, back), (wide * 0.9, deep * 0.85, h, back), (wide, deep, h + tall, back)],
                pick(rng, 0.12, 0.3),
            ),
            box((0, h + tall + 0.015, back), (wide * 1.05, 0.035, deep * 1.08)),
        ]
        named["handle"] = pick(
            rng,
            [box((-wide * 0.35, h + tall * 0.85, back + deep * 0.55), (0.08, 0.015, 0.02))],
            [frustum((0, h + tall + 0.03, back), (0, h + tall + 0.045, back), 0.025)],
        )
    if kind == "high":
        up = rng.uniform(0.9, 1.4)
        named["tank"] = [box((0, h + up, back), (wide, 0.28, deep))]
        named["pipe"] = [frustum((0, h - 0.1, back), (0, h + up, back), 0.025)]
        named["handle"] = [frustum((wide * 0.4, h + up - 0.5, back), (wide * 0.4, h + up, back), 0.006, segments=5)]
    if kind == "hung" and chance(rng, 0.5):
        named["tank"] = [box((0, h * 1.3, -d * 0.66), (w * rng.uniform(1.1, 1.6), h * 2.6, 0.12))]
    return parts(**named)


def radiator(rng):
    """Cast-iron columns of one to four tubes, ribbed panels, finned sections and towel ladders."""
    kind, h, n = pick(rng, "column", "column", "panel", "ribbed", "ladder"), rng.uniform(0.4, 0.9), rng.integers(6, 18)
    step, lift = rng.uniform(0.05, 0.085), rng.uniform(0.05, 0.12)
    w = n * step
    x = (np.arange(n) + 0.5) * step - w / 2
    if kind == "ladder":
        w, h = rng.uniform(0.4, 0.65), rng.uniform(0.8, 1.7)
        bars = np.delete(np.linspace(0.06, 0.97, 20), pick(rng, [6, 13], [5, 6, 12, 13], [])) * h
        rungs = [frustum((-w / 2, y, 0), (w / 2, y, 0), 0.012, segments=6) for y in bars]
        return parts(column=[frustum((s * w / 2, 0, 0), (s * w / 2, h, 0), 0.02) for s in SIDES], tube=rungs)
    if kind == "panel":
        w, h, d = rng.uniform(0.5, 1.8), rng.uniform(0.3, 0.7), rng.uniform(0.06, 0.14)
        ribs = rng.integers(10, 30)
        face = [
            box((a, lift + h / 2, d / 2 + 0.004), (w / ribs * 0.55, h * 0.9, 0.015))
            for a in (np.arange(ribs) + 0.5) / ribs * w - w / 2
        ]
        slabs = [box((0, lift + h / 2, s * d / 2), (w, h, 0.015)) for s in SIDES]
        top = [border(w, d, 0.015, 0.02)[..., [0, 2, 1]] + (0, lift + h, 0)]
        return parts(
            panel=slabs + face,
            frame=top,
            pipe=[frustum((s * w * 0.45, 0, 0), (s * w * 0.45, lift + 0.1, 0), 0.012) for s in SIDES],
        )
    depth, tubes = rng.uniform(0.08, 0.22), pick(rng, 1, 2, 3, 4)
    if kind == "ribbed":
        fins = [soft((a, lift + h / 2, 0), (step * rng.uniform(0.3, 0.35), h, depth), 0.3) for a in x[:10]]
        w, x = min(n, 10) * step, x[:10]
    else:
        spots = np.linspace(-0.5, 0.5, tubes) * depth if tubes > 1 else [0]
        fins = [frustum((a, lift, z), (a, lift + h, z), step * 0.36, segments=5) for a in x for z in spots]
        fins += [soft((0, y, 0), (w, step * 0.8, depth + step * 0.8), 0.4) for y in (lift + 0.03, lift + h - 0.03)]
    links = [frustum((x[0], y, 0), (x[-1], y, 0), 0.02) for y in (lift + h * 0.1, lift + h * 0.9)]
    feet = [box((a, lift / 2, s * depth * 0.4), (0.03, lift, 0.03)) for a in (x[0], x[-1]) for s in SIDES]
    return parts(column=fins, pipe=links, foot=feet)


def pillow(rng):
    """Puffy square or oblong cushions with pinched corners, flat or propped, bolsters, round and stacked pillows."""
    kind, w, h = (
        pick(rng, "pinch", "pinch", "pinch", "bolster", "round", "pair"),
        rng.uniform(0.35, 0.75),
        rng.uniform(0.1, 0.24),
    )
    d = pick(rng, w, w * rng.uniform(0.55, 0.8))
    if kind == "bolster":
        r, cap = w * rng.uniform(0.12, 0.22), rng.uniform(0, 0.06)
        roll = lathe(
            [(0, -w / 2 - cap), (r * 0.8, -w / 2), (r, -w * 0.42), (r, w * 0.42), (r * 0.8, w / 2), (0, w / 2 + cap)]
        )
        return parts(cushion=[roll[..., [1, 0, 2]] + (0, r, 0)])
    if kind == "round":
        return parts(
            cushion=[soft((0, h / 2, 0), (w, h, w), rng.uniform(0.5, 1)), ellipsoid((0, h, 0), 0.015, segments=6)]
        )
    u, v = np.meshgrid(np.linspace(-1, 1, 15), np.linspace(-1, 1, 15), indexing="ij")
    pinch, flat = rng.uniform(0.03, 0.16), rng.uniform(0.35, 0.7)
    puff = ((1 - np.abs(u) ** 2.5) * (1 - np.abs(v) ** 2.5)).clip(0) ** flat * h / 2
    puff = puff * (
        1 + rng.uniform(-0.12, 0.12) * np.sin(3 * u + rng.uniform(0, 6)) + rng.uniform(-0.12, 0.12) * np.sin(3 * v)
    )
    x, z = u * w / 2 * (1 - pinch * (1 - v**2)), v * d / 2 * (1 - pinch * (1 - u**2))
    cushion = np.concatenate([grid(np.stack([x, s * puff + h / 2, z], -1)) for s in SIDES])
    if kind == "pair":
        return parts(cushion=[cushion, rotate(cushion, axis="y", angle=rng.uniform(-0.3, 0.3)) + (0, h * 0.6, 0)])
    if chance(rng, 0.4):
        cushion = rotate(cushion, axis="x", angle=rng.uniform(0.8, 1.57))
        cushion = cushion - (0, cushion[..., 1].min(), 0)
    return parts(cushion=[cushion])


def carton(rng):
    """Cardboard boxes: shut, taped, open with four flaps at any angle, without flaps, with a lift-off or hinged lid."""
    w, d, h = rng.uniform(0.2, 0.7, 3)
    kind, t = pick(rng, "shut", "flaps", "flaps", "tray", "lid", "hinged"), 0.008
    wall = [box((s * w / 2, h / 2, 0), (t, h, d)) for s in SIDES] + [
        box((0, h / 2, s * d / 2), (w, h, t)) for s in SIDES
    ]
    named = {"box": [*wall, box((0, t / 2, 0), (w, t, d))]}
    if kind == "shut":
        named["flap"] = [box((0, h, s * d / 4), (w, t, d / 2 - 0.004)) for s in SIDES]
        named["tape"] = [box((0, h + 0.004, 0), (w * 1.01, 0.004, 0.06))] if chance(rng, 0.5) else []
    if kind == "flaps":
        short, base = min(w, d) / 2, rng.uniform(-0.8, 2.2)
        bend = base + rng.uniform(-0.5, 0.5, 4)
        named["flap"] = [
            rotate(box((s * (w / 2), h + short / 2, 0), (t, short, d)), axis="z", angle=-s * a, about=(s * w / 2, h, 0))
            for s, a in zip(SIDES, bend[:2], strict=True)
        ]
        named["flap"] += [
            rotate(box((0, h + short / 2, s * d / 2), (w, short, t)), axis="x", angle=s * a, about=(0, h, s * d / 2))
            for s, a in zip(SIDES, bend[2:], strict=True)
        ]
    if kind in ("lid", "hinged"):
        deep = h * rng.uniform(0.12, 0.4)
        lid = [
            border(w * 1.03, d * 1.03, t, deep)[..., [0, 2, 1]] + (0, h - deep / 2 + 0.01, 0),
            box((0, h + 0.01, 0), (w * 1.03, t, d * 1.03)),
        ]
        angle = -rng.uniform(0.6, 2.2) if kind == "hinged" else 0
        named["lid"] = [rotate(m, axis="x", angle=angle, about=(0, h, -d / 2)) for m in lid]
    if chance(rng, 0.25):
        named["handle"] = [box((s * (w / 2 + 0.004), h * 0.7, 0), (0.006, 0.03, d * 0.3)) for s in SIDES]
    return parts(**named)


def trash_can(rng):
    """Tapered baskets, wire bins, dome and swing tops, pedal bins, ribbed metal cans and two-wheeled carts."""
    kind = pick(rng, "open", "wire", "dome", "swing", "pedal", "metal", "cart")
    h, power = rng.uniform(0.25, 0.45) if kind in ("open", "wire") else rng.uniform(0.35, 0.9), pick(rng, 1, 1, 1, 0.15)
    w = h * rng.uniform(0.5, 0.85)
    d, foot, t = w * (1 if power == 1 else rng.uniform(0.7, 1)), rng.uniform(0.65, 1), rng.uniform(0.008, 0.02)
    if kind == "cart":
        h, w, d = rng.uniform(0.9, 1.1), rng.uniform(0.45, 0.6), rng.uniform(0.5, 0.7)
        body = stack([(0, 0, 0.04, 0), (w * 0.75, d * 0.7, 0.04, 0), (w, d, h, 0)], 0.1)
        lid = [soft((0, h + 0.03, 0.02), (w * 1.06, 0.08, d * 1.08), 0.25)]
        wheels = [
            frustum((s * w * 0.38, 0.1, -d * 0.42), (s * w * 0.48, 0.1, -d * 0.42), 0.1, segments=16) for s in SIDES
        ]
        angle = pick(rng, 0, 0, -1.9)
        return parts(
            body=[body],
            lid=[rotate(m, axis="x", angle=angle, about=(0, h, -d / 2)) for m in lid],
            wheel=wheels,
            handle=[frustum((-w * 0.4, h - 0.03, -d * 0.57), (w * 0.4, h - 0.03, -d * 0.57), 0.018)],
        )
    named = defaultdict(list)
    if kind == "wire":
        turn = np.linspace(0, 2 * np.pi, 21)[:-1]
        named["body"] = [
            frustum(
                (np.cos(a) * w / 2 * foot, 0, np.sin(a) * w / 2 * foot),
                (np.cos(a) * w / 2, h, np.sin(a) * w / 2),
                0.004,
                segments=4,
            )
            for a in turn
        ]
        named["body"] += [
            ring((0, y * h, 0), w / 2 * (foot + (1 - foot) * y), 0.006, segments=16) for y in (0.02, 0.35, 0.68, 1)
        ]
        named["body"] += [plate(w * foot, w * foot, 0.01, 0.008, 1)]
        return parts(**named)
    rim = (w - 2 * t, d - 2 * t)
    skin = [
        (0, 0, 0, 0),
        (w * foot, d * foot, 0, 0),
        (w, d, h, 0),
        (*rim, h, 0),
        (rim[0] * foot, rim[1] * foot, t, 0),
        (0, 0, t, 0),
    ]
    named["body"] = [stack(skin, power)]
    if kind in ("open", "metal"):
        edge = outline(w, d, power)
        named["rim"] = [
            tube(np.column_stack([edge[:, 0], np.full(24, h), edge[:, 1]]), t * 0.8, closed=True, segments=5)
        ]
    if kind == "metal":
        named["rib"] = [
            ring((0, y * h, 0), 0.5, 0.006, segments=16) * (s * w, 1, s * d)
            for y in (0.35, 0.7)
            for s in (foot + (1 - foot) * y,)
            if power == 1
        ]
        named["handle"] = [
            tube(
                [
                    (s * w * 0.5, h * 0.75, -0.06),
                    (s * (w * 0.5 + 0.05), h * 0.72, -0.06),
                    (s * (w * 0.5 + 0.05), h * 0.72, 0.06),
                    (s * w * 0.5, h * 0.75, 0.06),
                ],
                0.008,
                segments=5,
            )
            for s in SIDES
        ]
    if kind in ("dome", "metal", "pedal"):
        rise = h * rng.uniform(0.06, 0.3)
        s = np.sqrt(1 - np.linspace(0, 1, 6) ** 2)
        lid = stack(
            [
                (w * 1.04, d * 1.04, h - 0.03, 0),
                *[(w * 1.04 * a, d * 1.04 * a, h + rise * b, 0) for a, b in zip(s, np.linspace(0, 1, 6), strict=True)],
            ],
            power,
        )
        angle = pick(rng, 0, 0, -1.2) if kind == "pedal" else 0
        named["lid"] = [rotate(lid, axis="x", angle=angle, about=(0, h, -d / 2))]
        if kind == "metal":
            named["handle"] += [
                tube(
                    [
                        (-0.06, h + rise * 0.9, 0),
                        (-0.05, h + rise + 0.05, 0),
                        (0.05, h + rise + 0.05, 0),
                        (0.06, h + rise * 0.9, 0),
                    ],
                    0.009,
                )
            ]
    if kind == "pedal":
        named["pedal"] = [box((0, 0.03, d / 2 * foot + 0.03), (0.1, 0.015, 0.09))]
    if kind == "swing":
        rise = h * rng.uniform(0.25, 0.4)
        named["lid"] = [
            stack(
                [
                    (w * 1.03, d * 1.03, h - 0.02, 0),
                    (w, d, h, 0),
                    (w * 0.9, d * 0.35, h + rise, 0),
                    (0, 0, h + rise, 0),
                ],
                max(power * 0.6, 0.1),
            )
        ]
        flap = box((0, h + rise * 0.5, d * 0.36), (w * 0.55, rise * 0.8, 0.012))
        named["flap"] = [rotate(flap, axis="x", angle=-rng.uniform(0.3, 0.9), about=(0, h + rise * 0.5, d * 0.36))]
    return parts(**named)
