"""Procedural small household objects with named parts."""

import numpy as np

from stages.bundled.procedural.mesh import box, ellipsoid, frustum, grid, lathe, rotate
from stages.bundled.procedural.shapes import copies, loft, mirrored, pick, smooth, sweep, vessel

HALF = np.pi / 2


def _loop(height, reach, *, attach, low, thickness, square=False):
    """Handle at +x: a C (or square) tube that leaves a wall at x = `attach` between `low` and `low` + `height`."""
    turn = np.linspace(-HALF, HALF, 9)
    bow = np.column_stack([np.cos(turn), np.sin(turn)])
    bow = np.array([(0, -1), (1, -1), (1, 1), (0, 1)]) if square else bow
    path = np.column_stack([attach + reach * bow[:, 0], low + height * (0.5 + 0.5 * bow[:, 1]), np.zeros(len(bow))])
    return sweep(path, thickness, segments=6)


def _turned(rng, parts):
    """The parts turned about y by a random quarter turn, so that a handle may point anywhere."""
    angle = HALF * rng.integers(4)
    return [(name, rotate(mesh, axis="y", angle=angle)) for name, mesh in parts]


def _mug_profile(rng, height, radius):
    """Outer profile of a straight, tapered, barrel, waisted or belled mug."""
    u = rng.uniform
    foot, middle = pick(rng, (1, 1), (1, 1), (u(0.65, 0.95), None), (u(0.7, 0.9), u(1.0, 1.2)), (1, u(0.8, 0.95)))
    middle = (foot + 1) / 2 if middle is None else middle
    ratios = smooth([(foot, 0), (middle, 0.5), (1, 1)], count=9)
    return ratios * (radius, height)


def mug(rng):
    """Mug: straight, tapered, barrel, waisted or bellied cup with a round, flat or square handle, some with feet."""
    u = rng.uniform
    radius = u(0.035, 0.055)
    height = radius * u(1.5, 3.0)
    profile = _mug_profile(rng, height, radius)
    size = height * u(0.45, 0.8)
    low = (height - size) * u(0.3, 0.7)
    attach = 0.97 * np.interp([low, low + size], profile[:, 1], profile[:, 0]).min()
    handle = _loop(
        size, radius * u(0.4, 0.9), attach=attach, low=low, thickness=radius * u(0.06, 0.14), square=rng.random() < 0.3
    )
    stretch = np.array([1, 1, u(1, 2.2)])
    cup_mesh = vessel(profile, wall=radius * u(0.04, 0.15), segments=pick(rng, 22, 22, 22, 8))
    return _turned(rng, [("cup", cup_mesh), ("handle", handle * stretch)])


def cup(rng):
    """Cup: paper cup with lid, tumbler, tea cup on a saucer, goblet, wine glass, beaker with two handles."""
    u = rng.uniform
    style = pick(rng, "paper", "tumbler", "tea", "stem", "stem", "handled")
    if style == "stem":
        wide, stem, deep = u(0.03, 0.05), u(0.04, 0.12), u(0.05, 0.1)
        corners = [(0.006, 0.006), (0.006, stem), (wide, stem + 0.35 * deep), (wide * u(0.7, 1), stem + deep)]
        glass = lathe(np.concatenate([smooth(corners, count=20), [(0.004, stem + 0.01)]]))
        return [("foot", lathe([(0, 0), (u(0.025, 0.045), 0), (0.008, 0.008), (0, 0.008)])), ("cup", glass)]
    height, rim = {
        "paper": (u(0.09, 0.15), u(0.035, 0.045)),
        "tumbler": (u(0.08, 0.16), u(0.03, 0.045)),
        "tea": (u(0.05, 0.07), u(0.04, 0.055)),
        "handled": (u(0.07, 0.11), u(0.035, 0.05)),
    }[style]
    foot = rim * (u(0.4, 0.6) if style == "tea" else u(0.6, 1.0))
    belly = (foot + rim) / 2 * (u(1.1, 1.3) if style == "tea" else 1)
    profile = smooth([(foot, 0), (belly, height * 0.45), (rim, height)], count=9)
    parts = [("cup", vessel(profile, wall=u(0.002, 0.004), segments=pick(rng, 22, 22, 10)))]
    if style == "paper" and rng.random() < 0.6:
        parts.append(("lid", frustum((0, height, 0), (0, height + 0.012, 0), rim * 1.06, rim * 0.95, segments=20)))
    if style == "tumbler" and rng.random() < 0.3:
        parts.append(("straw", frustum((0.01, 0.01, 0), (-rim, height * 1.4, 0), 0.003, segments=6)))
    if style in ("tea", "handled"):
        handle = _loop(height * u(0.45, 0.7), u(0.015, 0.03), attach=belly * 0.95, low=height * 0.2, thickness=0.004)
        parts.append(("handle", mirrored(handle) if style == "handled" and rng.random() < 0.4 else handle))
    if style == "tea" and rng.random() < 0.7:
        parts.append(("saucer", lathe([(0, -0.004), (foot, -0.003), (rim * u(1.4, 1.8), 0.012), (foot, 0), (0, 0)])))
    return _turned(rng, parts)


def bowl(rng):
    """Bowl: half ball, shallow dish, straight cone, flared or closed rim, square, with or without foot or lid."""
    u = rng.uniform
    radius, ratio, power = u(0.06, 0.16), u(0.25, 1.0), u(1.0, 3.5)
    height = radius * ratio
    foot = u(0.15, 0.6)
    level = np.linspace(0, 1, 10)
    width = foot + (1 - foot) * level ** (1 / power)
    width *= 1 + pick(rng, 0, 0, u(0, 0.25), -u(0, 0.2)) * level**4
    profile = np.column_stack([radius * width, height * level])
    parts = [("bowl", vessel(profile, wall=radius * u(0.02, 0.1), segments=pick(rng, 24, 24, 24, 24, 8, 4)))]
    if rng.random() < 0.4:
        under = radius * foot * u(0.7, 1.0)
        parts.append(("foot", lathe([(under * u(1, 1.2), -height * u(0.08, 0.25)), (under, 0.01 * height)])))
    if rng.random() < 0.15:
        parts.append(("handle", mirrored(box((radius * 1.1, height * 0.95, 0), (radius * 0.3, 0.006, radius * 0.3)))))
    return parts


def _random_profile(rng, height, radius):
    """Smooth random vase outline with three to five control radii."""
    count = rng.integers(3, 6)
    widths = radius * rng.uniform(0.35, 1.0, count)
    widths[rng.integers(1, count)] = radius
    levels = np.sort(np.r_[0, rng.uniform(0.12, 0.88, count - 2), 1])
    return smooth(np.column_stack([widths, levels * height]), count=18, window=5)


def vase(rng):
    """Vase: bottle neck, amphora with handles, flared cylinder, square or faceted, free curve, some with twigs."""
    u = rng.uniform
    height, radius = u(0.15, 0.5), u(0.05, 0.12)
    style = pick(rng, "neck", "amphora", "flared", "free", "free", "square")
    neck = radius * u(0.2, 0.5)
    if style in ("neck", "amphora"):
        belly = u(0.3, 0.7)
        corners = [
            (u(0.4, 0.8) * radius, 0),
            (radius, height * belly),
            (radius * u(0.7, 1), height * (belly + 0.08)),
            (neck, height * min(belly + 0.28, 0.93)),
            (neck * u(1, 2), height),
        ]
        profile = smooth(corners, count=20)
    elif style == "free":
        profile = _random_profile(rng, height, radius)
    else:
        profile = smooth([(radius * u(0.4, 0.9), 0), (radius * u(0.4, 0.9), height * u(0.3, 0.8)), (radius, height)])
    sides = 4 if style == "square" else pick(rng, 24, 24, 24, 8)
    parts = [("vase", vessel(profile, wall=radius * u(0.04, 0.12), segments=sides))]
    if style == "amphora" or rng.random() < 0.08:
        top = height * u(0.8, 0.92)
        handle = _loop(height * u(0.2, 0.4), radius * u(0.4, 0.8), attach=radius * 0.6, low=top * 0.62, thickness=0.008)
        parts.append(("handle", mirrored(handle)))
    if rng.random() < 0.15:
        tips = rng.normal(0, radius, (5, 3)) + (0, height * u(1.3, 1.8), 0)
        parts.extend(("twig", frustum((0, height * 0.3, 0), tip, 0.004, 0.002, segments=5)) for tip in tips)
    return parts


def bottle(rng):
    """Bottle: wine, beer, soda, square flask, perfume, jug with handle, pump or spray head, sports flask."""
    u = rng.uniform
    radius = u(0.03, 0.05)
    height = radius * u(3.5, 9)
    shoulder, neck = u(0.45, 0.85), u(0.25, 0.6)
    style = pick(rng, "wine", "wine", "soda", "flask", "jug", "pump")
    start = min(shoulder + pick(rng, 0.05, 0.15, 0.25), 0.92)
    corners = [(radius * 0.95, 0), (radius, 0.02 * height), (radius, shoulder * height)]
    if style == "soda":
        corners[2:2] = [(radius * u(0.75, 0.95), height * shoulder * u(0.4, 0.6)), (radius, height * shoulder * 0.8)]
    corners += [(radius * neck, start * height), (radius * neck * u(0.8, 1), height)]
    body = lathe(
        np.concatenate([[(0, 0)], smooth(corners, count=24), [(0, height)]]), segments=4 if style == "flask" else 20
    )
    if style == "flask":
        body = rotate(body, axis="y", angle=np.pi / 4) * (1, 1, u(0.4, 1))
    parts = [("body", body)]
    width = radius * neck
    if style == "pump":
        stem = frustum((0, height, 0), (0, height * 1.12, 0), width * 0.4)
        parts.append(("pump", np.concatenate([stem, box((0, height * 1.12, width), (width, width * 0.5, width * 3))])))
    elif rng.random() < 0.75:
        cap_height = height * u(0.03, 0.1)
        parts.append(("cap", frustum((0, height - cap_height / 2, 0), (0, height + cap_height / 2, 0), width * 1.15)))
    if style == "jug":
        handle = _loop(height * u(0.25, 0.4), radius * u(0.4, 0.7), attach=width, low=height * 0.55, thickness=0.006)
        parts.append(("handle", handle))
    if rng.random() < 0.25:
        parts.append(("label", lathe([(radius * 1.02, height * 0.15), (radius * 1.02, height * shoulder * 0.8)])))
    return parts


def _shade(rng, low, radius, height):
    """Lampshade open below and above: drum, cone, bell, globe, dome or square."""
    u = rng.uniform
    kind = pick(rng, "drum", "cone", "cone", "bell", "globe", "dome", "square")
    if kind == "globe":
        return ellipsoid((0, low + height / 2, 0), (radius * 0.8, height / 2, radius * 0.8))
    if kind == "dome":
        turn = np.linspace(0, HALF * 0.95, 8)
        return lathe(np.column_stack([radius * np.cos(turn), low + height * np.sin(turn)]))
    top = radius * {"drum": u(0.85, 1.0), "cone": u(0.25, 0.75), "bell": u(0.2, 0.5), "square": u(0.5, 1)}[kind]
    bend = 0.35 * radius if kind == "bell" else 0
    level = np.linspace(0, 1, 7)
    width = radius + (top - radius) * level - bend * np.sin(np.pi * level) * (radius - top) / radius
    profile = np.column_stack([width, low + height * level])
    mesh = lathe(profile, segments=4 if kind == "square" else 24)
    return rotate(mesh, axis="y", angle=np.pi / 4) if kind == "square" else mesh


def _table_lamp(rng):
    """Table lamp: a turned, bottle, ball or slim stem under a shade."""
    u = rng.uniform
    height, radius = u(0.2, 0.45), u(0.1, 0.22)
    foot = radius * u(0.4, 0.8)
    parts = [("base", lathe([(0, 0), (foot, 0), (foot, 0.012), (foot * u(0.3, 0.9), 0.03), (0, 0.03)]))]
    if rng.random() < 0.6:
        stem = _random_profile(rng, height, radius * u(0.2, 0.6))
        parts.append(("leg or wire", lathe(np.concatenate([[(0, 0)], stem, [(0, height)]]) + (0, 0.03))))
    else:
        parts.append(("leg or wire", frustum((0, 0.02, 0), (0, height, 0), u(0.006, 0.03))))
    shade = u(0.12, 0.3)
    parts.append(("lampshade", _shade(rng, height - shade * u(0, 0.4), radius, shade)))
    if rng.random() < 0.4:
        parts.append(("bulb", ellipsoid((0, height + 0.05, 0), (0.03, 0.045, 0.03), segments=10)))
    return parts


def _floor_lamp(rng):
    """Floor lamp: a pole or tripod under a shade, an upward bowl, or an arc with the shade hung at its end."""
    u = rng.uniform
    height, radius = u(1.2, 1.8), u(0.12, 0.3)
    style = pick(rng, "pole", "pole", "tripod", "torch", "arc")
    shade = u(0.15, 0.4)
    foot = ("base", frustum((0, 0, 0), (0, u(0.02, 0.05), 0), u(0.12, 0.2), u(0.08, 0.15), segments=20))
    if style == "tripod":
        angles = np.arange(3) * 2 * np.pi / 3 + u(0, 2)
        feet = u(0.2, 0.4) * np.column_stack([np.cos(angles), 0 * angles, np.sin(angles)])
        legs = np.concatenate([frustum(spot, (0, height, 0), 0.015, segments=6) for spot in feet])
        return [("leg or wire", legs), ("lampshade", _shade(rng, height - shade * 0.2, radius, shade))]
    if style == "arc":
        reach = u(0.6, 1.2)
        turn = np.linspace(np.pi, 0.15, 10)
        path = np.column_stack([reach / 2 + reach / 2 * np.cos(turn), height * (0.6 + 0.4 * np.sin(turn)), 0 * turn])
        path = np.concatenate([[(0, 0, 0)], path])
        hang = _shade(rng, path[-1, 1] - shade * 0.8, radius, shade) + (path[-1, 0], 0, 0)
        return [foot, ("leg or wire", sweep(path, 0.015)), ("lampshade", hang)]
    pole = ("leg or wire", frustum((0, 0, 0), (0, height, 0), u(0.01, 0.025)))
    if style == "torch":
        dish = lathe([(0.02, height), (radius * 0.7, height + 0.06), (radius, height + 0.12)])
        return [foot, pole, ("lampshade", dish)]
    return [foot, pole, ("lampshade", _shade(rng, height - shade * u(0, 0.6), radius, shade))]


def _desk_lamp(rng):
    """Desk lamp: a jointed arm or gooseneck with a tilted reflector."""
    u = rng.uniform
    parts = [("base", frustum((0, 0, 0), (0, u(0.015, 0.04), 0), u(0.07, 0.11), u(0.05, 0.1), segments=20))]
    elbow = np.array([0, u(0.2, 0.4), -u(0, 0.2)])
    end = elbow + (0, u(0, 0.25), u(0.15, 0.4))
    path = np.array([(0, 0, 0), elbow, end])
    path = smooth(path, count=9, window=5) if rng.random() < 0.4 else path
    offset = u(0.01, 0.03)
    arms = sweep(path, 0.008, segments=6)
    arms = mirrored(arms + (offset, 0, 0)) if rng.random() < 0.3 else arms
    radius, length = u(0.05, 0.09), u(0.08, 0.16)
    head = lathe([(0.02, 0), (radius * u(0.4, 0.8), -length * 0.4), (radius, -length)])
    head = rotate(head, axis="x", angle=-u(0, 0.9))
    return [*parts, ("leg or wire", arms), ("lampshade", head + path[-1])]


def _pendant(rng):
    """Hanging lamp: one to five shades on wires under a canopy, or a chandelier with curved arms."""
    u = rng.uniform
    drop = u(0.3, 1.2)
    count = pick(rng, 1, 1, 1, 2, 3, 5)
    radius, shade = u(0.1, 0.3) / count**0.5, u(0.12, 0.35)
    spread = radius * 2.3
    angles = 2 * np.pi * np.arange(count) / count
    round_ = rng.random() < 0.6
    spots = np.column_stack([np.cos(angles), 0 * angles, np.sin(angles)]) * spread * (0.6 if count < 4 else 0.9)
    spots = spots if round_ else np.outer(np.arange(count) - (count - 1) / 2, (spread, 0, 0))
    spots = spots * (count > 1)
    lit = _shade(rng, 0, radius, shade)
    top = shade + drop
    canopy = (
        frustum((0, top, 0), (0, top + u(0.02, 0.05), 0), u(0.05, 0.09))
        if round_ or count == 1
        else box((0, top, 0), (spread * count, 0.04, 0.08))
    )
    if count > 2 and round_ and rng.random() < 0.6:
        arms = [sweep([(0, shade * 1.6, 0), s * 0.5 + (0, shade * 1.15, 0), s + (0, shade, 0)], 0.01) for s in spots]
        wires = np.concatenate([*arms, frustum((0, shade, 0), (0, top, 0), 0.012)])
    else:
        gather = 0.3 if round_ else 1
        wires = np.concatenate(
            [frustum(s + (0, shade * 0.9, 0), s * gather + (0, top, 0), 0.006, segments=6) for s in spots]
        )
    return [("canopy", canopy), ("leg or wire", wires), ("lampshade", copies(lit, spots))]


def _sconce(rng):
    """Wall lamp: a back plate with an arm and a shade that opens up or down."""
    u = rng.uniform
    reach, size, radius = u(0.1, 0.25), u(0.1, 0.22), u(0.06, 0.12)
    plate = (
        frustum((0, 0.2, 0), (0, 0.2, 0.02), size / 2)
        if rng.random() < 0.5
        else box((0, 0.2, 0.01), (size * u(0.4, 1), size * u(0.8, 1.8), 0.02))
    )
    arm = sweep(smooth([(0, 0.2, 0), (0, 0.2 - u(0, 0.1), reach * 0.6), (0, 0.24, reach)], count=6), 0.01, segments=6)
    shade = _shade(rng, 0, radius, size)
    shade = shade * (1, -1, 1) if rng.random() < 0.3 else shade
    both = [1, -1] if rng.random() < 0.3 else [1]
    spots = [(side * radius * 1.3 * (len(both) - 1), 0.24, reach) for side in both]
    bar = [box((0, 0.24, reach), (radius * 2.6, 0.02, 0.02))] if len(both) > 1 else []
    return [("base", plate), ("leg or wire", np.concatenate([arm, *bar])), ("lampshade", copies(shade, spots))]


def lamp(rng):
    """Lamp: table, floor (pole, tripod, torch, arc), jointed desk lamp, pendant or chandelier, wall sconce."""
    return pick(rng, _table_lamp, _table_lamp, _floor_lamp, _desk_lamp, _pendant, _pendant, _sconce)(rng)


def _pouch(rng, width, height, depth, *, power):
    """Soft bag body on the floor: a lofted pillow that may taper or widen towards its top."""
    u = rng.uniform
    top, pinch = u(0.6, 1.1), u(0.15, 1.0)
    level = np.linspace(0, 1, 9)
    half_width = width / 2 * (1 + (top - 1) * level) * (1 - 0.12 * (2 * level - 1) ** 8)
    half_depth = depth / 2 * (1 + (pinch - 1) * level**1.5)
    zero = 0 * level
    return loft(np.column_stack([level * height, zero, zero, half_width, half_depth]), power=power, segments=24)


def _strap(width, rise, *, top, thickness, z=0.0, arch=2.0):
    """Carrying loop over a bag: an arch of tubes from x = -width/2 to width/2 that rises from `top`."""
    turn = np.linspace(0, np.pi, 11)
    x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / arch) * width / 2
    return sweep(np.column_stack([x, top + rise * np.sin(turn) ** (2 / arch), 0 * x + z]), thickness, segments=6)


def _tote(rng):
    """Open or paper shopping bag: a boxy loft with two loops."""
    u = rng.uniform
    width, height, depth = u(0.28, 0.42), u(0.3, 0.45), u(0.06, 0.2)
    sides = [(0, 0, 0, width / 2, depth / 2), (height, 0, 0, width / 2 * u(1, 1.15), depth / 2 * u(0.3, 1))]
    loop = _strap(width * u(0.3, 0.6), u(0.08, 0.3), top=height, thickness=u(0.004, 0.01), arch=u(1.5, 4))
    gap = sides[1][4]
    return [("body", loft(sides, power=u(4, 9), segments=28)), ("handle", copies(loop, [(0, 0, gap), (0, 0, -gap)]))]


def _backpack(rng):
    """Backpack: a rounded body, a front pocket, two shoulder straps behind and a loop on top."""
    u = rng.uniform
    height, width, depth = u(0.38, 0.52), u(0.26, 0.34), u(0.14, 0.22)
    pocket = (width * u(0.3, 0.42), height * u(0.18, 0.28), depth * 0.3)
    body = [
        _pouch(rng, width, height, depth, power=u(2.5, 5)),
        ellipsoid((0, height * 0.32, depth * 0.45), pocket, segments=12),
    ]
    path = smooth(
        [
            (0.07, height * 0.92, -depth * 0.4),
            (0.09, height * 0.75, -depth * 0.9),
            (0.1, height * 0.3, -depth * 0.85),
            (0.1, height * 0.08, -depth * 0.45),
        ],
        count=8,
    )
    loops = [mirrored(sweep(path, u(0.01, 0.02))), _strap(0.08, 0.05, top=height, thickness=0.008)]
    return [("body", np.concatenate(body)), ("handle", np.concatenate(loops))]


def _duffel(rng):
    """Duffel bag: a lying cylinder with two loops."""
    u = rng.uniform
    size, length = u(0.11, 0.18), u(0.4, 0.65)
    body = frustum((-length / 2, size, 0), (length / 2, size, 0), size, segments=18) * (1, 1, u(0.7, 1.1))
    loop = _strap(length * u(0.25, 0.5), u(0.1, 0.25), top=size * 1.6, thickness=u(0.006, 0.012))
    return [("body", body), ("handle", copies(loop, [(0, 0, size / 2), (0, 0, -size / 2)]))]


def _case(rng):
    """Suitcase, briefcase or trolley with a pulled-out grip and wheels."""
    u = rng.uniform
    trolley = rng.random() < 0.5
    height, width = (u(0.5, 0.75), u(0.35, 0.5)) if trolley else (u(0.28, 0.38), u(0.38, 0.5))
    depth = u(0.08, 0.28)
    body = loft([(0, 0, 0, width / 2, depth / 2), (height, 0, 0, width / 2, depth / 2)], power=u(4, 12), segments=28)
    rise = u(0.2, 0.45) if trolley else u(0.04, 0.07)
    loop = _strap(width * u(0.25, 0.5), rise, top=height, thickness=u(0.008, 0.014), arch=u(3, 8))
    wheels = [mirrored(box((width * 0.4, -0.015, 0), (0.03, 0.04, 0.05)))] if trolley else []
    return [("body", np.concatenate([body, *wheels])), ("handle", loop)]


def _handbag(rng):
    """Handbag: a soft pouch with one or two loops or a long strap, some with a flap."""
    u = rng.uniform
    width, height, depth = u(0.25, 0.42), u(0.18, 0.35), u(0.08, 0.18)
    body = _pouch(rng, width, height, depth, power=u(2.2, 6))
    rise = u(0.35, 0.6) if rng.random() < 0.15 else u(0.06, 0.3)
    loop = _strap(width * u(0.4, 0.95), rise, top=height * u(0.75, 1), thickness=u(0.005, 0.013), arch=u(1.6, 3))
    loop = copies(loop, [(0, 0, depth * 0.2), (0, 0, -depth * 0.2)]) if rng.random() < 0.5 else loop
    flap = [box((0, height * 0.68, depth * 0.42), (width * 0.8, height * 0.5, 0.01))] if rng.random() < 0.3 else []
    return [("body", np.concatenate([body, *flap])), ("handle", loop)]


def bag(rng):
    """Bag: handbag, tote or shopping bag, backpack with straps, duffel, suitcase, briefcase or trolley."""
    return pick(rng, _handbag, _handbag, _handbag, _tote, _backpack, _duffel, _case)(rng)


def cap(rng):
    """Cap: baseball cap with curved peak, flat-brimmed cap, military cap, flat cap, round brim."""
    u = rng.uniform
    radius = u(0.08, 0.1)
    height, length = radius * u(0.8, 1.35), radius * u(0.55, 1.2)
    style = pick(rng, "ball", "ball", "ball", "ball", "flat", "army", "round")
    turn = np.linspace(0, HALF, 9)
    power = u(0.6, 1.0)
    profile = np.column_stack([radius * np.cos(turn) ** power, height * np.sin(turn)])
    if style == "army":
        profile = smooth([(radius, 0), (radius * u(0.95, 1.3), height * 0.7), (0.01, height * u(0.75, 1.0))], count=12)
    if style == "flat":
        profile = profile * (1.1, u(0.55, 0.75))
    oval = (u(0.85, 1), 1, u(1, 1.15))
    crown = lathe(profile, segments=26) * oval
    if style == "army":
        crown[..., 1] += crown[..., 2] * u(0, 0.4) * (crown[..., 1] / height).clip(0)
    parts = [("panels or crown", crown)]
    if rng.random() < 0.6:
        parts.append(("panels or crown", ellipsoid((0, profile[:, 1].max(), 0), (0.008, 0.006, 0.008), segments=6)))
    half = np.pi if style == "round" else u(0.75, 1.2)
    across = np.linspace(-half, half, 19)
    out = np.linspace(0, 1, 4)[:, None]
    reach = length * (0.6 if style == "round" else np.cos(across / half * HALF).clip(0) ** u(0.35, 0.8))
    ahead = profile[0, 0] * 1.01 + out * reach
    droop = u(0, 0.35) * np.abs(np.sin(across)) ** 2 * radius * (0.4 + out) + out * length * u(-0.05, 0.35)
    sheet = np.stack([ahead * np.sin(across), 0.004 - droop, ahead * np.cos(across)], axis=-1)
    brim = grid(sheet) * oval
    return [*parts, ("visor or peak", np.concatenate([brim, brim - (0, u(0.002, 0.006), 0)]))]


def knife(rng):
    """Knife: chef's, table, dagger or sword, cleaver, curved, folding; blade along x, y or z."""
    u = rng.uniform
    style = pick(rng, "chef", "table", "dagger", "cleaver", "curved")
    blade, wide = u(0.12, 0.25), u(0.02, 0.045)
    grip = blade * u(0.35, 0.85)
    x = np.linspace(0, 1, 9)
    spine, edge = {
        "chef": (0.5 - 0.45 * x**4, -0.5 + 0.45 * x**3),
        "table": (0.35 * (1 - x**8), -0.35 - 0.15 * np.sin(3 * x) + 0.5 * x**8),
        "dagger": (0.5 * (1 - x**6), -0.5 * (1 - x**6)),
        "cleaver": (0 * x + 0.9, 0 * x - 0.9),
        "curved": (0.5 + 0.8 * x**2, -0.5 + 1.3 * x**2),
    }[style]
    outline = np.concatenate([np.column_stack([x, edge]), np.column_stack([x, spine])[::-1]]) * (blade, wide)
    strips = np.stack([outline[:9], outline[9:][::-1]])
    thick = u(0.001, 0.006)
    faces = [grid(np.dstack([strips, np.full(strips.shape[:2], z)])) for z in (thick / 2, -thick / 2)]
    rim = grid(np.stack([np.column_stack([outline, np.full(18, z)]) for z in (thick / 2, -thick / 2)]))
    radius = wide * u(0.25, 0.5)
    hold = [(-grip, u(0.7, 1.3)), (-grip * 0.6, u(0.7, 1.1)), (-grip * 0.3, u(0.8, 1.2)), (0.0, u(0.7, 1.0))]
    haft = loft([(t, 0, 0, radius * s, radius * s * 0.6) for t, s in hold], power=u(2, 6), segments=14)
    parts = [("blade", np.concatenate([*faces, rim])), ("handle", haft[..., [1, 0, 2]])]
    if style == "dagger" or rng.random() < 0.2:
        parts.append(("handle", box((0, 0, 0), (0.012, wide * u(1.3, 3), radius * 1.5))))
    turn = pick(rng, ("x", 0), ("z", HALF), ("z", -HALF), ("y", HALF), ("x", HALF))
    return [(name, rotate(mesh, axis=turn[0], angle=turn[1])) for name, mesh in parts]


GENERATORS = {
    "bag": bag,
    "bottle": bottle,
    "bowl": bowl,
    "cap": cap,
    "cup": cup,
    "knife": knife,
    "lamp": lamp,
    "mug": mug,
    "vase": vase,
}
