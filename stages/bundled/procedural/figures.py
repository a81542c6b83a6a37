"""Procedural people, animals, plants and the remaining small classes (cone, glass box, tent) with parts."""

import numpy as np

from stages.bundled.procedural.mesh import box, ellipsoid, extrude, frustum, grid, lathe, ring, rotate
from stages.bundled.procedural.shapes import copies, loft, mirrored, pick, smooth, sweep, vessel

HALF = np.pi / 2


def _limb(joints, radii):
    """Arm or leg: round tube through the joints [N, 3] with a radius for each, closed by a ball at its end."""
    return np.concatenate([sweep(joints, radii, segments=8), ellipsoid(joints[-1], radii[-1] * 1.15, segments=8)])


def _arm(rng, shoulder, length):
    """Joints of one arm that hangs, spreads, bends, points forwards or is raised."""
    u = rng.uniform
    out, ahead = pick(
        rng, (u(0.05, 0.3), 0), (u(0.05, 0.3), 0), (u(1.2, 1.6), 0), (0.1, u(0.8, 1.6)), (u(1.8, 2.8), 0.2)
    )
    upper = np.array([np.sin(out), -np.cos(out) * np.cos(ahead), np.sin(ahead) * np.cos(out)])
    lower = upper + (0, 0, u(0, 0.9)) + (0, u(0, 0.5), 0)
    elbow = shoulder + upper * length * 0.5
    return np.array([shoulder, elbow, elbow + lower / np.linalg.norm(lower) * length * 0.5])


def _leg(rng, hip, length, pose, swing):
    """Joints of one leg: straight, striding by `swing` radians, or sitting."""
    bend = rng.uniform(0.0, 0.4)
    if pose == "sit":
        knee = hip + (0.03, 0.0, length * 0.5)
        return np.array([hip, knee, knee - (0, length * 0.5, rng.uniform(-0.1, 0.1))])
    knee = hip + length * 0.5 * np.array([0.05, -np.cos(swing), np.sin(swing)])
    back = swing - bend * (swing != 0)
    return np.array([hip, knee, knee + length * 0.5 * np.array([0.02, -np.cos(back), np.sin(back)])])


def person(rng):
    """Person: standing, walking or sitting (some on a stool), arms hung, spread, bent or raised, skirt, hat, hair."""
    u = rng.uniform
    tall, build = u(1.5, 1.9), u(0.85, 1.3)
    pose = pick(rng, "stand", "stand", "walk", "sit")
    leg, hip_x, chest = tall * 0.47, 0.09 * build, 0.2 * build * tall / 1.7
    hip = tall * 0.5 if pose != "sit" else leg * 0.55
    neck = hip + tall * 0.33
    levels = hip + (neck - hip) * np.array([-0.12, 0.05, 0.35, 0.75, 0.95, 1.0])
    widths = chest * np.array([0.75, 0.85, u(0.65, 0.9), 1.0, 0.85, 0.3])
    rows = np.column_stack([levels, 0 * levels, 0 * levels, widths, widths * u(0.5, 0.75)])
    head = np.array([0, neck + tall * 0.1, 0.01])
    parts = [
        ("torso", loft(rows, power=2.5, segments=14)),
        (
            "head",
            np.concatenate(
                [
                    ellipsoid(head, np.array([0.075, 0.11, 0.095]) * tall / 1.7, segments=12),
                    frustum((0, neck - 0.05, 0), head, 0.05 * build, segments=8),
                ]
            ),
        ),
    ]
    thick = 0.05 * build
    swing = u(0.2, 0.6) if pose == "walk" else 0
    same = rng.random() < 0.5
    arms = [_arm(rng, np.array([chest * 0.95, neck - tall * 0.04, 0]), tall * 0.42) for _ in range(2)]
    arms[1] = arms[0] if same else arms[1]
    legs = [_leg(rng, np.array([hip_x, hip, 0]), leg, pose, s) for s in (swing, -swing)]
    for joints, flip in zip(arms, (1, -1), strict=True):
        parts.append(("arm", _limb(joints * (flip, 1, 1), thick * np.array([1.0, 0.8, 0.65]))))
    for joints, flip in zip(legs, (1, -1), strict=True):
        foot = ellipsoid(joints[-1] + (0, 0, 0.06), (0.045, 0.04, 0.13), segments=8)
        parts.append(("leg", np.concatenate([_limb(joints, thick * np.array([1.6, 1.1, 0.8])), foot]) * (flip, 1, 1)))
    if pose != "sit" and rng.random() < 0.3:
        hem = hip - leg * u(0.3, 0.9)
        parts.append(("skirt", lathe([(chest * u(1.0, 1.9), hem), (chest * 0.7, hip + 0.12)]) * (1, 1, 0.8)))
    if rng.random() < 0.5:
        wear = pick(
            rng,
            ellipsoid(head + (0, 0.03, -0.03), (0.095, 0.12, 0.1), segments=10),
            lathe([(u(0.1, 0.2), 0.05), (0.1, 0.06), (0.08, 0.16), (0, 0.17)], segments=14) + head,
        )
        parts.append(("hat", wear))
    if pose == "sit" and rng.random() < 0.6:
        parts.append(("seat", box((0, (hip - thick) / 2, 0), (0.4, hip - thick, 0.4))))
    return parts


# Quadrupeds: (body length, body radius, leg length, leg radius, neck length, neck lift, head length, tail length).
BEASTS = {
    "dog": (0.6, 0.13, 0.35, 0.035, 0.2, 0.9, 0.22, 0.3),
    "cat": (0.42, 0.09, 0.22, 0.025, 0.1, 0.7, 0.12, 0.35),
    "horse": (1.4, 0.3, 0.95, 0.06, 0.8, 1.0, 0.5, 0.7),
    "cow": (1.6, 0.38, 0.7, 0.08, 0.4, 0.5, 0.45, 0.8),
    "pig": (0.9, 0.25, 0.25, 0.06, 0.1, 0.2, 0.3, 0.12),
    "giraffe": (1.4, 0.35, 1.5, 0.07, 1.7, 1.25, 0.45, 0.6),
}


def _beast(rng):
    """Four-legged animal, standing or walking."""
    u = rng.uniform
    kind = pick(rng, "dog", "dog", "cat", "cat", "horse", "horse", "cow", "pig", "giraffe")
    length, radius, leg, limb, neck, lift, skull, tail = np.array(BEASTS[kind]) * rng.uniform(0.8, 1.2, 8)
    level = leg + radius * 0.8
    t = np.linspace(-0.5, 0.5, 7)
    girth = radius * np.array([0.5, 0.9, 0.95, u(0.8, 1.0), 1, 0.95, 0.5])
    body = loft(np.column_stack([t * length, 0 * t, level + 0 * t, girth * 0.8, girth]), along="z", segments=14)
    start = np.array([0, level + radius * 0.4, length * 0.42])
    crest = start + neck * np.array([0, np.sin(lift), np.cos(lift)])
    snout = crest + skull * np.array([0, -u(0.1, 0.5), 0.9])
    head = [
        sweep([crest - (0, 0, skull * 0.2), crest + (0, 0, skull * 0.2), snout], skull * np.array([0.3, 0.36, 0.2])),
        ellipsoid(snout, skull * 0.2, segments=8),
        ellipsoid(crest, skull * 0.38, segments=8),
    ]
    tip = skull * np.array([0.22, u(0.35, 0.7), -0.1])
    ear = mirrored(frustum(crest + (skull * 0.15, skull * 0.25, 0), crest + tip, skull * 0.13, 0.01, segments=6))
    stride = u(0, 0.35) * rng.integers(2)
    legs = []
    for x, z, phase in ((1, 0.38, 1), (-1, 0.38, -1), (1, -0.4, -1), (-1, -0.4, 1)):
        hip = np.array([x * radius * 0.5, level, z * length])
        foot = hip + (0, -level, phase * stride * leg)
        knee = (hip + foot) / 2 + (0, 0, limb * u(-0.5, 1))
        legs.append(sweep([hip, knee, foot], limb * np.array([1.7, 1, 0.9])))
    end = np.array([0, level + radius * 0.5, -length * 0.48])
    curve = smooth(
        [end, end + tail * np.array([0, u(-0.1, 0.5), -0.5]), end + tail * np.array([0, u(-0.8, 0.9), -0.7])], count=7
    )
    return [
        ("body", body),
        ("neck", sweep([start - (0, 0, radius * 0.3), crest], [radius * 0.7, skull * 0.33], segments=10)),
        ("head", np.concatenate(head)),
        ("ear", ear),
        ("leg", np.concatenate(legs)),
        ("tail", sweep(curve, limb * 0.6)),
    ]


def _bird(rng):
    """Bird, perched with folded wings or flying with spread wings."""
    u = rng.uniform
    size, leg = u(0.08, 0.15), u(0.04, 0.25)
    body = rotate(
        ellipsoid((0, 0, 0), (size, size * u(0.9, 1.2), size * u(1.5, 2.1)), segments=14), axis="x", angle=-u(0, 0.7)
    )
    crest = size * np.array([0, u(0.8, 2.2), u(1.3, 1.8)])
    head = ellipsoid(crest, size * u(0.45, 0.7), segments=10)
    beak = frustum(crest, crest + size * np.array([0, -0.1, u(0.9, 1.8)]), size * 0.25, 0.003, segments=6)
    neck = sweep([(0, size * 0.3, size), crest], [size * 0.6, size * 0.4])
    fan = grid(
        size * np.array([[(-0.3, 0, -1.5), (0.3, 0, -1.5)], [(-0.8, u(-0.6, 0.2), -3), (0.8, u(-0.6, 0.2), -3)]])
    )
    flying = rng.random() < 0.5
    if flying:
        t = np.linspace(0, 1, 6)
        reach, lift = size * u(3, 6), size * u(-0.5, 2)
        edge = np.column_stack([size * 0.6 + t * reach, lift * t**1.5, size * (0.9 - 0.8 * t**2)])
        back = edge - np.column_stack([0 * t, 0 * t, size * (1.8 - 1.5 * t**2)])
        wing = grid(np.stack([edge, back]))
    else:
        wing = ellipsoid((size * 0.85, 0, -size * 0.3), (size * 0.2, size * 0.6, size * 1.6), segments=10)
    legs = mirrored(
        frustum((size * 0.35, 0, 0), (size * 0.35, -size - leg, 0), 0.008, segments=6),
        box((size * 0.35, -size - leg, size * 0.2), (size * 0.4, 0.01, size * 0.7)),
    )
    parts = [
        ("body", np.concatenate([body, neck])),
        ("head", head),
        ("beak", beak),
        ("wing", mirrored(wing)),
        ("tail", fan),
    ]
    return parts if flying and rng.random() < 0.6 else [*parts, ("leg", legs)]


def animal(rng):
    """Animal: dog, cat, horse, cow, pig or giraffe on four legs, or a perched or flying bird."""
    return pick(rng, _beast, _beast, _beast, _bird)(rng)


def _blades(rng, count, *, root, length, width, lift, droop, spread=0.0):
    """Leaves from `root`: curved sheets at random azimuths that rise at angles in `lift` and bend down by `droop`."""
    t = np.linspace(0, 1, 7)[:, None]
    side = np.array([-1, 0, 1]) * width * (np.sin(np.pi * t**0.7) + 0.06)
    leaves = []
    for turn in 2 * np.pi * (np.arange(count) + rng.random(count)) / count:
        angle, size = rng.uniform(*lift), length * rng.uniform(0.6, 1.1)
        out = size * np.cos(angle) * t + 0 * side + spread
        up = size * (np.sin(angle) * t - droop * rng.uniform(0.5, 1.2) * t**2) + 0.3 * np.abs(side)
        sheet = np.stack([side, up, out], axis=-1)
        leaves.append(rotate(grid(sheet), axis="y", angle=turn))
    return np.concatenate(leaves) + np.asarray(root)


def _cloud(rng, count, *, centre, radii, leaf):
    """Foliage: `count` small random triangles inside and on an ellipsoid."""
    spot = rng.normal(size=(count, 1, 3))
    spot *= rng.uniform(0.5, 1.0, (count, 1, 1)) ** 0.5 / np.linalg.norm(spot, axis=2, keepdims=True)
    return np.asarray(centre) + spot * np.broadcast_to(radii, 3) + rng.normal(0, leaf / 2, (count, 3, 3))


def _pot(rng, radius, height):
    """Plant pot: tapered with or without rim, round-bellied, square, urn; with soil."""
    u = rng.uniform
    foot = u(0.5, 1.0)
    style = pick(rng, "plain", "rim", "rim", "belly", "urn", "square")
    corners = {
        "plain": [(foot, 0), (1, 1)],
        "square": [(foot, 0), (1, 1)],
        "belly": [(0.6, 0), (1.1, 0.5), (0.8, 1)],
        "rim": [(foot * 0.9, 0), (0.9, 0.8), (1.05, 0.8), (1.05, 1)],
        "urn": [(0.6, 0), (0.25, 0.25), (0.8, 0.6), (1, 1)],
    }
    profile = np.array(corners[style]) * (radius, height)
    profile = profile if style in ("rim", "plain", "square") else smooth(profile, count=12)
    mesh = vessel(profile, wall=radius * 0.08, segments=4 if style == "square" else 20)
    return [("pot", mesh), ("soil", frustum((0, height * 0.8, 0), (0, height * 0.85, 0), radius * 0.75, segments=14))]


def _greens(rng, top, size):
    """Foliage above a pot whose soil is at height `top`: leaves, palm, bush, tree, cactus, sword leaves, vines."""
    u = rng.uniform
    style = pick(rng, "leaves", "leaves", "palm", "bush", "tree", "cactus", "sword", "vines")
    root, stem = (0, top, 0), size * u(0.4, 0.8)
    if style == "leaves":
        return [
            (
                "leaf",
                _blades(
                    rng,
                    rng.integers(7, 20),
                    root=root,
                    length=size * u(0.7, 1.2),
                    width=size * u(0.06, 0.18),
                    lift=(0.5, 1.5),
                    droop=u(0.1, 0.8),
                ),
            )
        ]
    if style == "palm":
        fronds = _blades(
            rng,
            rng.integers(7, 14),
            root=(0, top + stem, 0),
            length=size * 0.8,
            width=size * u(0.03, 0.1),
            lift=(0.1, 1.1),
            droop=u(0.3, 1.0),
        )
        return [("stem", frustum(root, (0, top + stem, 0), size * 0.04, size * 0.03)), ("leaf", fronds)]
    if style == "sword":
        return [
            (
                "leaf",
                _blades(
                    rng,
                    rng.integers(6, 14),
                    root=root,
                    length=size * 1.2,
                    width=size * u(0.03, 0.07),
                    lift=(1.15, 1.55),
                    droop=0.02,
                    spread=size * 0.05,
                ),
            )
        ]
    if style == "vines":
        return [
            (
                "leaf",
                _blades(
                    rng,
                    rng.integers(10, 20),
                    root=root,
                    length=size * 0.7,
                    width=size * 0.06,
                    lift=(0.3, 1.2),
                    droop=u(1.3, 2.0),
                ),
            )
        ]
    if style == "cactus":
        trunk = loft(
            [
                (top, 0, 0, size * 0.13, size * 0.13),
                (top + size * 0.8, 0, 0, size * 0.15, size * 0.15),
                (top + size, 0, 0, size * 0.06, size * 0.06),
            ],
            segments=12,
        )
        arms = [
            rotate(
                sweep(
                    smooth(
                        [
                            (0, top + k * size, 0),
                            (size * 0.3, top + k * size, 0),
                            (size * 0.3, top + (k + 0.35) * size, 0),
                        ],
                        count=7,
                    ),
                    size * 0.08,
                ),
                axis="y",
                angle=a,
            )
            for k, a in ((0.3, u(0, 1)), (0.45, u(2.5, 4)))
        ]
        return [("stem", np.concatenate([trunk, *arms[: rng.integers(0, 3)]]))]
    lift = stem if style == "tree" else 0
    radii = size * np.array([u(0.3, 0.6), u(0.3, 0.6), u(0.3, 0.6)])
    crown = _cloud(
        rng, rng.integers(200, 700), centre=(0, top + lift + radii[1], 0), radii=radii, leaf=size * u(0.06, 0.15)
    )
    parts = [("leaf", crown)]
    return [("stem", frustum(root, (0, top + lift + radii[1], 0), size * 0.03)), *parts] if style == "tree" else parts


def _flowers(rng, top, size):
    """Stems from the soil that end in flower heads (discs, balls or bells), with a few leaves below."""
    u = rng.uniform
    count = rng.integers(3, 10)
    tips = np.column_stack(
        [rng.normal(0, size * 0.3, count), top + size * rng.uniform(0.6, 1.1, count), rng.normal(0, size * 0.3, count)]
    )
    stems = np.concatenate(
        [
            sweep(
                smooth([(0, top, 0), tip * (0.4, 0.6, 0.4) + (0, top * 0.4, 0), tip], count=5), size * 0.012, segments=5
            )
            for tip in tips
        ]
    )
    r = size * u(0.06, 0.15)
    bloom = pick(
        rng,
        ellipsoid((0, 0, 0), r, segments=8),
        lathe([(0, 0), (r * 0.4, 0), (r, r)], segments=8),
        _blades(rng, 6, root=(0, 0, 0), length=r * 1.6, width=r * 0.4, lift=(0.1, 0.5), droop=0.2),
    )
    leaves = _blades(rng, 6, root=(0, top, 0), length=size * 0.5, width=size * 0.06, lift=(0.6, 1.3), droop=0.5)
    return [("stem", stems), ("flower", copies(bloom, tips)), ("leaf", leaves)]


def plant(rng):
    """Potted house plant: broad leaves, palm, bush, small tree, cactus, sword leaves, vines; the plant dominates."""
    u = rng.uniform
    radius, height = u(0.1, 0.2), u(0.12, 0.35)
    return [*_pot(rng, radius, height), *_greens(rng, height * 0.85, u(0.4, 1.3))]


def flower_pot(rng):
    """Flower pot: a large pot with flowers, low greens or nothing, or a long planter box."""
    u = rng.uniform
    radius, height = u(0.12, 0.3), u(0.15, 0.45)
    size = max(radius, height) * u(0.8, 2.2)
    pot = _pot(rng, radius, height)
    grown = pick(rng, _flowers, _flowers, _greens, _greens, None)
    parts = pot + (grown(rng, height * 0.85, size) if grown else [])
    stretch = (u(1.5, 2.5), 1, 1) if rng.random() < 0.15 else (1, 1, 1)
    return [(name, mesh * stretch) for name, mesh in parts]


def _branch(rng, start, direction, length, radius, depth):
    """Bare branches: a limb that splits in two or three `depth` times."""
    end = start + direction * length
    meshes = [frustum(start, end, radius, radius * 0.65, segments=5)]
    for _ in range(0 if depth == 0 else rng.integers(2, 4)):
        bent = direction + rng.normal(0, 0.5, 3) + (0, 0.15, 0)
        meshes += _branch(
            rng, end, bent / np.linalg.norm(bent), length * rng.uniform(0.6, 0.85), radius * 0.6, depth - 1
        )
    return meshes


def tree(rng):
    """Tree: conifer (stacked cones or drooping rows), round or tall crown, several crowns, bare branches, palm."""
    u = rng.uniform
    tall = u(3, 9)
    trunk = tall * u(0.15, 0.45)
    style = pick(rng, "conifer", "round", "leafy", "leafy", "bare", "palm")
    thick = tall * u(0.015, 0.04)
    if style == "bare":
        limbs = _branch(rng, np.zeros(3), np.array([0, 1.0, 0]), tall * 0.3, thick * 1.3, 3)
        return [("trunk", limbs[0]), ("branch", np.concatenate(limbs[1:]))]
    if style == "palm":
        bend = tall * rng.uniform(-0.2, 0.2, 2)
        line = smooth([(0, 0, 0), (bend[0] * 0.4, tall * 0.5, 0), (bend[0], tall * 0.85, bend[1])], count=7)
        return [
            ("trunk", sweep(line, np.linspace(thick * 1.3, thick * 0.8, 7), segments=8)),
            (
                "leaf",
                _blades(
                    rng,
                    rng.integers(8, 16),
                    root=line[-1],
                    length=tall * u(0.25, 0.45),
                    width=tall * u(0.02, 0.05),
                    lift=(-0.1, 1.0),
                    droop=u(0.4, 1.0),
                ),
            ),
        ]
    parts = [("trunk", frustum((0, 0, 0), (0, max(trunk * 1.3, tall * 0.5), 0), thick, thick * 0.7, segments=8))]
    wide = tall * u(0.18, 0.4)
    if style == "conifer":
        tiers = rng.integers(1, 7)
        low = trunk * 0.6 + (tall - trunk * 0.6) * np.arange(tiers) / tiers
        rows = [
            frustum(
                (0, y, 0),
                (0, min(y + 1.5 * (tall - trunk * 0.6) / tiers, tall), 0),
                wide * (1 - 0.8 * k / tiers),
                0.02,
                segments=12,
            )
            for k, y in enumerate(low)
        ]
        return [*parts, ("leaf", np.concatenate(rows))]
    centre, radii = (0, trunk + (tall - trunk) / 2, 0), np.array([wide, (tall - trunk) / 2, wide * u(0.8, 1.2)])
    if style == "leafy":
        leaf = _cloud(rng, rng.integers(400, 1500), centre=centre, radii=radii, leaf=tall * u(0.02, 0.06))
        limbs = _branch(rng, np.array([0, trunk * 0.9, 0]), np.array([0, 1.0, 0]), tall * 0.15, thick * 0.7, 2)
        return [*parts, ("branch", np.concatenate(limbs)), ("leaf", leaf)]
    balls = (
        [ellipsoid(centre, radii, segments=14)]
        if rng.random() < 0.4
        else [
            ellipsoid(centre + rng.normal(0, 0.35, 3) * radii, radii * u(0.4, 0.7), segments=10)
            for _ in range(rng.integers(3, 9))
        ]
    )
    return [*parts, ("leaf", np.concatenate(balls))]


def cone(rng):
    """Cone: plain, truncated, traffic cone with square or round foot, with bands, upside down, many-sided."""
    u = rng.uniform
    radius, height = u(0.1, 0.4), u(0.3, 1.0)
    tip = pick(rng, 0, 0, radius * u(0.05, 0.3))
    sides = pick(rng, 28, 28, 28, 12, 6)
    outline = [(radius, 0), (tip, height)]
    outline = [(0, 0), *outline] if rng.random() < 0.6 else outline
    parts = [("cone", lathe([*outline, (0, height)], segments=sides))]
    style = pick(rng, "plain", "plain", "square", "square", "round")
    wide, thick = radius * u(1.1, 1.7), height * u(0.02, 0.08)
    if style == "square":
        parts.append(("base", box((0, 0, 0), (2 * wide, thick, 2 * wide))))
    elif style == "round":
        parts.append(("base", frustum((0, -thick / 2, 0), (0, thick / 2, 0), wide, segments=24)))
    if style != "plain" and rng.random() < 0.5:
        levels = np.sort(rng.uniform(0.2, 0.85, 2))
        widths = radius + (tip - radius) * levels + radius * 0.03
        parts.append(("band", lathe(np.column_stack([widths, levels * height]), segments=sides)))
    flip = style == "plain" and rng.random() < 0.2
    return [(name, mesh * (1, -1, 1) + (0, height, 0) if flip else mesh) for name, mesh in parts]


def tent(rng):
    """Tent: A-frame, dome, tunnel, teepee, wall tent with a roof, open pavilion on poles."""
    u = rng.uniform
    style = pick(rng, "frame", "frame", "dome", "tunnel", "teepee", "wall", "pavilion")
    w, h, d = u(1.4, 3.0), u(1.0, 2.0), u(1.8, 3.5)
    floor = ("floor", box((0, 0.01, 0), (w, 0.02, d)))
    if style == "dome":
        turn = np.linspace(0, HALF, 9)
        shell = lathe(
            np.column_stack([w / 2 * np.cos(turn) ** u(0.6, 1), h * np.sin(turn)]), segments=pick(rng, 4, 6, 20)
        )
        porch = lathe([(w * 0.3, 0), (w * 0.28, h * 0.3), (0, h * 0.6)], segments=10) + (0, 0, w * 0.35)
        parts = [("canvas", shell), floor]
        return [*parts, ("porch", porch)] if rng.random() < 0.3 else parts
    if style == "teepee":
        poles = [
            frustum(
                (np.cos(a) * w / 2, 0, np.sin(a) * w / 2),
                (-np.cos(a) * 0.15, h * 1.8, -np.sin(a) * 0.15),
                0.03,
                segments=5,
            )
            for a in np.arange(6) * np.pi / 3
        ]
        return [
            ("canvas", lathe([(w / 2, 0), (0.08, h * 1.6)], segments=pick(rng, 6, 20))),
            ("pole", np.concatenate(poles)),
        ]
    rise = h * u(0.4, 0.7)
    outline = {
        "frame": [(-w / 2, 0), (0, h), (w / 2, 0)],
        "wall": [(-w / 2, 0), (-w / 2, rise), (0, h), (w / 2, rise), (w / 2, 0)],
        "tunnel": [(-w / 2 * np.cos(a), h * np.sin(a)) for a in np.linspace(0, np.pi, 13)],
        "pavilion": [(-w / 2, rise), (0, h), (w / 2, rise)],
    }[style]
    edge = np.column_stack([outline, np.zeros(len(outline))])
    flare = u(0.8, 1.0) if style == "tunnel" else 1
    parts = [("canvas", grid(np.stack([edge + (0, 0, d / 2), edge * (flare, flare, 1) - (0, 0, d / 2)])))]
    if style == "pavilion":
        posts = [(x, rise / 2, z) for x in (-w * 0.48, w * 0.48) for z in (-d * 0.48, d * 0.48)]
        return [*parts, ("pole", copies(box((0, 0, 0), (0.06, rise, 0.06)), posts))]
    middle = np.array(outline).mean(0)
    ends = [extrude(np.array(outline) - middle, 0.01, centre=(*middle, z)) for z in (-d / 2, d / 2)]
    parts.append(("door", np.concatenate(ends[: rng.integers(1, 3)])))
    parts += [floor] if rng.random() < 0.6 else []
    if rng.random() < 0.5:
        ropes = mirrored(*(frustum((0, h, z), (w * u(0, 0.4), 0, z * 1.5), 0.015, segments=5) for z in (-d / 2, d / 2)))
        parts.append(("pole", np.concatenate([ropes, frustum((0, h, -d / 2), (0, h, d / 2), 0.02, segments=6)])))
    return parts


def glass_box(rng):
    """Glass box: open or closed thin-walled box, aquarium, framed display case, shelved case, case on a stand."""
    u = rng.uniform
    w, h, d = u(0.3, 1.0), u(0.2, 1.2), u(0.25, 0.7)
    t = u(0.004, 0.03)
    back, floor = box((0, h / 2, -d / 2), (w, h, t)), box((0, t / 2, 0), (w, t, d))
    walls = [mirrored(box((w / 2, h / 2, 0), (t, h, d))), back, floor]
    if rng.random() < 0.85:
        walls.append(box((0, h / 2, d / 2), (w, h, t)))
    parts = [("glass", np.concatenate(walls))]
    if rng.random() < 0.65:
        parts.append(("lid", box((0, h, 0), (w + t, t, d + t))))
    if rng.random() < 0.4:
        posts = [(x, h / 2, z) for x in (-w / 2, w / 2) for z in (-d / 2, d / 2)]
        bar = u(1.5, 3) * t
        rims = [(0, y, z) for y in (0, h) for z in (-d / 2, d / 2)]
        rails = [
            copies(box((0, 0, 0), (bar, h, bar)), posts),
            copies(box((0, 0, 0), (w, bar, bar)), rims),
            mirrored(*(box((w / 2, y, 0), (bar, bar, d)) for y in (0, h))),
        ]
        parts.append(("frame", np.concatenate(rails)))
    if rng.random() < 0.25:
        parts += [("shelf", box((0, h * k, 0), (w - t, t, d - t))) for k in pick(rng, (0.5,), (0.33, 0.66))]
    if rng.random() < 0.25:
        parts.append(("stand", box((0, -h * u(0.1, 0.4) / 2, 0), (w, h * u(0.1, 0.4), d))))
    if rng.random() < 0.15:
        parts.append(("handle", ring((0, h * 1.03, 0), w * 0.06, t, axis=(0, 0, 1))))
    return parts


GENERATORS = {
    "animal": animal,
    "cone": cone,
    "flower_pot": flower_pot,
    "glass_box": glass_box,
    "person": person,
    "plant": plant,
    "tent": tent,
    "tree": tree,
}
