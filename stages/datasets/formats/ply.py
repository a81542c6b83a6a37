"""PLY: ASCII and binary, with lists of any length, triangle strips, and properties of any other kind passed over.

By hand, since trimesh takes neither lists of mixed length nor bytes after the end, splits vertices by texture, and
does not know strips; plyfile's licence does not fit.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.datasets.formats.geometry import FormatError, Geometry, mesh, strip_faces

TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
VERTEX = ("vertex", "vertices", "point", "points")
CORNERS = ("vertex_indices", "vertex_index", "vertexindices", "vertex_indexes", "indices")
SLICE = 100_000  # rows of text taken apart at a time
ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass(frozen=True)
class Property:
    """A value of an element, or a list of values after their number, which is of type `count`."""

    name: str
    type: str
    count: str | None = None


@dataclass(frozen=True)
class Element:
    """`rows` rows of the same properties."""

    name: str
    rows: int
    properties: list[Property]


Values = dict[str, np.ndarray | tuple[np.ndarray, np.ndarray]]  # of a list: all values, and how many each row has


def read(content: bytes, path: Path) -> Geometry:
    """Vertices, and the faces or strips where there are some; FormatError where fewer are there than announced."""
    form, elements, body = _header(content)
    rows = _ascii if form == "ascii" else _binary
    vertices, faces, strips, end = None, None, None, 0
    for element in elements:
        values, end = rows(element, body, end, ORDERS[form])
        if element.name in VERTEX and vertices is None:
            vertices = _coordinates(element, values)
        elif element.name == "face":
            faces = _corners(element, values)
        elif element.name == "tristrips":
            strips = _corners(element, values)
    if vertices is None:
        raise FormatError("no element vertex")
    left = len(body) - end if form != "ascii" else len(b"".join(body[end:]).strip())
    dropped = f"{left} bytes after the last element" if left else None
    if strips is not None:
        faces = _of_strips(*strips)
    corners, sizes = faces if faces is not None else (np.empty(0, int), np.empty(0, int))
    return mesh(vertices, corners, sizes, dropped=dropped)


def _header(content: bytes) -> tuple[str, list[Element], bytes | list[bytes]]:
    """The format, the elements, and what follows the header: bytes, of an ASCII file its lines."""
    text, end, body = content.partition(b"end_header")
    if not content.startswith(b"ply") or not end:
        raise FormatError("no header from ply to end_header")
    form, elements = None, []
    for line in text.decode("latin-1").splitlines()[1:]:
        words = line.split()
        if not words or words[0].lower() in ("comment", "obj_info"):
            continue
        keyword = words[0].lower()
        if keyword == "format":
            form = words[1].lower()
        elif keyword == "element":
            elements.append(Element(words[1].lower(), int(words[2]), []))
        elif keyword == "property" and elements:
            kinds = [TYPES[word.lower()] for word in (words[2:4] if words[1].lower() == "list" else words[1:2])]
            elements[-1].properties.append(Property(words[-1].lower(), *reversed(kinds)))
        else:
            raise FormatError(f"header line '{line.strip()[:40]}'")
    if form not in ORDERS:
        raise FormatError(f"format {form}: expected one of {', '.join(ORDERS)}")
    if any(element.rows < 0 for element in elements):
        raise FormatError("an element of fewer than 0 rows")
    body = body[2:] if body.startswith(b"\r\n") else body[1:]
    return form, elements, body.splitlines() if form == "ascii" else body


def _coordinates(element: Element, values: Values) -> np.ndarray:
    missing = [axis for axis in "xyz" if not isinstance(values.get(axis), np.ndarray)]
    if missing:
        raise FormatError(f"element {element.name} has no property {missing[0]}")
    return np.stack([values[axis].astype(np.float64) for axis in "xyz"], axis=1)


def _corners(element: Element, values: Values) -> tuple[np.ndarray, np.ndarray] | None:
    lists = {name: value for name, value in values.items() if isinstance(value, tuple)}
    name = next((name for name in CORNERS if name in lists), next(iter(lists), None))
    if name is None:
        if element.rows:
            raise FormatError(f"element {element.name} has no list of vertices")
        return None
    corners, sizes = lists[name]
    return corners.astype(np.int64), sizes


def _of_strips(corners: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    strips = np.split(corners, np.cumsum(sizes)[:-1]) if len(sizes) else []
    faces = np.concatenate([np.empty((0, 3), np.int64), *map(strip_faces, strips)])
    return faces.reshape(-1), np.full(len(faces), 3)


def _short(element: Element, rows: int) -> FormatError:
    return FormatError(f"holds {rows} rows of {element.name}, its header says {element.rows}")


def _ascii(element: Element, lines: list[bytes], start: int, _order: str) -> tuple[Values, int]:
    """The values of an element that begins at line `start`, and the line after it."""
    end = start + element.rows
    chosen = lines[start:end]
    if any(not line.strip() for line in chosen):  # blank lines between the rows do not count
        filled = [number for number in range(start, len(lines)) if lines[number].strip()][: element.rows]
        chosen, end = [lines[number] for number in filled], filled[-1] + 1 if filled else start
    if len(chosen) < element.rows:
        raise _short(element, len(chosen))
    pieces = (chosen[place : place + SLICE] for place in range(0, len(chosen), SLICE))  # words take much memory
    numbers = np.concatenate([np.empty(0), *(np.array(b" ".join(piece).split(), np.float64) for piece in pieces)])
    if not any(prop.count for prop in element.properties):
        if len(numbers) != element.rows * len(element.properties):
            raise FormatError(f"rows of {element.name} without {len(element.properties)} numbers each")
        table = numbers.reshape(element.rows, len(element.properties))
        return {prop.name: table[:, column] for column, prop in enumerate(element.properties)}, end
    values, used = _walk(element, lambda place, prop, count: (numbers[place : place + count], place + count), 0)
    if used != len(numbers):
        raise FormatError(f"rows of {element.name} with more numbers than their lists have")
    return values, end


def _binary(element: Element, body: bytes, start: int, order: str) -> tuple[Values, int]:
    """The values of an element that begins at byte `start`, and the byte after it."""
    if not any(prop.count for prop in element.properties):
        dtype = np.dtype([(f"{n}", order + prop.type) for n, prop in enumerate(element.properties)])
        if (len(body) - start) < element.rows * dtype.itemsize:
            raise _short(element, max(0, len(body) - start) // max(1, dtype.itemsize))
        table = np.frombuffer(body, dtype, element.rows, start) if dtype.itemsize else np.empty(0)
        named = {prop.name: table[f"{n}"] for n, prop in enumerate(element.properties)}
        return named, start + element.rows * dtype.itemsize
    uniform = _uniform_lists(element, body, start, order)
    if uniform:
        return uniform

    def take(place: int, prop: str, count: int) -> tuple[np.ndarray, int]:
        dtype = np.dtype(order + prop)
        return np.frombuffer(body, dtype, count, place), place + count * dtype.itemsize

    return _walk(element, take, start)


def _uniform_lists(element: Element, body: bytes, start: int, order: str) -> tuple[Values, int] | None:
    """The values where every row has lists as long as the first row's; None where they differ."""
    fields, place = [], start
    for n, prop in enumerate(element.properties):
        if prop.count:
            dtype = np.dtype(order + prop.count)
            if place + dtype.itemsize > len(body):
                return None
            count = int(np.frombuffer(body, dtype, 1, place)[0])
            if not 0 <= count <= 255:
                return None
            fields += [(f"count{n}", dtype), (f"{n}", order + prop.type, (count,))]
        else:
            fields.append((f"{n}", order + prop.type))
        place = start + np.dtype(fields).itemsize
    dtype = np.dtype(fields)
    if len(body) - start < element.rows * dtype.itemsize:
        return None
    table = np.frombuffer(body, dtype, element.rows, start)
    values: Values = {}
    for n, prop in enumerate(element.properties):
        if prop.count is None:
            values[prop.name] = table[f"{n}"]
            continue
        width = dtype[f"{n}"].shape[0]
        if (table[f"count{n}"] != width).any():
            return None
        values[prop.name] = table[f"{n}"].reshape(-1), np.full(element.rows, width)
    return values, start + element.rows * dtype.itemsize


def _walk(element: Element, take, start: int) -> tuple[Values, int]:
    """The values of rows of different length; `take(place, type, count)` gives values and the place after them."""
    pieces: dict[str, list[np.ndarray]] = {prop.name: [] for prop in element.properties}
    place = start
    for row in range(element.rows):
        for prop in element.properties:
            count = 1
            if prop.count:
                number, place = _take_all(take, place, prop.count, 1, element, row)
                count = int(number[0])
            values, place = _take_all(take, place, prop.type, count, element, row)
            pieces[prop.name].append(values)
    found: Values = {}
    for prop in element.properties:
        joined = np.concatenate(pieces[prop.name]) if element.rows else np.empty(0)
        sizes = np.array(list(map(len, pieces[prop.name])), np.int64)
        found[prop.name] = (joined, sizes) if prop.count else joined
    return found, place


def _take_all(take, place: int, kind: str, count: int, element: Element, row: int) -> tuple[np.ndarray, int]:
    try:
        values, after = take(place, kind, count) if count >= 0 else (np.empty(0), place)
    except ValueError as error:
        raise _short(element, row) from error
    if len(values) < count or count < 0:
        raise _short(element, row)
    return values, after
