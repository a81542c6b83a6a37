"""Procedural vehicles with named parts: nose towards +z, wheels on the floor."""

import numpy as np

from stages.bundled.procedural.mesh import box, ellipsoid, frustum, grid, lathe, ring, rotate
from stages.bundled.procedural.shapes import copies, loft, mirrored, pick, smooth, sweep

HALF = np.pi / 2


def _fin(root, tip, *, thick):
    """Tapered blade between two chords ((x, y, z front), (x, y, z back)): wing, tail plane or fin."""
    root, tip = np.asarray(root, float), np.asarray(tip, float)
    across = np.cross(root[1] - root[0], tip.mean(0) - root.mean(0))
    across *= thick / 2 / (np.linalg.norm(across) + 1e-12)
    lattice = np.array(
        [
            [end[0], end.mean(0) + k * across, end[1], end.mean(0) - k * across, end[0]]
            for end, k in ((root, 1), (tip, 0.4))
        ]
    )
    return np.concatenate([grid(lattice), np.stack([lattice[1, :3], lattice[1, 2:]])])


def _wing(start, *, span, chord, tip, sweep_back, rise, thick):
    """Pair of wings from the point `start` (x, y, z of the front root) out to x = `span`."""
    x, y, z = start
    end = (span, y + rise, z - sweep_back)
    return mirrored(_fin([start, (x, y, z - chord)], [end, (end[0], end[1], end[2] - tip)], thick=thick))


def _propeller(centre, radius, blades):
    """Propeller in the xy plane with a spinner."""
    blade = box((0, radius / 2, 0), (radius * 0.15, radius, 0.03))
    turned = [rotate(blade, axis="z", angle=2 * np.pi * k / blades) for k in range(blades)]
    return np.concatenate([*turned, frustum((0, 0, -0.05), (0, 0, 0.2), radius * 0.15, 0.01)]) + np.asarray(centre)


def _fuselage(rng, length, radius):
    """Airliner-like body along z: nose at +z, tail drawn up."""
    u = rng.uniform
    nose, tail = u(0.06, 0.2), u(0.2, 0.4)
    t = np.r_[0, tail * 0.4, tail, 0.6, 1 - nose, 1 - nose * 0.5, 1 - nose * 0.15, 1]
    r = radius * np.r_[u(0.05, 0.25), 0.6, 1, 1, 1, 0.82, 0.5, 0.08]
    up = radius * np.r_[u(0.2, 0.7), 0.3, 0, 0, 0, -0.08, -0.15, -0.2]
    return loft(np.column_stack([(t - 0.5) * length, 0 * t, up, r, r * u(0.9, 1.15)]), along="z", segments=16)


def _tail(rng, length, radius, style):
    """Tail planes and fin(s) at the back of a fuselage: normal, T, twin or V."""
    u = rng.uniform
    z, span, tall, chord = -length * u(0.36, 0.42), length * u(0.12, 0.2), length * u(0.1, 0.18), length * u(0.08, 0.12)
    sweep_back, thick = chord * u(0.2, 1.2), radius * 0.12
    low = radius * 0.3
    level = low + tall if style == "T" else low
    planes = _wing(
        (0, level, z - sweep_back * (style == "T") * 0.8),
        span=span,
        chord=chord,
        tip=chord * u(0.4, 0.9),
        sweep_back=sweep_back * 0.7,
        rise=tall * 0.8 * (style == "V"),
        thick=thick,
    )
    if style == "V":
        return planes
    x = span * 0.9 if style == "twin" else 0
    end = (x, low + tall, z - sweep_back)
    fin = _fin(
        [(x, low, z + chord * 0.2), (x, low, z - chord)], [end, (x, low + tall, end[2] - chord * 0.6)], thick=thick
    )
    return np.concatenate([planes, mirrored(fin) if style == "twin" else fin])


def _airliner(rng):
    """Jet airliner or business jet: engines below the wings or at the back, four or two."""
    u = rng.uniform
    length, radius = u(28, 45), u(1.6, 2.5)
    rear = rng.random() < 0.3
    span, root, sweep_back = length * u(0.38, 0.52), length * u(0.14, 0.22), length * u(0.08, 0.25)
    z, y, rise = length * u(0.05, 0.18), -radius * u(0.2, 0.7), length * u(0, 0.06)
    wing = _wing(
        (radius * 0.5, y, z),
        span=span,
        chord=root,
        tip=root * u(0.2, 0.45),
        sweep_back=sweep_back,
        rise=rise,
        thick=radius * 0.3,
    )
    size, long = radius * u(0.35, 0.6), radius * u(1.3, 2.4)
    pod = lathe([(size * 0.6, long), (size, long * 0.9), (size, long * 0.3), (size * 0.5, 0), (0, 0)], segments=14)
    pod = rotate(pod, axis="x", angle=HALF)
    spots = pick(rng, (0.35,), (0.35,), (0.3, 0.55))
    places = [(span * k, y + rise * k - size * 1.2, z - sweep_back * k) for k in spots]
    places = [(radius + size, radius * 0.4, -length * 0.33)] if rear else places
    parts = [
        ("body", _fuselage(rng, length, radius)),
        ("wing", wing),
        ("tail", _tail(rng, length, radius, "T" if rear else "normal")),
        ("engine or frame", mirrored(copies(pod, places))),
    ]
    if rng.random() < 0.3:
        leg = [
            frustum((0, -radius * 1.7, 0), (0, -radius * 0.5, 0), 0.2, segments=6),
            box((0, -radius * 1.7, 0), (0.5, 1, 1)),
        ]
        parts.append(("engine or frame", copies(np.concatenate(leg), [(0, 0, length * 0.4), (3, 0, 0), (-3, 0, 0)])))
    return parts


def _propeller_plane(rng):
    """Light aircraft, biplane, twin or warbird: propellers, fixed gear, wings high, low or doubled."""
    u = rng.uniform
    length, radius = u(7, 10), u(0.5, 0.75)
    style = pick(rng, "high", "low", "bi", "twin")
    span, chord = length * u(0.5, 0.75), length * u(0.14, 0.22)
    z, y = length * u(0.15, 0.28), radius * (0.9 if style == "high" else -0.6)
    shape = {
        "span": span,
        "chord": chord,
        "tip": chord * u(0.5, 1),
        "sweep_back": chord * u(0, 0.3),
        "rise": span * u(0, 0.08),
        "thick": 0.15,
    }
    wings = [_wing((0, y, z), **shape)]
    engines = [_propeller((0, -0.1, length / 2), length * 0.12, rng.integers(2, 5))]
    if style == "bi":
        wings.append(_wing((0, radius * 1.9, z + 0.3), **shape))
        wings += [
            mirrored(frustum((span * 0.7, y, z - chord * k), (span * 0.7, radius * 2, z - chord * k), 0.04, segments=5))
            for k in (0.2, 0.7)
        ]
    if style == "twin":
        nacelle = ellipsoid((0, 0, 0), (radius * 0.5, radius * 0.5, chord * 0.8), segments=12)
        spot = (span * 0.35, y + 0.1, z)
        engines = [mirrored(nacelle + spot, _propeller((spot[0], spot[1], z + chord * 0.75), length * 0.11, 3))]
    parts = [
        ("body", _fuselage(rng, length, radius)),
        ("wing", np.concatenate(wings)),
        ("tail", _tail(rng, length, radius, "normal")),
        ("engine or frame", np.concatenate(engines)),
    ]
    if rng.random() < 0.7:
        parts.append(
            (
                "body",
                ellipsoid((0, radius * 0.9, length * 0.1), (radius * 0.6, radius * 0.6, radius * 1.8), segments=10),
            )
        )
    if rng.random() < 0.6:
        gear = [frustum((0.8, -1.3, z), (0.2, -0.3, z), 0.06, segments=6), _wheel(0.8, -1.4, z, 0.3, 0.15)]
        parts.append(("engine or frame", mirrored(*gear)))
    return parts


def _fighter(rng):
    """Jet fighter: delta, swept or straight wings, one or two fins, inlets and nozzles."""
    u = rng.uniform
    length, radius = u(13, 19), u(0.7, 1.1)
    t = np.array([0, 0.15, 0.45, 0.7, 0.85, 1])
    r = radius * np.array([0.75, 1, 1, 0.85, 0.55, 0.03])
    body = loft(np.column_stack([(t - 0.5) * length, 0 * t, 0 * t, r * u(1, 1.5), r]), along="z", segments=14)
    canopy = ellipsoid((0, radius * 0.8, length * 0.22), (radius * 0.45, radius * 0.6, length * 0.11), segments=12)
    span, chord = length * u(0.25, 0.42), length * u(0.2, 0.5)
    wing = _wing(
        (radius * 0.6, 0, length * u(0, 0.15)),
        span=span,
        chord=chord,
        tip=chord * u(0.08, 0.5),
        sweep_back=chord * u(0.3, 0.9),
        rise=u(-0.5, 0.5),
        thick=0.25,
    )
    style = pick(rng, "normal", "twin", "V")
    pipes = frustum((radius * 0.5, 0, -length * 0.54), (radius * 0.5, 0, -length * 0.3), radius * 0.45, radius * 0.6)
    inlet = box((radius * 1.1, -radius * 0.1, length * 0.08), (radius * 0.6, radius, length * 0.28))
    return [
        ("body", np.concatenate([body, canopy])),
        ("wing", wing),
        ("tail", _tail(rng, length, radius, style)),
        ("engine or frame", mirrored(pipes, inlet)),
    ]


def airplane(rng):
    """Airplane: airliner (wing or rear engines), light propeller plane, biplane, twin, glider-like, jet fighter."""
    return pick(rng, _airliner, _airliner, _propeller_plane, _fighter)(rng)


def _wheel(x, y, z, radius, width, *, hub=0.55):
    """Wheel with its axle along x around (x, y, z): tyre with rounded shoulders and a sunk hub."""
    half = width / 2
    profile = [
        (0, half * 0.7),
        (radius * hub, half * 0.7),
        (radius * hub, half),
        (radius * 0.92, half),
        (radius, half * 0.6),
        (radius, -half * 0.6),
        (radius * 0.92, -half),
        (0, -half),
    ]
    return rotate(lathe(profile, segments=18), axis="z", angle=-HALF) + (x, y, z)


def _four_wheels(half_track, front, back, radius, width):
    """Two axles of wheels at z = `front` and `back`."""
    return mirrored(*(_wheel(half_track, radius, z, radius, width) for z in (front, back)))


# Side profiles of car bodies as fractions of length (from the tail, 0, to the nose, 1) and of the height above the
# sill: (tail deck height, beltline, hood height at the nose), (rear roof foot, rear roof edge, front edge, front foot).
CARS = {
    "sedan": ((0.55, 0.6, 0.45), (0.1, 0.26, 0.52, 0.7)),
    "hatch": ((0.6, 0.62, 0.5), (0.0, 0.1, 0.55, 0.75)),
    "suv": ((0.62, 0.62, 0.58), (0.0, 0.04, 0.6, 0.74)),
    "coupe": ((0.6, 0.6, 0.4), (0.08, 0.35, 0.5, 0.68)),
    "van": ((0.55, 0.55, 0.45), (0.0, 0.02, 0.76, 0.93)),
    "pickup": ((0.55, 0.6, 0.55), (0.42, 0.45, 0.62, 0.74)),
    "open": ((0.7, 0.75, 0.6), (0.5, 0.55, 0.56, 0.68)),
    "old": ((0.45, 0.6, 0.6), (0.05, 0.15, 0.5, 0.58)),
}


def _car_shell(kind, length, width, height, sill, power):
    """Lower body and cabin of a car of the given kind, and its roof and hood sheets."""
    (deck, belt, nose), (foot_back, roof_back, roof_front, foot_front) = CARS[kind]
    t = np.array([0, 0.03, foot_back + 0.04, (foot_back + foot_front) / 2, foot_front, 0.97, 1])
    top = np.array([deck * 0.8, deck, (deck + belt) / 2, belt, belt, nose, nose * 0.65]) * height
    half = width / 2 * np.array([0.88, 0.96, 1, 1, 1, 0.94, 0.8])
    z = (t - 0.5) * length
    middle = sill + top / 2
    lower = loft(np.column_stack([z, 0 * t, middle, half, top / 2]), power=power, along="z", segments=24)
    along = (np.array([foot_back, roof_back, roof_front, foot_front]) - 0.5) * length
    base, eave = sill + belt * height * 0.97, sill + height * 0.97
    wide, narrow = width * 0.46, width * 0.36
    low = [(along[0], base, wide), (along[3], base, wide)]
    high = [(along[1], eave, narrow), (along[2], eave, narrow)]
    corners = [
        np.array(
            [
                (s * w, y, zz)
                for (zz, y, w), s in ((pair[0], 1), (pair[1], 1), (pair[1], -1), (pair[0], -1), (pair[0], 1))
            ]
        )
        for pair in (low, high)
    ]
    cabin = grid(np.stack(corners))
    x, s = np.meshgrid(np.linspace(-1, 1, 5), np.linspace(0, 1, 5), indexing="ij")
    dome = 0.06 * height * (1 - x**2) * (1 - 0.6 * (2 * s - 1) ** 2)
    roof = grid(np.stack([x * narrow, eave + dome, along[1] + s * (along[2] - along[1])], axis=-1))
    ahead = foot_front + s * (0.98 - foot_front)
    level = np.interp(ahead, t, sill + top) + 0.02 * height
    hood = grid(np.stack([x * width * 0.42, level, (ahead - 0.5) * length], axis=-1))
    return lower, cabin, roof, hood


def _racer(rng):
    """Single-seat racing car: slim body, open wheels, front and rear aerofoils."""
    u = rng.uniform
    length, width, radius = u(4, 5), u(1.6, 2.0), u(0.3, 0.38)
    t = np.array([0, 0.1, 0.4, 0.6, 0.85, 1])
    half = width * np.array([0.15, 0.25, 0.3, 0.2, 0.1, 0.05])
    body = loft(
        np.column_stack([(t - 0.5) * length, 0 * t, 0 * t + 0.4, half, [0.2, 0.3, 0.28, 0.22, 0.15, 0.08]]),
        power=3,
        along="z",
    )
    scoop = ellipsoid((0, 0.7, -length * 0.12), (0.18, 0.25, 0.6), segments=10)
    wings = [
        box((0, u(0.7, 1.0), -length * 0.48), (width * 0.7, 0.04, 0.4)),
        box((0, 0.2, length * 0.48), (width * 0.9, 0.04, 0.4)),
    ]
    plates = mirrored(box((width * 0.35, 0.6, -length * 0.48), (0.03, 0.6, 0.45)))
    nose = loft(
        [(length * 0.12, 0, 0.56, width * 0.14, 0.06), (length * 0.45, 0, 0.46, 0.1, 0.04)], along="z", segments=10
    )
    return [
        ("body", np.concatenate([body, scoop, *wings, plates])),
        ("hood", nose),
        ("wheel or tire", _four_wheels(width * 0.44, length * 0.32, -length * 0.32, radius, u(0.25, 0.4))),
    ]


def car(rng):
    """Car: sedan, hatchback, SUV, coupe, van, pickup, roadster, old-timer or single-seat racer."""
    u = rng.uniform
    kind = pick(rng, "sedan", "sedan", "hatch", "suv", "coupe", "coupe", "van", "pickup", "open", "old", "racer")
    if kind == "racer":
        return _racer(rng)
    length, width = u(3.7, 5.2), u(1.65, 2.0)
    height = {"suv": u(1.2, 1.45), "van": u(1.3, 1.7), "coupe": u(0.9, 1.05), "open": u(0.8, 0.95)}.get(
        kind, u(1.05, 1.3)
    )
    radius, sill = u(0.28, 0.4), u(0.17, 0.3)
    lower, cabin, roof, hood = _car_shell(kind, length, width, height, sill, u(3.5, 9))
    wheels = _four_wheels(width * u(0.43, 0.48), length * u(0.29, 0.36), -length * u(0.27, 0.36), radius, u(0.18, 0.28))
    body = [lower, cabin]
    if kind == "pickup":
        rails = [
            mirrored(box((width * 0.46, sill + height * 0.58, -length * 0.29), (0.08, height * 0.25, length * 0.4)))
        ]
        body += [*rails, box((0, sill + height * 0.58, -length * 0.485), (width * 0.9, height * 0.25, 0.08))]
    if rng.random() < 0.5:
        body.append(
            mirrored(ellipsoid((width * 0.53, sill + height * 0.62, length * 0.16), (0.1, 0.08, 0.06), segments=6))
        )
    if kind in ("coupe", "sedan") and rng.random() < 0.3:
        body.append(box((0, sill + height * u(0.65, 0.85), -length * 0.47), (width * 0.85, 0.03, 0.25)))
    if kind == "old":
        fender = ring((width * 0.45, radius, 0), radius * 1.25, 0.12, axis=(1, 0, 0), segments=12) * (1, 1, 1.2)
        body.append(mirrored(*(fender + (0, 0, z * length) for z in (-0.31, 0.33))))
    parts = [("body", np.concatenate(body)), ("hood", hood), ("wheel or tire", wheels)]
    return parts if kind == "open" and rng.random() < 0.8 else [*parts, ("roof", roof)]


def truck(rng):
    """Truck: box van, flatbed, dump truck, tanker, or tractor with a long trailer; cab over or behind the engine."""
    u = rng.uniform
    style = pick(rng, "box", "flat", "dump", "tank", "semi")
    width, tall, radius = u(2.1, 2.5), u(1.8, 2.6), u(0.42, 0.55)
    long = u(8, 13) if style == "semi" else u(3.5, 7)
    floor, depth = radius * 2, u(1.3, 2.2)
    front = long / 2 + depth
    hooded = rng.random() < 0.5
    cabin = [
        loft(
            [
                (long / 2 + 0.15, 0, floor + tall * 0.45, width * 0.48, tall * 0.55),
                (front, 0, floor + tall * 0.4, width * 0.46, tall * 0.5),
            ],
            power=10,
            along="z",
        )
    ]
    if hooded:
        cabin.append(box((0, floor + tall * 0.2, front + 0.6), (width * 0.75, tall * 0.5, 1.3)))
    nose = front + 1.1 * hooded
    deep = u(1.8, 2.8)
    load = {
        "flat": box((0, floor + 0.1, 0), (width, 0.2, long)),
        "box": box((0, floor + deep / 2, 0), (width, deep, long)),
        "semi": box((0, floor + deep / 2, -0.3), (width, deep, long)),
        "tank": frustum((0, floor + 0.9, -long / 2), (0, floor + 0.9, long / 2), u(0.8, 1.1), segments=18),
    }
    if style == "dump":
        sides = [
            mirrored(box((width / 2, floor + 0.6, 0), (0.1, 1.1, long))),
            box((0, floor + 0.1, 0), (width, 0.2, long)),
            box((0, floor + 0.7, long / 2), (width, 1.3, 0.1)),
            box((0, floor + 0.6, -long / 2), (width, 1.0, 0.1)),
        ]
        bed = np.concatenate(sides)
        load["dump"] = rotate(bed, axis="x", angle=-pick(rng, 0, 0, u(0.2, 0.7)), about=(0, floor, -long / 2))
    back = [-long * 0.36, -long * 0.36 + radius * 2.2] if long > 4.5 else [-long * 0.3]
    axles = [nose - u(0.7, 1.0), *back, *([long * 0.42] if style == "semi" else [])]
    wheels = mirrored(*(_wheel(width * 0.43, radius, z, radius, 0.4) for z in axles))
    frame = box((0, floor - 0.15, (nose - long / 2) / 2 - 0.1), (width * 0.4, 0.25, nose + long / 2 - 0.3))
    return [("cab", np.concatenate(cabin)), ("bed", load[style]), ("wheel", wheels), ("frame", frame)]


def _cycle_wheels(front, back, radius, tyre, *, spokes):
    """Two narrow wheels in the yz plane: tyre rings with spokes, or with a disc when `spokes` is 0."""
    meshes = [ring((0, 0, 0), radius - tyre, tyre, axis=(1, 0, 0), segments=24)]
    bar = box((0, (radius - tyre) / 2, 0), (tyre * 0.3, radius - tyre, tyre * (0.2 if spokes > 8 else 0.5)))
    turns = 2 * np.pi * np.arange(spokes) / max(spokes, 1)
    meshes += [rotate(bar, axis="x", angle=angle) for angle in turns]
    meshes.append(frustum((-tyre, 0, 0), (tyre, 0, 0), radius * (0.15 if spokes else 0.75)))
    return copies(np.concatenate(meshes), [(0, radius, front), (0, radius, back)])


def motorbike(rng):
    """Motorbike: cruiser, chopper with a long fork, sport with fairing, dirt bike with high fenders, scooter."""
    u = rng.uniform
    style = pick(rng, "cruiser", "chopper", "sport", "sport", "dirt", "scooter")
    radius, tyre = (
        (u(0.2, 0.26) if style == "scooter" else u(0.28, 0.35)),
        (0.03 if style == "dirt" else u(0.045, 0.08)),
    )
    front = {"chopper": u(0.9, 1.1), "scooter": u(0.55, 0.65)}.get(style, u(0.65, 0.8))
    back = -u(0.5, 0.7)
    head = np.array([0, u(0.8, 0.95), front - radius - u(0.05, 0.2) - 0.2 * (style == "chopper")])
    axle = np.array([0, radius, front])
    wheels = _cycle_wheels(front, back, radius, tyre, spokes=pick(rng, 0, 5, 12))
    fork = mirrored(frustum(axle + (0.09, 0, 0), head + (0.09, 0, 0), 0.025, segments=8))
    low = np.array([0, u(0.62, 0.72), -0.25])
    frame = [
        sweep([head, low, (0, radius, back)], 0.035),
        box((0, 0.42, 0.02), (u(0.22, 0.35), u(0.25, 0.4), u(0.35, 0.5))),
        mirrored(frustum((0.14, radius + 0.05, back - u(0, 0.2)), (0.15, 0.3, 0.15), u(0.035, 0.06), 0.04, segments=8)),
        fork,
    ]
    if style in ("sport", "scooter"):
        shell = loft(
            [(-0.1, 0, 0.5, 0.14, 0.15), (0.2, 0, 0.6, 0.2, 0.25), (head[2] + 0.15, 0, 0.85, 0.1, 0.15)],
            along="z",
            power=2.5,
        )
        frame.append(shell if style == "sport" else box((0, 0.5, head[2] + 0.02), (0.36, 0.6, 0.05)))
        frame += [box((0, 0.22, 0.12), (0.35, 0.06, 0.4))] if style == "scooter" else []
    arc = np.linspace(0.3, 2.6, 8)
    for z, lift in ((front, 1.1), (back, 1.1)):
        lift = 1.5 if style == "dirt" and z == front else lift
        line = np.column_stack([0 * arc, radius + radius * lift * np.sin(arc), z + radius * lift * np.cos(arc)])
        frame.append(grid(np.stack([line + (-tyre * 1.3, 0, 0), line + (tyre * 1.3, 0, 0)])))
    tank = ellipsoid((0, u(0.75, 0.85), 0.12), (u(0.1, 0.17), u(0.1, 0.15), u(0.22, 0.3)), segments=14)
    line = smooth([(0, u(0.78, 0.9), back * u(0.8, 1.1)), (0, 0.74, back * 0.5), (0, 0.76, -0.05)], count=6)
    seat = loft(
        np.column_stack([line[:, 2], line[:, 0], line[:, 1], np.linspace(0.09, 0.13, 6), 0 * line[:, 0] + 0.05]),
        power=3,
        along="z",
        segments=12,
    )
    wide, rise = u(0.28, 0.42), u(0.02, 0.3)
    bar = sweep([head, head + (wide * 0.4, rise, -0.02), head + (wide, rise, -u(0.1, 0.25))], 0.018)
    lamp = ellipsoid(head + (0, -0.02, u(0.08, 0.2)), (u(0.07, 0.1), u(0.07, 0.1), 0.07), segments=10)
    parts = [
        ("wheel", wheels),
        ("engine or frame", np.concatenate(frame)),
        ("seat", seat),
        ("handles or handlebars", mirrored(bar)),
        ("light", lamp),
    ]
    return parts if style == "scooter" else [*parts, ("gas tank", tank)]


def bicycle(rng):
    """Bicycle: road, city step-through, mountain or BMX, with drop, flat or swept bars."""
    u = rng.uniform
    style = pick(rng, "road", "city", "mountain", "bmx")
    radius, tyre = (u(0.22, 0.27) if style == "bmx" else u(0.31, 0.36)), u(0.012, 0.03)
    base = u(0.9, 1.1) if style != "bmx" else u(0.8, 0.9)
    front, back, pipe = base * 0.58, -base * 0.42, u(0.012, 0.025)
    crank = np.array([0, radius * 0.9, 0])
    high = u(0.7, 0.95) if style != "bmx" else u(0.5, 0.6)
    saddle = np.array([0, high, -0.2])
    head = np.array([0, u(0.75, 0.9), front - 0.2])
    start = crank + (0, 0.15, -0.05) if style == "city" else saddle * (1, 0.93, 0.95)
    axle_front, axle_back = np.array([0, radius, front]), np.array([0, radius, back])
    tubes = [
        (crank, saddle),
        (crank, head - (0, 0.08, 0)),
        (start, head),
        (head + (0, 0.06, -0.02), head - (0, 0.1, -0.03)),
    ]
    stays = [(axle_back, crank), (axle_back, saddle * (1, 0.9, 0.95)), (axle_front, head - (0, 0.1, -0.03))]
    frame = [frustum(a, b, pipe, segments=6) for a, b in tubes]
    frame.append(mirrored(*(frustum(a + (0.04, 0, 0), b + (0.03, 0, 0), pipe * 0.6, segments=6) for a, b in stays)))
    wide, top = u(0.2, 0.36), head + (0, u(0.06, 0.15), 0.02)
    bends = {
        "road": [(wide, 0, 0.1), (wide, -0.1, 0.12), (wide, -0.14, 0)],
        "city": [(wide, 0.05, -0.05), (wide, 0.05, -0.25)],
        "mountain": [(wide, 0, -0.02)],
        "bmx": [(wide * 0.5, 0.18, 0), (wide, 0.2, -0.05)],
    }[style]
    bar = np.concatenate(
        [mirrored(sweep([top, *(top + bend for bend in bends)], pipe)), frustum(head, top, pipe, segments=6)]
    )
    pedals = [
        frustum(crank + (0.03, 0, 0), crank + (0.05, 0, 0), 0.08),
        box(crank + (0.07, -0.16, 0), (0.1, 0.02, 0.08)),
        box(crank + (0.05, -0.08, 0), (0.015, 0.16, 0.02)),
    ]
    pedals = np.concatenate(
        [*pedals, rotate(np.concatenate(pedals[1:]), axis="x", angle=np.pi, about=crank) * (-1, 1, 1)]
    )
    seat = (
        loft([(-0.13, 0, 0, 0.08, 0.03), (0, 0, 0, 0.05, 0.03), (0.13, 0, 0, 0.02, 0.02)], along="z", segments=12)
        + saddle
    )
    parts = [
        ("wheel", _cycle_wheels(front, back, radius, tyre, spokes=rng.integers(8, 16))),
        ("frame", np.concatenate(frame)),
        ("saddle", seat),
        ("handlebar", bar),
        ("pedal", pedals),
    ]
    if style == "city" and rng.random() < 0.5:
        parts.append(("basket", box(head + (0, 0, 0.2), (0.35, 0.22, 0.25))))
    return parts


def rocket(rng):
    """Rocket: toy with big fins, V-2, slim missile with two fin sets, staged launcher, launcher with boosters."""
    u = rng.uniform
    style = pick(rng, "toy", "v2", "missile", "missile", "staged", "boosted")
    radius = 1.0
    length = {"toy": u(3, 7), "v2": u(5, 9)}.get(style, u(8, 22))
    tip = u(1.2, 4)
    foot = u(0.5, 1.0) if style in ("toy", "v2") else 1.0
    corners = [(foot, 0), (1, length * u(0.3, 0.5)), (1, length)]
    if style in ("staged", "boosted"):
        upper, step = u(0.5, 1.0), length * u(0.45, 0.7)
        corners = [(1, 0), (1, step), (upper, step + 0.5), (upper, length)]
    line = smooth(corners, count=14, window=3)
    body = [
        lathe(np.concatenate([[(0, 0)], line])),
        frustum((0, -u(0.1, 0.8), 0), (0, 0.1, 0), foot * u(0.5, 0.9), foot * 0.4),
    ]
    last = line[-1, 0]
    level = np.linspace(0, 1, 8)
    ogive = np.column_stack([last * (1 - level ** u(1, 2.5)), length + tip * level])
    reach, chord, sweep_back = u(0.5, 1.6) if style in ("toy", "v2") else u(0.3, 1.2), u(0.8, 2.6), u(0, 1.5)
    fin = _fin(
        [(foot * 0.9, chord, 0), (foot * 0.9, 0, 0)],
        [(radius + reach, chord * u(0.3, 0.7) - sweep_back, 0), (radius + reach, -sweep_back, 0)],
        thick=0.15,
    )
    fins = [fin] if style in ("toy", "v2", "missile") or rng.random() < 0.5 else []
    if style == "missile" and rng.random() < 0.7:
        fins.append(fin * (u(0.7, 1), u(0.5, 1), 1) + (0, length * u(0.45, 0.75), 0))
    count = pick(rng, 3, 4, 4)
    around = [rotate(np.concatenate(fins), axis="y", angle=2 * np.pi * k / count) for k in range(count if fins else 0)]
    parts = [("body", np.concatenate(body)), ("nose cone", lathe(ogive))]
    parts += [("fin", np.concatenate(around))] if around else []
    if style == "boosted":
        size, tall = u(0.35, 0.7), length * u(0.3, 0.6)
        booster = lathe([(0, 0), (size, 0), (size, tall), (0, tall + size * 2)], segments=14)
        spots = [(np.cos(a) * (1 + size), 0, np.sin(a) * (1 + size)) for a in np.arange(pick(rng, 2, 4)) * HALF * 2]
        parts.append(("body", copies(booster, spots)))
    angle = pick(rng, 0, 0, HALF)
    return [(name, rotate(mesh, axis="x", angle=angle)) for name, mesh in parts]


def skateboard(rng):
    """Skateboard: popsicle with raised ends, flat longboard, pointed cruiser, board with foot straps."""
    u = rng.uniform
    style = pick(rng, "popsicle", "popsicle", "long", "pointed", "strap")
    length, width = (u(0.95, 1.2), u(0.2, 0.26)) if style == "long" else (u(0.68, 0.85), u(0.18, 0.24))
    radius, rise, thick = u(0.025, 0.04), u(0.02, 0.05), u(0.008, 0.015)
    t = np.linspace(-1, 1, 17)
    kick = 0 if style == "long" else u(0.02, 0.08)
    power = u(4, 9)
    narrowing = u(0.3, 0.6) if style == "pointed" else 0
    half = width / 2 * (1 - np.abs(t) ** power) ** 0.5 * (1 - narrowing * t.clip(0) ** 2)
    level = radius * 2 + rise + kick * ((np.abs(t) - 0.62).clip(0) / 0.38) ** 1.2
    zero = 0 * t
    line = np.column_stack([t * length / 2, zero, level, half, zero + thick / 2])
    deck = loft(line, power=8, along="z", segments=20)
    axle = length * u(0.28, 0.36)
    wheel = _wheel(width * u(0.35, 0.45), radius, 0, radius, u(0.03, 0.05), hub=0.4)
    truck_ = [
        box((0, radius + rise / 2, 0), (0.05, rise + radius, 0.05)),
        frustum((-width * 0.4, radius, 0), (width * 0.4, radius, 0), 0.01, segments=6),
    ]
    sets = copies(np.concatenate([mirrored(wheel), *truck_]), [(0, 0, axle), (0, 0, -axle)])
    parts = [("deck", deck), ("wheel", sets)]
    if style == "strap":
        turn = np.linspace(0, np.pi, 9)
        arch = np.column_stack([np.cos(turn) * width * 0.45, radius * 2 + rise + 0.07 * np.sin(turn), 0 * turn])
        loop = sweep(arch, 0.004) * (1, 1, u(3, 7))
        parts.append(("belt for foot", copies(loop, [(0, 0, axle * 0.7), (0, 0, -axle * 0.7)])))
    angle = pick(rng, 0, HALF)
    return [(name, rotate(mesh, axis="y", angle=angle)) for name, mesh in parts]


GENERATORS = {
    "airplane": airplane,
    "bicycle": bicycle,
    "car": car,
    "motorbike": motorbike,
    "rocket": rocket,
    "skateboard": skateboard,
    "truck": truck,
}
