"""Procedural electronic devices, musical instruments and the pistol, with named parts."""

import numpy as np

from stages.bundled.procedural.mesh import box, ellipsoid, extrude, frustum, grid, lathe, ring, rotate
from stages.bundled.procedural.shapes import copies, loft, mirrored, pick, smooth, sweep

HALF = np.pi / 2


def _wire(rng, start, *, length):
    """Loose cable that hangs down from `start` in gentle random bends."""
    path = np.cumsum(np.concatenate([[start], rng.normal(0, length / 22, (8, 3)) - (0, length / 8, 0)]), axis=0)
    return sweep(path, 0.003, segments=5)


def earphone(rng):
    """Earphone: over-ear or on-ear headphones, padded or thin band, neckband, headset with microphone, ear buds."""
    u = rng.uniform
    style = pick(rng, "over", "over", "on", "neck", "buds")
    if style == "buds":
        gap = u(0.02, 0.08)
        bud = [
            ellipsoid((gap, 0.1, 0), u(0.008, 0.012), segments=10),
            frustum((gap, 0.1, 0), (gap * 0.8, 0.07, -0.004), 0.006, 0.004),
        ]
        cable = sweep(smooth([(gap * 0.8, 0.07, 0), (gap * 0.7, 0, 0), (0, -0.06, 0)], count=8), 0.002, segments=5)
        wires = np.concatenate([mirrored(cable), _wire(rng, (0, -0.06, 0), length=u(0.05, 0.3))])
        return [("earcup", mirrored(*bud)), ("data wire", wires)]
    half, height = u(0.07, 0.09), u(0.08, 0.12)
    radius, thick = (u(0.035, 0.05), u(0.025, 0.045)) if style == "over" else (u(0.02, 0.03), u(0.012, 0.025))
    turn = np.linspace(0.02, np.pi - 0.02, 13)
    arch = np.column_stack([half * np.cos(turn), height * np.sin(turn), 0 * turn])
    arch = rotate(arch, axis="x", angle=u(1.2, 1.8)) if style == "neck" else arch
    width = u(1, 4)
    band = sweep(arch, u(0.003, 0.007), segments=6) * (1, 1, width)
    if rng.random() < 0.4:
        band = np.concatenate([band, sweep(arch[3:-3] * (0.9, 0.93, 1), 0.005, segments=6) * (1, 1, 1.3 * width)])
    pad = frustum((half - thick, 0, 0), (half, 0, 0), radius, radius * u(0.85, 1.05), segments=18)
    shell = ellipsoid((half, 0, 0), (thick * u(0.3, 0.7), radius * 0.9, radius * 0.9), segments=12)
    cups = mirrored(pad, shell) * (1, u(1, 1.3), 1)
    parts = [("headband", band), ("earcup", cups)]
    if rng.random() < 0.5:
        parts.append(("data wire", _wire(rng, (half, -radius, 0), length=u(0.1, 0.35))))
    if rng.random() < 0.2:
        boom = smooth([(half, -radius * 0.5, 0.01), (half, -0.06, 0.05), (half * 0.4, -0.08, 0.09)], count=6)
        parts.append(("data wire", sweep(boom, 0.004, segments=5)))
    return parts


def _keys(width, depth, *, rows, columns, rise):
    """Grid of key caps [rows, columns] on the xz plane around the origin."""
    z, x = np.meshgrid((np.arange(rows) + 0.5) / rows - 0.5, (np.arange(columns) + 0.5) / columns - 0.5, indexing="ij")
    cap_ = box((0, rise / 2, 0), (0.8 * width / columns, rise, 0.8 * depth / rows))
    return copies(cap_, np.stack([x * width, 0 * x, z * depth], axis=-1).reshape(-1, 3))


def laptop(rng):
    """Laptop: thin, thick or wide clamshell opened at 75 to 150 degrees, plain or with keys, pad and bezel."""
    u = rng.uniform
    width = u(0.26, 0.42)
    depth, thick, lid = width * u(0.55, 0.8), u(0.008, 0.04), u(0.004, 0.018)
    lower = [box((0, thick / 2, 0), (width, thick, depth))]
    if rng.random() < 0.7:
        keys = _keys(width * 0.9, depth * 0.45, rows=rng.integers(4, 7), columns=rng.integers(10, 16), rise=0.003)
        lower += [keys + (0, thick, -depth * 0.17), box((0, thick, depth * 0.3), (width * 0.25, 0.002, depth * 0.22))]
    tall = depth * u(0.92, 1.02)
    upper = [box((0, tall / 2, -lid / 2), (width, tall, lid))]
    if rng.random() < 0.5:
        upper.append(box((0, tall / 2, 0.001), (width * 0.9, tall * 0.85, 0.002)))
    screen = rotate(np.concatenate(upper), axis="x", angle=-u(-0.25, 1.05)) + (0, thick, -depth / 2)
    hinge = frustum((-width * 0.35, thick, -depth / 2), (width * 0.35, thick, -depth / 2), lid * 0.8, segments=8)
    return [("keyboard", np.concatenate(lower)), ("screen or monitor", np.concatenate([screen, hinge]))]


def keyboard(rng):
    """Keyboard: full, compact, with separate blocks, sloped, split in a V, with wrist rest; sometimes slab only."""
    u = rng.uniform
    width, depth, thick = u(0.28, 0.5), u(0.11, 0.2), u(0.008, 0.035)
    rise = u(0.003, 0.01)
    body = box((0, thick / 2, 0), (width, thick, depth))
    style = pick(rng, "compact", "blocks", "blocks", "split", "slab")
    rows = rng.integers(5, 7)
    if style == "compact":
        keys = _keys(width * 0.95, depth * 0.88, rows=rows, columns=rng.integers(12, 19), rise=rise)
    elif style == "blocks":
        blocks = ((-0.15, 0.66, 15), (0.265, 0.13, 3), (0.415, 0.13, 4))
        keys = np.concatenate(
            [_keys(width * w, depth * 0.8, rows=rows, columns=c, rise=rise) + (x * width, 0, 0) for x, w, c in blocks]
        )
    elif style == "split":
        half = _keys(width * 0.44, depth * 0.75, rows=5, columns=7, rise=rise) + (width * 0.25, 0, 0)
        keys = mirrored(rotate(half, axis="y", angle=u(0, 0.2)))
    else:
        keys = _keys(width * 0.96, depth * 0.9, rows=rows, columns=1, rise=rise)
    keys = keys + (0, thick, 0)
    slope = u(0, 0.15)
    parts = [("body", body), ("keys", keys)]
    if rng.random() < 0.3:
        parts.append(("rest", box((0, thick * 0.4, depth * 0.65), (width, thick * 0.8, depth * 0.3))))
    return [(name, rotate(mesh, axis="x", angle=slope, about=(0, 0, depth / 2))) for name, mesh in parts]


def monitor(rng):
    """Monitor: flat screen on a stand, two screens, wide curved, CRT with a deep back, all-in-one, TV on feet."""
    u = rng.uniform
    style = pick(rng, "flat", "flat", "crt", "all-in-one", "tv", "curved", "double")
    width = u(0.8, 1.4) if style == "tv" else u(0.35, 0.65)
    height, thick = width * u(0.5, 0.82), u(0.015, 0.06)
    rise = height * (u(0.05, 0.15) if style == "tv" else u(0.1, 0.4))
    middle = rise + height / 2
    if style == "crt":
        tall = height * u(0.95, 1.1)
        sizes = ((-u(0.6, 0.95), 0.25), (-0.4, 0.4), (-0.02, 0.5))
        back = loft([(z * width, 0, 0, k * width, k * tall) for z, k in sizes], power=6, along="z") + (0, middle, 0)
        parts = [("screen", box((0, middle, 0), (width, tall, 0.05))), ("case", back)]
        foot = loft([(0, 0, 0, width * 0.32, width * 0.3), (rise, 0, 0, width * 0.2, width * 0.2)], power=u(2, 5))
        return [*parts, ("stand", foot - (0, 0, width * 0.25))]
    if style == "curved":
        turn = np.linspace(-0.35, 0.35, 9)
        x, z = width * 1.4 * np.sin(turn) / 0.7, width * 2 * (1 - np.cos(turn))
        sheet = np.stack([np.column_stack([x, 0 * x + y, z]) for y in (rise, rise + height * 0.8)])
        screen = np.concatenate([grid(sheet), grid(sheet - (0, 0, thick))])
    else:
        screen = box((0, middle, 0), (width, height, thick))
    if rng.random() < 0.5 and style != "curved":
        bezel = width * u(0.02, 0.05)
        screen = np.concatenate([screen, box((0, middle, thick / 2), (width - bezel, height - bezel, 0.006))])
    screen = rotate(screen, axis="x", angle=-u(0, 0.2), about=(0, middle, 0)) if style != "tv" else screen
    if style == "double":
        screen = mirrored(rotate(screen + (width * 0.52, 0, 0), axis="y", angle=-u(0, 0.25)))
    parts = [("screen", screen)]
    if style == "all-in-one":
        bend = smooth([(0, middle, -thick), (0, rise * 0.3, -thick - 0.08), (0, 0.01, 0), (0, 0.01, 0.1)], count=8)
        return [*parts, ("stand", sweep(bend, 0.008, segments=8) * (width * 14, 1, 1))]
    if style == "tv" and rng.random() < 0.5:
        feet = mirrored(box((width * 0.35, rise / 2, 0), (0.03, rise * 1.1, u(0.1, 0.25))))
        return [*parts, ("stand", feet)]
    span = width * u(0.35, 0.7)
    base = (
        frustum((0, 0, 0), (0, 0.015, 0), span / 2, span * 0.4, segments=20) * (1, 1, u(0.6, 1))
        if rng.random() < 0.5
        else box((0, 0.01, 0), (span, 0.02, u(0.12, 0.22)))
    )
    neck = box((0, middle / 2, -thick), (width * u(0.05, 0.3), middle, thick * u(0.5, 1)))
    return [*parts, ("stand", np.concatenate([base, neck]))]


def _driver(x, y, z, radius):
    """Loudspeaker cone facing +z: a ring, a sunken cone and a dust cap."""
    profile = np.array([(1, 0), (0.95, 0.12), (0.85, 0.1), (0.3, -0.35), (0, -0.2)])
    face = lathe(profile * radius, segments=16)
    return rotate(face, axis="x", angle=HALF) + (x, y, z)


def radio(rng):
    """Radio: box set with dial and antenna, rounded retro set, boombox with handle, walkie-talkie, cathedral set."""
    u = rng.uniform
    style = pick(rng, "box", "box", "boombox", "walkie", "cathedral")
    w, h, d = u(0.18, 0.4), u(0.1, 0.22), u(0.05, 0.12)
    if style == "walkie":
        w, h, d = u(0.05, 0.07), u(0.12, 0.2), u(0.03, 0.04)
    if style == "cathedral":
        turn = np.linspace(0, np.pi, 11)
        arch = np.column_stack([w / 2 * np.cos(turn), h * 0.6 + h * u(0.6, 1) * np.sin(turn)])
        outline = np.concatenate([arch, [(-w / 2, 0), (w / 2, 0)]])
        body = extrude(outline - (0, h * 0.6), d, centre=(0, h * 0.6, 0))
    else:
        ends = [(z, 0, 0, w / 2, h / 2) for z in (-d / 2, d / 2)]
        body = loft(ends, power=pick(rng, 30, 30, u(4, 9)), along="z", segments=32) + (0, h / 2, 0)
    parts = [("body", body)]
    size = min(w, h) * u(0.25, 0.42)
    places = {"box": [-w * 0.25], "boombox": [-w * 0.3, w * 0.3], "walkie": [0], "cathedral": [0]}[style]
    parts += [("speaker", _driver(x, h * (0.35 if style == "walkie" else 0.5), d / 2, size)) for x in places]
    if style != "boombox":
        spots = [(w * x, h * u(0.15, 0.4), d / 2) for x in (pick(rng, (0.15, 0.35), (0.3,), (0.1, 0.25, 0.4)))]
        knob = frustum((0, 0, 0), (0, 0, 0.02), size * 0.25, segments=10)
        parts += [("knob", copies(knob, spots)), ("dial", box((w * 0.22, h * 0.7, d / 2), (w * 0.4, h * 0.2, 0.008)))]
    else:
        parts.append(("deck", box((0, h * 0.4, d / 2), (w * 0.25, h * 0.4, 0.02))))
    if style == "boombox" or rng.random() < 0.35:
        grip = np.array([(-w * 0.42, h, 0), (-w * 0.42, h * 1.25, 0), (w * 0.42, h * 1.25, 0), (w * 0.42, h, 0)])
        parts.append(("handle", sweep(grip, 0.008)))
    if style == "walkie" or rng.random() < 0.6:
        thick = 0.007 if style == "walkie" else 0.003
        start = np.array([w * 0.4, h, -d * 0.2])
        tip = start + (u(-0.2, 0.25) * h * (style != "walkie"), h * u(0.6, 1.6), 0)
        parts.append(("antenna", frustum(start, tip, thick, segments=6)))
    return parts


def speaker(rng):
    """Speaker: bookshelf box, floor tower, pair, box on a stand, subwoofer cube, round can, wedge."""
    u = rng.uniform
    style = pick(rng, "box", "tower", "pair", "stand", "cube", "can", "wedge")
    w, h, d = u(0.15, 0.3), u(0.28, 0.5), u(0.15, 0.35)
    if style == "can":
        radius, height = u(0.04, 0.1), u(0.1, 0.3)
        side = smooth(np.array([(0.8, 0), (1, 0.1), (1, 0.9), (0.8, 1)]) * (radius, height))
        body = lathe(np.concatenate([[(0, 0)], side, [(0, height)]]))
        return [("box", body), ("cone", ring((0, height * u(0.1, 0.9), 0), radius, radius * 0.06))]
    h = {"tower": u(0.8, 1.2), "cube": w * u(0.9, 1.2)}.get(style, h)
    lean = 0.15 * d * (style == "wedge")
    body = loft(
        [(0, 0, 0, w / 2, d / 2), (h, 0, -lean, w / 2, d / 2 - lean)], power=pick(rng, 40, 40, u(4, 10)), segments=32
    )
    count = 1 if style == "cube" else rng.integers(1, 5) if style == "tower" else rng.integers(1, 4)
    radii = np.minimum(w * 0.44, h / count * 0.44) * np.r_[1, rng.uniform(0.4, 1.0, count - 1)]
    levels = h * (np.arange(count) + 0.5) / count
    depths = d / 2 + 0.002 - 2 * lean * levels / h
    cones = np.concatenate([_driver(0, y, z, size) for y, z, size in zip(levels, depths, radii, strict=True)])
    parts = [("box", body), ("cone", cones)]
    if style == "stand":
        rise = u(0.4, 0.8)
        pole = [frustum((0, 0.02, 0), (0, rise, 0), u(0.015, 0.05)), box((0, 0.01, 0), (w * 1.1, 0.02, d))]
        return [(name, mesh + (0, rise, 0)) for name, mesh in parts] + [("stand", np.concatenate(pole))]
    if style == "pair":
        return [(name, mirrored(mesh + (w * u(0.6, 1.5), 0, 0))) for name, mesh in parts]
    return parts


def _pad(width):
    """Game controller: a flat rounded body with two grips, two sticks and buttons."""
    body = loft([(0, 0, 0, 0.4, 0.2), (0.2, 0, 0, 0.45, 0.25)], power=2.5, segments=16)
    grip = frustum((0.3, 0.1, 0), (0.45, 0.06, 0.4), 0.13, 0.09)
    stick = frustum((0.2, 0.2, 0), (0.2, 0.3, 0), 0.07, segments=8)
    return np.concatenate([body, mirrored(grip, stick)]) * width


def xbox(rng):
    """Game console: flat slab, old thick box with ridges, waisted upright, tower; sometimes with a controller."""
    u = rng.uniform
    style = pick(rng, "slab", "ridged", "waisted", "tower")
    w, h, d = u(0.25, 0.34), u(0.05, 0.1), u(0.2, 0.32)
    if style == "waisted":
        rows = [(-w / 2, 0, 0, h / 2, d / 2), (0, 0, 0, h * u(0.35, 0.45), d * 0.47), (w / 2, 0, 0, h / 2, d / 2)]
        body = loft(smooth(rows, count=9), power=u(5, 12), segments=28)[..., [1, 0, 2]] + (0, h / 2, 0)
    else:
        if style == "tower":
            w, h, d = u(0.13, 0.17), u(0.26, 0.32), u(0.14, 0.17)
        body = box((0, h / 2, 0), (w, h, d))
    parts = [("body", body)]
    if style == "ridged":
        beams = mirrored(rotate(box((0, h, 0), (w * 1.05, h * 0.15, d * 0.18)), axis="y", angle=u(0.5, 0.9)))
        vents = copies(box((w / 2, 0, 0), (0.01, 0.005, d * 0.7)), [(0, h * k, 0) for k in (0.2, 0.4, 0.6, 0.8)])
        parts.append(("ridge", np.concatenate([beams, mirrored(vents)])))
    front = [
        box((-w * 0.2, h * 0.6, d / 2), (w * 0.45, min(w, h) * 0.15, 0.008)),
        frustum((w * 0.35, h * 0.55, d / 2), (w * 0.35, h * 0.55, d / 2 + 0.006), min(w, h) * 0.2, segments=12),
    ]
    parts.append(("drive", np.concatenate(front)))
    if style in ("slab", "waisted") and rng.random() < 0.45:
        parts = [(name, rotate(mesh, axis="z", angle=HALF) + (h / 2, w / 2, 0)) for name, mesh in parts]
    if rng.random() < 0.4:
        parts.append(("controller", _pad(u(0.13, 0.17)) + (u(-0.1, 0.2), 0, d / 2 + u(0.08, 0.2))))
    return parts


def _curved_body(widths, *, length):
    """Outline [(x, y)] of a guitar body whose half widths run from its lower to its upper end, 0 at both."""
    low, waist, high = widths
    corners = [
        (0, 0),
        (low * 0.8, 0.02),
        (low, 0.2),
        (low * 0.97, 0.36),
        (waist, 0.62),
        (high, 0.82),
        (high * 0.8, 0.98),
        (0, 1),
    ]
    line = smooth(np.array(corners) * (1, length), count=28)
    return np.concatenate([line, (line * (-1, 1))[::-1][1:-1]])


def guitar(rng):
    """Guitar: acoustic or classical, electric double-cut, flying V, box body; upright or lying."""
    u = rng.uniform
    style = pick(rng, "acoustic", "acoustic", "electric", "electric", "v", "box")
    length, wide = u(0.4, 0.52), u(0.15, 0.21)
    thick = u(0.08, 0.12) if style == "acoustic" else u(0.035, 0.06)
    if style == "v":
        arm = [(0.03, 0.42), (-0.04, 0.42), (-wide * 1.1, -0.05), (-wide * 0.7, -0.08), (0, 0.15)]
        outline = np.array(arm + [(-x, y) for x, y in arm[-2:0:-1]])
        outline = outline * (1, length / 0.45) - (0, 0.2)
        body = extrude(outline, thick, centre=(0, 0.2, 0))
    elif style == "box":
        body = box((0, length / 2, 0), (wide * u(0.6, 1.6), length, thick))
    else:
        waist = u(0.55, 0.75)
        outline = _curved_body((wide, wide * waist, wide * u(0.7, 0.95)), length=length)
        if style == "electric":
            outline[:, 1] += u(0.1, 0.4) * length * (np.abs(outline[:, 0]) / wide) * (outline[:, 1] > 0.75 * length)
        body = extrude(outline - (0, length / 2), thick, centre=(0, length / 2, 0))
    top = length + u(0.32, 0.5)
    start = length * (0.6 if style == "electric" else 0.75)
    face = thick / 2 + 0.006
    neck = box((0, (start + top) / 2, face), (u(0.04, 0.055), top - start, 0.018))
    tall = u(0.12, 0.2)
    head = extrude(np.array([(-0.025, 0), (-0.04, tall), (0.04, tall * u(0.8, 1)), (0.025, 0)]) - (0, tall / 2), 0.016)
    pegs = frustum((0.03, 0, 0), (0.06, 0, 0), 0.007, segments=6)
    side = copies(pegs, [(0, y, 0) for y in tall * np.linspace(-0.3, 0.35, pick(rng, 3, 3, 6))])
    pegs = mirrored(side) if rng.random() < 0.6 else side
    tip = rotate(np.concatenate([head, pegs]) + (0, tall / 2, 0), axis="x", angle=-u(0, 0.25)) + (0, top, face)
    fittings = [body, box((0, length * u(0.2, 0.35), face), (0.09, 0.025, 0.015))]
    if style == "acoustic":
        fittings.append(frustum((0, length * 0.62, thick / 2), (0, length * 0.62, thick / 2 + 0.002), 0.05))
    parts = [("body", np.concatenate(fittings)), ("neck", neck), ("head or tuners", tip)]
    axis, angle = pick(rng, ("y", 0), ("y", 0), ("x", HALF), ("x", -HALF), ("z", HALF))
    return [(name, rotate(mesh, axis=axis, angle=angle)) for name, mesh in parts]


def pistol(rng):
    """Pistol: semi-automatic, revolver, flintlock, submachine gun, toy ray gun; muzzle to +z or +x."""
    u = rng.uniform
    style = pick(rng, "auto", "auto", "revolver", "flint", "smg", "ray")
    long, tall, wide = u(0.15, 0.22), u(0.025, 0.035), u(0.02, 0.035)
    lean, grip, chunk = u(0.05, 0.45), u(0.09, 0.12), u(0.035, 0.05)
    haft = loft([(-grip, 0, 0, wide * 0.5, chunk * u(0.45, 0.65)), (0, 0, 0, wide * 0.5, chunk * 0.5)], power=u(3, 8))
    haft = rotate(haft, axis="x", angle=lean) + (0, -tall * 0.3, 0.02)
    barrels = {
        "auto": [box((0, 0, long / 2 - 0.02), (wide, tall, long))],
        "revolver": [
            frustum((0, 0.005, 0.02), (0, 0.005, long), 0.009, segments=10),
            box((0, 0, 0.03), (wide * 0.7, tall, 0.1)),
            frustum((0, 0, 0.025), (0, 0, 0.065), 0.021, segments=14),
        ],
        "flint": [
            frustum((0, 0, -0.02), (0, 0.01, long * 1.5), 0.013, 0.009, segments=10),
            box((0, -0.01, long * 0.4), (wide * 0.8, 0.02, long)),
        ],
        "smg": [
            box((0, 0, long * 0.4), (wide, tall * 1.5, long * 1.2)),
            frustum((0, 0, long), (0, 0, long * 1.5), 0.009),
            box((0, -0.09, long * 0.7), (wide * 0.7, 0.16, 0.03)),
        ],
        "ray": [
            lathe(smooth([(0.012, -0.02), (0.035, 0.04), (0.02, long * 0.8), (0.03, long)]), segments=14)[
                ..., [0, 2, 1]
            ]
        ],
    }
    barrel = barrels[style] + [box((0, tall * 0.6, long * 0.85), (0.004, 0.008, 0.01))]
    if style in ("revolver", "flint"):
        barrel.append(box((0, tall * 0.7, -0.025), (0.006, 0.03, 0.012)))
    size = u(0.018, 0.026)
    guard = ring((0, -tall * 0.5 - size, 0.045 + size), size, 0.003, axis=(1, 0, 0), segments=14)
    trigger = frustum((0, -tall * 0.4, 0.05 + size), (0, -tall * 0.5 - size, 0.042 + size), 0.004, segments=6)
    parts = [
        ("barrel", np.concatenate(barrel)),
        ("handle", haft),
        ("trigger and guard", np.concatenate([guard, trigger])),
    ]
    angle = pick(rng, 0, HALF)
    return [(name, rotate(mesh, axis="y", angle=angle)) for name, mesh in parts]


def _keybed(width, depth, *, level, front):
    """Piano key shelf at height `level` whose front edge is at z = `front`: white slab and black keys."""
    white = box((0, level, front - depth / 2), (width * 0.9, 0.02, depth))
    black = copies(
        box((0, level + 0.015, front - depth * 0.65), (width * 0.008, 0.015, depth * 0.6)),
        [(x * width, 0, 0) for x in np.linspace(-0.42, 0.42, 36) if round(x * 100) % 7],
    )
    return np.concatenate([white, black])


def _upright_piano(rng):
    """Upright piano: a tall case with key shelf, two front legs, music desk and pedals."""
    u = rng.uniform
    w, h, d = u(1.3, 1.55), u(1.0, 1.35), u(0.3, 0.42)
    level, reach = u(0.62, 0.72), u(0.22, 0.34)
    case = [box((0, h / 2, 0), (w, h, d)), box((0, h, 0.01), (w * 1.03, 0.03, d * 1.05))]
    shelf = [
        box((0, level - 0.05, d / 2 + reach / 2), (w, 0.08, reach)),
        mirrored(box((w / 2 - 0.03, level, d / 2 + reach / 2), (0.06, 0.1, reach))),
    ]
    legs = mirrored(box((w / 2 - 0.05, level / 2, d / 2 + reach * u(0.6, 0.95)), (0.07, level, 0.07)))
    pedals = copies(box((0, 0.07, d / 2 + 0.05), (0.03, 0.015, 0.12)), [(x, 0, 0) for x in (-0.08, 0, 0.08)])
    parts = [
        ("case", np.concatenate(case + shelf)),
        ("keys", _keybed(w, 0.14, level=level, front=d / 2 + reach * 0.9)),
        ("pedal", pedals),
    ]
    parts += [("leg", legs)] if rng.random() < 0.7 else []
    desk = rotate(box((0, 0.1, 0), (w * 0.5, 0.2, 0.015)), axis="x", angle=-0.25) + (0, level + 0.1, d / 2 + 0.06)
    return [*parts, ("desk", desk)] if rng.random() < 0.6 else parts


def _grand_piano(rng):
    """Grand piano: a wing-shaped case on three legs, the lid shut or propped open."""
    u = rng.uniform
    w, length, thick, level = u(1.35, 1.55), u(1.5, 2.4), u(0.25, 0.35), u(0.6, 0.7)
    side = smooth(
        [
            (w / 2, 0),
            (w / 2, -length * 0.35),
            (w * 0.05, -length * 0.65),
            (-w * 0.05, -length * 0.9),
            (-w * 0.3, -length),
            (-w / 2, -length * 0.9),
        ],
        count=18,
        window=5,
    )
    outline = np.concatenate([side, [(-w / 2, 0)]])
    middle = np.array([-w * 0.12, -length * 0.4])
    flat = rotate(extrude(outline - middle, 1.0), axis="x", angle=HALF) + (middle[0], 0, middle[1])
    case = flat * (1, thick, 1) + (0, level + thick / 2, 0)
    lid = flat * (1, 0.03, 1) + (0, level + thick, 0)
    opened = rng.random() < 0.65
    lid = rotate(lid, axis="z", angle=u(0.4, 0.8), about=(-w / 2, level + thick, 0)) if opened else lid
    spots = [(w * 0.42, 0, -0.1), (-w * 0.42, 0, -0.1), (-w * 0.2, 0, -length * 0.8)]
    legs = copies(frustum((0, 0, 0), (0, level, 0), 0.04, u(0.05, 0.08), segments=8), spots)
    cheeks = mirrored(box((w / 2 - 0.05, level + thick * 0.4, 0.12), (0.1, thick * 0.8, 0.24)))
    shelf = box((0, level + 0.05, 0.12), (w, 0.1, 0.24))
    lyre = [box((0, level / 2, -0.1), (0.12, level, 0.03)), box((0, 0.1, -0.05), (0.2, 0.03, 0.14))]
    parts = [
        ("case", np.concatenate([case, cheeks, shelf])),
        ("lid", lid),
        ("leg", legs),
        ("keys", _keybed(w * 0.95, 0.15, level=level + 0.12, front=0.22)),
        ("pedal", np.concatenate(lyre)),
    ]
    if opened:
        parts.append(("prop", frustum((w * 0.4, level + thick, -0.4), (w * 0.2, level + thick + 0.5, -0.4), 0.012)))
    return parts


def piano(rng):
    """Piano: upright or grand (lid shut or open), sometimes with a bench."""
    u = rng.uniform
    parts = pick(rng, _upright_piano, _grand_piano)(rng)
    if rng.random() < 0.4:
        z, size = u(0.6, 0.9), u(0.4, 0.9)
        seat = [
            box((0, 0.48, z), (size, 0.07, 0.33)),
            mirrored(*(box((size / 2 - 0.04, 0.24, z + side), (0.05, 0.48, 0.05)) for side in (-0.12, 0.12))),
        ]
        parts.append(("bench", np.concatenate(seat)))
    return parts


GENERATORS = {
    "earphone": earphone,
    "guitar": guitar,
    "keyboard": keyboard,
    "laptop": laptop,
    "monitor": monitor,
    "piano": piano,
    "pistol": pistol,
    "radio": radio,
    "speaker": speaker,
    "xbox": xbox,
}
