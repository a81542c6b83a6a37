"""Build the bundled `home_objects` dataset: point clouds of openly licensed household CAD models.

    python -m stages.bundled.build_home_objects sweethome3d-furniture_1.8-1_all.deb

The source is Debian's package `sweethome3d-furniture` 1.8-1: five libraries (`*.sh3f`, zips), each a catalogue
(`PluginFurnitureCatalog.properties`, entries numbered from 1) and one OBJ model an entry. Which entries are used, their
class and their group of near-duplicates are in `home_objects_labels.csv` (checked by eye, one row an object). Per
object: read the OBJ, turn it by the catalogue's `modelRotation` (y up), stretch it to the catalogue's width, height and
depth, sample points by triangle area, move the centroid to the origin and the farthest point to radius 1. The same
package and labels give the same bytes. Authors and licences: `data/bundled/ATTRIBUTION.md`.
"""

import argparse
import csv
import hashlib
import io
import json
import lzma
import os
import re
import sys
import tarfile
import zipfile
import zlib
from collections import Counter, defaultdict
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.files import complete_file
from stages.bundled.fixed_point import write_fixed_point
from stages.bundled.procedural.mesh import sample
from stages.core.errors import InputError

BUNDLED = Path(__file__).resolve().parents[2] / "data" / "bundled"
CATALOGUE = "PluginFurnitureCatalog.properties"
COLUMNS = ("library", "index", "name", "class", "group")
POINTS = 2048
SCALE = 1 / 32767
SEED = 2023
TRAIN_SHARE = 0.6


def build(deb, *, labels, out):
    """Write the dataset file `out` from the package file `deb` and the label table `labels`.

    Groups `train` and `test` of N objects each: `points` i2 [N, 2048, 3] (xyz = points * its attribute `scale`, y up),
    `labels` u1 [N] (index into the root attribute `classes`, JSON), `name`, `library` (UTF-8 bytes), `index` i2 (the
    catalogue's number). Objects keep the table's order. Raises InputError and leaves `out` as it was on bad input.
    """
    rows = read_labels(labels)
    classes = sorted({row["class"] for row in rows})
    libraries = read_package(deb, names={row["library"] for row in rows})
    catalogues = {name: read_catalogue(library, name=name) for name, library in libraries.items()}
    clouds = [_row_cloud(libraries[row["library"]], catalogues[row["library"]], row, labels=labels) for row in rows]
    side = split(rows, share=TRAIN_SHARE, seed=SEED)
    if set(side) != {"train", "test"}:
        raise InputError(f"{labels}: the groups leave one side of the split empty, expected two groups or more")

    with complete_file(Path(out)) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(dataset="home_objects", format=1, up_axis="y", classes=json.dumps(classes))
        for name in ("train", "test"):
            members = [i for i in range(len(rows)) if side[i] == name]
            _write_split(file.create_group(name), [rows[i] for i in members], [clouds[i] for i in members], classes)


def _write_split(group, rows, clouds, classes):
    """Fill one HDF5 group with its objects, as `build` describes it."""
    write_fixed_point(group, np.stack(clouds), scale=SCALE, chunks=(1, POINTS, 3))
    group["labels"] = np.array([classes.index(row["class"]) for row in rows], np.uint8)
    group["index"] = np.array([row["index"] for row in rows], np.int16)
    for key in ("name", "library"):
        values = [row[key].encode() for row in rows]
        kind = h5py.string_dtype("utf-8", max(map(len, values)))
        group.create_dataset(key, data=np.array(values, dtype=kind), dtype=kind)


def read_labels(path):
    """Rows of the label table: dicts with the keys of COLUMNS, `index` an int. Raises InputError."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a label table ({error})") from error
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise InputError(f"{path}: columns are {reader.fieldnames}, expected {','.join(COLUMNS)}")
    for line, row in enumerate(rows, 2):
        if None in row or not all(row.values()) or not row["index"].isdecimal():
            raise InputError(f"{path}: line {line}: expected five values, `index` a whole number")
        row["index"] = int(row["index"])
    if not rows:
        raise InputError(f"{path}: no rows, expected one for each object")
    [(key, count)] = Counter((row["library"], row["index"]) for row in rows).most_common(1)
    if count > 1:
        raise InputError(f"{path}: {key[0]} {key[1]} is listed {count} times, expected each object once")
    return rows


def split(rows, *, share, seed):
    """Side of every row: "train" or "test" [N], `share` of each class to train, a group never on both sides.

    Groups are dealt largest first, equal sizes in an order drawn from `seed`; each goes to the side that its classes
    still lack more of.
    """
    members = defaultdict(list)
    for i, row in enumerate(rows):
        members[row["group"]].append(i)
    groups = sorted(members, key=lambda g: (-len(members[g]), hashlib.sha256(f"{seed}/{g}".encode()).digest()))
    total = Counter(row["class"] for row in rows)
    lack = {"train": {c: share * n for c, n in total.items()}, "test": {c: (1 - share) * n for c, n in total.items()}}
    side = [None] * len(rows)
    for group in groups:
        chosen = max(
            lack, key=lambda s: sum(lack[s][rows[i]["class"]] / total[rows[i]["class"]] for i in members[group])
        )
        for i in members[group]:
            side[i] = chosen
            lack[chosen][rows[i]["class"]] -= 1
    return side


def read_package(deb, *, names):
    """Libraries of the Debian package file `deb`: {name: open ZipFile} for each of `names`. Raises InputError."""
    wanted = {f"./usr/share/sweethome3d/furniture/{name}.sh3f": name for name in names}
    found = {}
    try:
        with open(deb, "rb") as file, tarfile.open(fileobj=io.BytesIO(_ar_member(file, "data.tar.xz", deb=deb))) as tar:
            for member in tar:
                if member.name in wanted:
                    found[wanted[member.name]] = zipfile.ZipFile(io.BytesIO(tar.extractfile(member).read()))
    except (OSError, EOFError, tarfile.TarError, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise InputError(f"{deb}: not a readable Debian package ({error or type(error).__name__})") from error
    missing = sorted(set(names) - set(found))
    if missing:
        raise InputError(f"{deb}: no library {missing[0]}.sh3f, expected sweethome3d-furniture 1.8-1")
    return found


def read_catalogue(library, *, name):
    """Entries of the library `name` (ZipFile): {number: {key: value}}, e.g. {1: {"name": "Armchair", "width": "59.4"}}.

    Raises InputError if it holds no readable catalogue.
    """
    try:
        text = library.read(CATALOGUE).decode("latin-1")
    except (KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{name}.sh3f: no readable {CATALOGUE} ({error})") from error
    entries = defaultdict(dict)
    for line in text.splitlines():
        match = re.match(r"\s*(\w+)#(\d+)\s*=\s*(.*?)\s*$", line)
        if match:
            key, number, value = match.groups()
            entries[int(number)][key] = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), value)
    return dict(entries)


def read_obj(text):
    """Triangles f8 [T, 3 corners, 3 xyz] of a Wavefront OBJ given as bytes; polygons are cut into fans."""
    vertices, corners, sizes = [], [], []
    for line in text.splitlines():
        if line.startswith(b"v "):
            vertices += line.split()[1:4]
        elif line.startswith(b"f "):
            face = [int(corner.partition(b"/")[0]) for corner in line.split()[1:]]
            first = len(vertices) // 3
            corners += [c - 1 if c > 0 else first + c for c in face]
            sizes.append(len(face))
    sizes = np.array(sizes, int)
    starts = np.cumsum(sizes) - sizes
    fans = (sizes - 2).clip(min=0)
    origin = np.repeat(starts, fans)
    step = np.arange(fans.sum()) - np.repeat(np.cumsum(fans) - fans, fans)
    corners = np.array(corners, int)
    chosen = np.stack([corners[origin], corners[origin + step + 1], corners[origin + step + 2]], axis=1)
    return np.array(vertices, float).reshape(-1, 3)[chosen]


def cloud(library, entry, *, seed):
    """Point cloud f4 [2048, 3] of a catalogue entry: y up, centroid at the origin, farthest point at radius 1."""
    triangles = read_obj(library.read(entry["model"].lstrip("/")))
    if "modelRotation" in entry:
        triangles = triangles @ np.array(entry["modelRotation"].split(), float).reshape(3, 3).T
    size = np.array([entry[key] for key in ("width", "height", "depth")], float)
    extent = np.ptp(triangles, axis=(0, 1))
    triangles = (triangles - triangles.min((0, 1))) * np.where(extent > 0, size / np.where(extent > 0, extent, 1), 1)
    xyz, _ = sample([triangles], points=POINTS, rng=np.random.default_rng(seed))
    xyz = xyz.astype(float) - xyz.mean(0, dtype=float)
    return (xyz / np.linalg.norm(xyz, axis=1).max()).astype(np.float32)


def _row_cloud(library, catalogue, row, *, labels):
    """Cloud of a row of the label table, after a check that the catalogue means the same object."""
    key = f"{row['library']} {row['index']}"
    entry = catalogue.get(row["index"], {})
    if entry.get("name") != row["name"]:
        found = entry.get("name", "no such entry")
        raise InputError(f"{labels}: {key} is {row['name']!r}, the catalogue has {found!r}")
    try:
        return cloud(library, entry, seed=zlib.crc32(key.encode()))
    except (KeyError, ValueError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{row['library']}.sh3f: {key} {row['name']!r}: not a readable model ({error})") from error


def _ar_member(file, name, *, deb):
    """Content of the member `name` of an ar archive."""
    if file.read(8) != b"!<arch>\n":
        raise InputError(f"{deb}: not a Debian package, expected an ar archive with data.tar.xz")
    while len(header := file.read(60)) == 60:
        if not header[48:58].strip().isdigit():
            break
        size = int(header[48:58])
        if header[:16].decode("latin-1").strip().rstrip("/") == name:
            content = file.read(size)
            if len(content) < size:
                break
            return content
        file.seek(size + size % 2, os.SEEK_CUR)
    raise InputError(f"{deb}: has no complete {name}, expected a Debian package")


def main(arguments=None):
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("deb", type=Path, help="the package file sweethome3d-furniture_1.8-1_all.deb")
    parser.add_argument("--out", type=Path, default=BUNDLED / "home_objects.h5")
    parser.add_argument("--labels", type=Path, default=BUNDLED / "home_objects_labels.csv")
    options = parser.parse_args(arguments)
    try:
        build(options.deb, labels=options.labels, out=options.out)
    except InputError as error:
        print(f"home_objects: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
