"""The bundled `home_objects` file and the builder that made it, the latter on a tiny package made here."""

import csv
import io
import json
import tarfile
import zipfile
from collections import Counter, defaultdict

import h5py
import numpy as np
import pytest

from stages.bundled import build_home_objects
from stages.core.errors import InputError

BUNDLED = build_home_objects.BUNDLED
SIDES = ("train", "test")


@pytest.fixture(scope="module")
def bundled():
    with h5py.File(BUNDLED / "home_objects.h5") as file:
        sides = {side: {key: file[side][key][()] for key in file[side]} for side in SIDES}
        return dict(file.attrs), sides, {side: file[side]["points"].attrs["scale"] for side in SIDES}


def test_bundled_file_holds_what_it_says(bundled):
    attributes, sides, scales = bundled
    classes = json.loads(attributes["classes"])
    assert (attributes["dataset"], attributes["format"], attributes["up_axis"]) == ("home_objects", 1, "y")
    assert classes == sorted(set(classes)) and len(classes) >= 20
    assert sum(len(sides[side]["labels"]) for side in SIDES) >= 500
    assert (BUNDLED / "home_objects.h5").stat().st_size <= 15e6
    for side in SIDES:
        group, count = sides[side], len(sides[side]["labels"])
        assert group["points"].shape == (count, 2048, 3) and group["points"].dtype == np.int16
        assert (group["labels"].dtype, group["index"].dtype) == (np.uint8, np.int16)
        assert group["name"].dtype.kind == group["library"].dtype.kind == "S"
        assert np.bincount(group["labels"], minlength=len(classes)).min() >= 2
        assert scales[side] == 1 / 32767


def test_bundled_clouds_fill_the_unit_sphere(bundled):
    _, sides, scales = bundled
    for side in SIDES:
        points = sides[side]["points"] * scales[side]
        np.testing.assert_allclose(np.linalg.norm(points, axis=2).max(1), 1, atol=1e-4)
        np.testing.assert_allclose(points.mean(1), 0, atol=1e-4)


def test_label_table_agrees_with_the_file_and_no_group_is_on_both_sides(bundled):
    attributes, sides, _ = bundled
    classes = json.loads(attributes["classes"])
    rows = build_home_objects.read_labels(BUNDLED / "home_objects_labels.csv")
    table = {(row["library"], row["index"]): row for row in rows}
    seen, sides_of_group = Counter(), defaultdict(set)
    for side in SIDES:
        for label, name, library, index in zip(
            *(sides[side][k] for k in ("labels", "name", "library", "index")), strict=True
        ):
            row = table[library.decode(), int(index)]
            assert (row["name"], row["class"]) == (name.decode(), classes[label])
            seen[library, index] += 1
            sides_of_group[row["group"]].add(side)
    assert set(seen.values()) == {1} and len(seen) == len(rows)
    assert all(len(s) == 1 for s in sides_of_group.values())


def test_same_cloud_is_not_on_both_sides(bundled):
    _, sides, _ = bundled
    train, test = ({points.tobytes() for points in sides[side]["points"]} for side in SIDES)
    assert not train & test


def test_builder_gives_the_same_bytes_twice(package, labels, tmp_path):
    for name in ("a.h5", "b.h5"):
        assert build_home_objects.main([str(package), "--labels", str(labels), "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_builder_turns_and_sizes_by_the_catalogue(package, labels, tmp_path):
    build_home_objects.build(package, labels=labels, out=tmp_path / "out.h5")
    clouds = {}
    with h5py.File(tmp_path / "out.h5") as file:
        assert json.loads(file.attrs["classes"]) == ["tent"]
        for side in SIDES:
            clouds[int(file[side]["index"][0])] = file[side]["points"][0] * file[side]["points"].attrs["scale"]
    for points in clouds.values():
        np.testing.assert_allclose(np.ptp(points, axis=0) / np.ptp(points[:, 0]), (1, 4, 2), rtol=0.1)
        assert points[:, 1].max() > 1.5 * -points[:, 1].min()  # more of a pyramid is below than above
    np.testing.assert_allclose(*(np.quantile(clouds[i], (0.1, 0.5, 0.9), axis=0) for i in (1, 2)), atol=0.05)


@pytest.mark.parametrize(
    "damage",
    [lambda b: b"not a package", lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[:200] + bytes(len(b) - 200)],
)
def test_corrupt_package_is_refused(damage, package, labels, tmp_path):
    package.write_bytes(damage(package.read_bytes()))
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="tiny.deb"):
        build_home_objects.build(package, labels=labels, out=tmp_path / "out" / "out.h5")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("Things,3,Tent,tent,3", "Things 3 is 'Tent', the catalogue has 'no such entry'"),
        ("Things,1,Ball,tent,3", "Things 1 is listed 2 times"),
        ("Other,1,Tent,tent,3", "no library Other.sh3f"),
        ("Things,x,Tent,tent,3", "line 4"),
    ],
)
def test_wrong_label_row_is_refused(row, says, package, labels, tmp_path, capsys):
    labels.write_text(labels.read_text() + row + "\n")
    out = tmp_path / "out.h5"
    assert build_home_objects.main([str(package), "--labels", str(labels), "--out", str(out)]) == 1
    message = capsys.readouterr().err
    assert says in message and message.count("\n") == 1
    assert not out.exists()


def test_split_keeps_groups_and_shares():
    rows = [{"class": c, "group": f"{c}{i // 2}"} for c in "ab" for i in range(20)]
    side = build_home_objects.split(rows, share=0.6, seed=0)
    assert side == build_home_objects.split(rows, share=0.6, seed=0)
    assert Counter((row["class"], s) for row, s in zip(rows, side, strict=True)) == {
        ("a", "train"): 12,
        ("a", "test"): 8,
        ("b", "train"): 12,
        ("b", "test"): 8,
    }
    assert all(side[i] == side[i + 1] for i in range(0, 40, 2))


def test_obj_faces_may_be_polygons_with_negative_and_slashed_indices():
    text = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1/1/1 2/2/1 3//1 4\nf -4 -3 -2\n"
    triangles = build_home_objects.read_obj(text)
    assert triangles.shape == (3, 3, 3)
    np.testing.assert_array_equal(triangles[0], triangles[2])


@pytest.fixture
def package(tmp_path):
    """A Debian package with one library of two pyramids, 10 wide, 40 high and 20 deep; the second is stored z up."""
    upright = [(0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1), (0.5, 1, 0.5)]
    lying = [(x, -z, y) for x, y, z in upright]
    faces = "f 1 2 3 4\nf 1 2 5\nf 2 3 5\nf 3 4 5\nf 4 1 5\n"
    catalogue = "id=Things\r\n"
    for number in (1, 2):
        catalogue += f"name#{number}=Tent\r\nmodel#{number}=/things/{number}.obj\r\n"
        catalogue += f"width#{number}=10\r\nheight#{number}=40\r\ndepth#{number}=20\r\n"
    catalogue += "modelRotation#2=1 0 0 0 0 1 0 -1 0\r\n"
    library, data = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(library, "w") as file:
        file.writestr("PluginFurnitureCatalog.properties", catalogue)
        for number, corners in ((1, upright), (2, lying)):
            file.writestr(f"things/{number}.obj", "".join(f"v {x} {y} {z}\n" for x, y, z in corners) + faces)
    with tarfile.open(fileobj=data, mode="w:xz") as tar:
        member = tarfile.TarInfo("./usr/share/sweethome3d/furniture/Things.sh3f")
        member.size = len(library.getvalue())
        tar.addfile(member, io.BytesIO(library.getvalue()))
    path = tmp_path / "tiny.deb"
    path.write_bytes(
        b"!<arch>\n"
        + _ar_entry("debian-binary", b"2.0\n")
        + _ar_entry("control.tar.xz", b"odd")
        + _ar_entry("data.tar.xz", data.getvalue())
    )
    return path


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(
            [build_home_objects.COLUMNS, ("Things", 1, "Tent", "tent", 1), ("Things", 2, "Tent", "tent", 2)]
        )
    return path


def _ar_entry(name, content):
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
    return header + content + b"\n" * (len(content) % 2)
