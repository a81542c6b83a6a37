"""The page's server, asked as a browser asks it, and the page itself in Chromium where there is one."""

import asyncio
import base64
import gzip
import io
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import requests
import trimesh
import uvicorn
from PIL import Image

from stages.commands.pointclip.main import main
from stages.core.errors import InputError
from stages.datasets.objects import FORMATS
from stages.own.pointclip import PointClip
from stages.page.objects import MOST_KEPT, file_name
from stages.page.server import LOOPBACK, STATIC, application
from stages.page.serving import listen
from stages.page.worker import MOST_WAITING, BusyError, Worker
from stages.projection.clouds import orient
from stages.projection.views import VIEW_SETS

MOST_BYTES = 200_000
LABELS = ["table", "mug", "car"]
BINARY, JSON = {"Content-Type": "application/octet-stream"}, {"Content-Type": "application/json"}


@contextmanager
def served(model, library=None):
    """The address of a server in a thread of its own."""
    listening = listen("127.0.0.1", 0)
    app = application(model, library=library, most_bytes=MOST_BYTES)
    config = uvicorn.Config(app, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def model():
    return PointClip("bundled")


@pytest.fixture(scope="module")
def address(model):
    with served(model) as address:
        yield address


@pytest.fixture(scope="module")
def library(model, table, tmp_path_factory):
    """A library of a table, a rod and a ball in folders."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "kitchen").mkdir()
    (folder / "kitchen/table.off").write_bytes(table.read_bytes())
    box((0.05, 2, 0.05), at=(0, 0, 0)).export(folder / "rod.stl")
    trimesh.creation.icosphere(3).export(folder / "ball.ply")
    return model.index(folder, folder / "library.parquet").path


@pytest.fixture(scope="module")
def searched(model, library):
    """The address of a server with a library."""
    with served(model, model.open_library(library)) as address:
        yield address


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where the server keeps temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The file of a table with four legs, y up."""
    path = tmp_path_factory.mktemp("meshes") / "table.off"
    legs = [box((0.06, 0.7, 0.06), at=(x, 0.35, z)) for x in (-0.4, 0.4) for z in (-0.4, 0.4)]
    trimesh.util.concatenate([box((1, 0.06, 1), at=(0, 0.72, 0)), *legs]).export(path)
    return path


def box(sides, *, at):
    return trimesh.creation.box(sides, transform=trimesh.transformations.translation_matrix(at))


def upload(address, content, name, **headers):
    return requests.post(f"{address}/api/objects", content, params={"name": name}, headers=BINARY | headers, timeout=30)


def key_of(address, path):
    answer = upload(address, path.read_bytes(), path.name)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def ask(address, key, what, asked):
    return requests.post(f"{address}/api/objects/{key}/{what}", json=asked, timeout=60)


def line_of(answer, status):
    """The one line of an answer that refuses."""
    assert answer.status_code == status, answer.text
    line = answer.json()["error"]
    assert list(answer.json()) == ["error"] and line and "\n" not in line
    return line


# ---- what is answered ------------------------------------------------------------------------------------------------


def test_the_server_says_what_it_reads(address):
    told = requests.get(f"{address}/api/about", timeout=10).json()
    assert told["formats"] == list(FORMATS) and told["most_bytes"] == MOST_BYTES
    assert told["backbone"] == "bundled" and told["library"] == 0


def test_an_object_is_described_and_named_as_the_python_api_names_it(address, model, table, temporary):
    told = upload(address, table.read_bytes(), "table.off").json()
    assert (told["name"], told["vertices"], told["faces"], told["notes"]) == ("table.off", 40, 60, [])
    assert told["extent"] == [1, 0.75, 1]
    assert not list(temporary.iterdir())
    answer = ask(address, told["id"], "labels", {"labels": LABELS, "up": "y"}).json()
    [expected] = model.classify(table, LABELS)
    assert answer == {"best": [list(pair) for pair in expected.best], "notes": []}
    assert answer["best"][0][0] == "table"


def test_words_that_the_model_does_not_know_are_said(address, table):
    answer = ask(address, key_of(address, table), "labels", {"labels": ["table", "zyzzyva"], "up": "y"}).json()
    assert answer["notes"] == ["The model does not know: zyzzyva."]


def test_the_shape_has_points_and_faces_turned_upright_in_the_unit_ball(address, table):
    key = key_of(address, table)
    drawn = {up: shape(address, key, up) for up in ("y", "z")}
    points, vertices, faces = drawn["y"]
    mesh = trimesh.load(table, process=False)
    assert len(points) == 2048 and faces.tolist() == mesh.faces.tolist()
    half = np.linalg.norm([1, 0.75, 1]) / 2
    np.testing.assert_allclose(vertices, (mesh.vertices - [0, 0.375, 0]) / half, atol=1e-6)
    assert np.linalg.norm(points, axis=1).max() <= 1 + 1e-6
    for turned, straight in zip(drawn["z"][:2], drawn["y"][:2], strict=True):
        np.testing.assert_array_equal(turned, orient(straight, "z"))


def shape(address, key, up):
    content = requests.get(f"{address}/api/objects/{key}/shape", {"up": up}, timeout=30).content
    counts = np.frombuffer(content, "<u4", 3)
    numbers = np.frombuffer(content, "<f4", 3 * (counts[0] + counts[1]), 12).reshape(-1, 3)
    faces = np.frombuffer(content, "<u4", 3 * counts[2], 12 + numbers.nbytes).reshape(-1, 3)
    assert len(content) == 12 + numbers.nbytes + faces.nbytes
    return numbers[: counts[0]], numbers[counts[0] :], faces


def test_a_cloud_is_drawn_without_faces(address):
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    np.save(file, rng.normal(size=(3000, 3)))
    key = upload(address, file.getvalue(), "cloud.npy").json()["id"]
    points, vertices, faces = shape(address, key, "y")
    assert (len(points), len(vertices), len(faces)) == (2048, 0, 0)


def test_a_mesh_of_too_many_triangles_is_drawn_as_points(address, table, monkeypatch):
    monkeypatch.setattr("stages.page.objects.MOST_FACES", 59)
    told = upload(address, table.read_bytes(), "table.off").json()
    assert told["faces"] == 60 and told["notes"] == ["drawn as points: more than 59 triangles"]
    assert [len(values) for values in shape(address, told["id"], "y")] == [2048, 0, 0]


def test_the_maps_are_those_that_the_model_sees(address, model, table):
    maps = requests.get(f"{address}/api/objects/{key_of(address, table)}/maps", {"up": "y"}, timeout=30).json()["maps"]
    depth = model.depth_maps(table)
    assert [one["view"] for one in maps] == list(model.view_names)
    for one, expected in zip(maps, depth, strict=True):
        pixels = np.array(Image.open(io.BytesIO(base64.b64decode(one["picture"].partition(",")[2]))))
        np.testing.assert_allclose(pixels / 255, expected, atol=0.5 / 255 + 1e-6)


def test_a_view_is_seen_from_its_direction():
    directions = dict(
        zip(VIEW_SETS["v2_classification"].names, VIEW_SETS["v2_classification"].directions(), strict=True)
    )
    sin, cos = np.sin(np.pi / 9), np.cos(np.pi / 9)  # 20 degrees above the horizon
    for name, expected in {"side_0": (0, sin, cos), "side_1": (cos, sin, 0), "side_2": (0, sin, -cos)}.items():
        np.testing.assert_allclose(directions[name], expected, atol=1e-6)
    assert directions["pole_0"][1] < -0.9 and directions["pole_1"][1] > 0.9


def test_every_point_gets_a_part(address, model, table):
    asked = {"parts": ["leg", "top"], "category": "table", "up": "y"}
    answer = ask(address, key_of(address, table), "parts", asked).json()
    expected = model.parts(table, ["leg", "top"], category="table")
    labels = np.frombuffer(base64.b64decode(answer["points"]), "<u2")
    np.testing.assert_array_equal(labels, expected.labels)
    assert [part["name"] for part in answer["parts"]] == ["leg", "top"]
    assert [part["share"] for part in answer["parts"]] == list(expected.shares)
    assert len({part["colour"] for part in answer["parts"]}) == 2


def test_the_up_axis_is_guessed(address, model, table):
    answer = requests.get(f"{address}/api/objects/{key_of(address, table)}/upright", timeout=30)
    assert answer.json() == {"up": model.guess_up(table)[0].axis}


def test_a_library_is_searched_in_words_and_by_an_object(searched, model, library, table):
    assert requests.get(f"{searched}/api/about", timeout=10).json()["library"] == 3
    search = f"{searched}/api/search"
    found = requests.get(search, {"words": "a table"}, timeout=30).json()
    expected = model.open_library(library).search("a table")
    assert [(hit["name"], hit["score"]) for hit in found["hits"]] == [(h.entry.path, h.score) for h in expected.hits]
    assert found["nothing_matches"] == expected.nothing_matches
    assert found["hits"][0]["name"] == "kitchen/table.off"
    assert all(hit["picture"].startswith("data:image/png;base64,iVBOR") for hit in found["hits"])
    like = requests.get(search, {"like": key_of(searched, table), "up": "y"}, timeout=30).json()["hits"]
    assert like[0]["name"] == "kitchen/table.off" and like[0]["score"] > 0.999
    assert str(library.parent) not in json.dumps([found, like])


def test_a_wrong_search_is_one_line(address, searched):
    assert line_of(requests.get(f"{address}/api/search", {"words": "a"}, timeout=10), 404).startswith("no library")
    search = f"{searched}/api/search"
    assert line_of(requests.get(search, {"words": " "}, timeout=10), 400) == "search: no words, expected some"
    assert line_of(requests.get(search, {"words": "x" * 201}, timeout=10), 400).startswith("words: expected names")
    assert line_of(requests.get(search, {"like": "x", "up": "y"}, timeout=10), 400).startswith(
        "This object is no longer"
    )


# ---- what is refused -------------------------------------------------------------------------------------------------


WRONG = {
    "an HTML page": ("a.obj", b"<html>", "a.obj: its content is an HTML page"),
    "nothing": ("a.obj", b"", "a.obj: empty"),
    "cut short": ("a.off", b"OFF\n3 1 0\n0 0 0\n", "a.off: not a readable off file"),
    "an unknown ending": ("a.exe", b"MZ", "a.exe: format '.exe'"),
    "no ending": ("a", b"x", "a: format ''"),
    "a path": ("../../etc/a.exe", b"MZ", "a.exe: format"),
    "a path of Windows": ("C:\\secret\\a.exe", b"MZ", "a.exe: format"),
    "no name": ("", b"x", "a file without a name"),
    "dots": ("..", b"x", "a file without a name"),
    "a damaged gzip": ("a.obj.gz", b"\x1f\x8b\x08rest", "a.obj.gz: its gzip compression is damaged"),
    "a buffer elsewhere": (
        "a.gltf",
        json.dumps({"asset": {"version": "2.0"}, "buffers": [{"uri": "b.bin", "byteLength": 9}]}).encode(),
        "a.gltf: not a readable gltf file: its buffer b.bin is missing",
    ),
    "a buffer above": (
        "a.gltf",
        json.dumps({"asset": {"version": "2.0"}, "buffers": [{"uri": "../../x", "byteLength": 9}]}).encode(),
        "a.gltf: not a readable gltf file: its buffer '../../x' is not in its folder",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_one_line_that_names_it_and_leaves_nothing(address, temporary, case):
    name, content, beginning = WRONG[case]
    line = line_of(upload(address, content, name), 400)
    assert line.startswith(beginning)
    assert str(temporary) not in line and "pointclip-" not in line
    assert not list(temporary.iterdir())


def test_a_file_that_unpacks_to_too_much_is_refused(address, temporary, monkeypatch):
    monkeypatch.setattr("stages.datasets.objects.MOST_BYTES", 1000)
    line = line_of(upload(address, gzip.compress(bytes(1001)), "a.xyz.gz"), 400)
    assert line == "a.xyz.gz: unpacks to more than 1000 bytes"
    assert not list(temporary.iterdir())


def test_an_upload_that_breaks_off_leaves_nothing(address, temporary):
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = "POST /api/objects?name=a.obj HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        connection.sendall(f"{head}Content-Type: application/octet-stream\r\n\r\nv 0 0 0\n".encode())
        assert wait_until(lambda: [*temporary.rglob("a.obj")])
    assert wait_until(lambda: not [*temporary.iterdir()])


def wait_until(condition):
    """Whether `condition` comes to hold within ten seconds."""
    end = time.monotonic() + 10
    while not (held := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return bool(held)


def test_a_file_above_the_limit_is_refused_with_and_without_an_announced_length(address, temporary):
    content = bytes(MOST_BYTES + 1)
    line = f"a.obj: larger than {MOST_BYTES} bytes, which is the limit"
    assert line_of(upload(address, content, "a.obj"), 413) == line
    assert line_of(upload(address, iter([content[:9], content[9:]]), "a.obj"), 413) == line
    assert not list(temporary.iterdir())


def test_a_name_keeps_no_folder_and_no_control_character():
    assert file_name("/a/b\\c\n\0d.obj") == "cd.obj"
    assert file_name("é" * 300 + ".obj").endswith("é.obj") and len(file_name("é" * 300 + ".obj").encode()) < 255


QUESTIONS = {
    "one label": (
        "labels",
        {"labels": ["chair", " chair "], "up": "y"},
        "labels: 1 different names, expected at least two",
    ),
    "a text": ("labels", {"labels": "chair, table", "up": "y"}, "labels: expected a list of at most 1000 names"),
    "too many": ("labels", {"labels": ["x"] * 1001, "up": "y"}, "labels: expected a list of at most 1000 names"),
    "a number": ("labels", {"labels": [1, 2], "up": "y"}, "labels: expected names of at most 200"),
    "a long name": (
        "labels",
        {"labels": ["x" * 201, "y"], "up": "y"},
        "labels: expected names of at most 200",
    ),
    "no axis": ("labels", {"labels": LABELS}, "up: expected one of y, z, x"),
    "a wrong axis": ("labels", {"labels": LABELS, "up": "w"}, "up: expected one of y, z, x"),
    "a list as axis": ("labels", {"labels": LABELS, "up": ["y"]}, "up: expected one of y, z, x"),
    "one part": ("parts", {"parts": ["leg"], "category": "", "up": "y"}, "parts: 1 different names"),
    "a list as category": ("parts", {"parts": LABELS, "category": [], "up": "y"}, "category: expected names"),
    "no object": ("labels", [], "expected a JSON object"),
}


@pytest.mark.parametrize("case", QUESTIONS)
def test_a_wrong_question_is_one_line(address, table, case):
    what, asked, beginning = QUESTIONS[case]
    assert line_of(ask(address, key_of(address, table), what, asked), 400).startswith(beginning)


def test_what_is_not_json_or_too_long_is_refused(address, table):
    url = f"{address}/api/objects/{key_of(address, table)}/labels"
    assert line_of(requests.post(url, b"{", headers=JSON, timeout=10), 400) == "expected a JSON object"
    assert line_of(requests.post(url, b"[" * 60_000, headers=JSON, timeout=10), 400) == "expected a JSON object"
    assert "more than 65536 bytes" in line_of(requests.post(url, b" " * 70_000, headers=JSON, timeout=10), 413)


def test_only_the_last_objects_are_kept(address, table):
    first, *_, last = [key_of(address, table) for _ in range(MOST_KEPT + 1)]
    asked = {"labels": LABELS, "up": "y"}
    assert line_of(ask(address, first, "labels", asked), 400) == "This object is no longer kept: drop its file again."
    assert ask(address, last, "labels", asked).status_code == 200


def test_other_sites_cannot_ask(address, table):
    assert requests.get(address, headers={"Host": "elsewhere.example"}, timeout=10).status_code == 400
    for host in LOOPBACK:
        assert requests.get(address, headers={"Host": f"{host}:8000"}, timeout=10).status_code == 200
    plain = {"Content-Type": "text/plain"}
    assert line_of(upload(address, b"x", "a.obj", **plain), 415)
    url = f"{address}/api/objects/{key_of(address, table)}/labels"
    assert line_of(requests.post(url, b"{}", headers=plain, timeout=10), 415)
    preflight = requests.options(f"{address}/api/objects", headers={"Origin": "http://elsewhere.example"}, timeout=10)
    assert preflight.status_code == 405 and "Access-Control-Allow-Origin" not in preflight.headers


def test_an_unknown_address_is_one_line(address):
    assert line_of(requests.get(f"{address}/api/nothing", timeout=10), 404) == "Not Found"
    for path in ("static/../server.py", "static/%2e%2e/server.py", "static//etc/passwd"):
        assert requests.get(f"{address}/{path}", timeout=10).status_code == 404


def test_a_failure_of_the_server_says_nothing_of_its_inside(address, model, table, monkeypatch):
    monkeypatch.setattr(model, "classify", lambda *_, **__: 1 / 0)
    answer = ask(address, key_of(address, table), "labels", {"labels": LABELS, "up": "y"})
    assert line_of(answer, 500) == "The server failed; its terminal says how."


def test_the_page_is_told_to_load_nothing_from_elsewhere(address):
    for path in ("", "static/app.js", "api/about"):
        headers = requests.get(f"{address}/{path}", timeout=10).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"
    for file in STATIC.iterdir():
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", file.read_text()), file.name


# ---- one at a time ---------------------------------------------------------------------------------------------------


def test_requests_are_served_one_at_a_time_and_too_many_are_refused():
    running, most = [], []

    def work(n):
        running.append(n)
        time.sleep(0.01)
        most.append(len(running))
        running.remove(n)
        return n

    async def one(worker, n):
        async with worker.place():
            return await worker.run(work, n)

    async def several():
        worker = Worker()
        return await asyncio.gather(*(one(worker, n) for n in range(MOST_WAITING + 2)), return_exceptions=True)

    found = asyncio.run(several())
    assert found[:MOST_WAITING] == list(range(MOST_WAITING)) and max(most) == 1
    assert [type(error) for error in found[MOST_WAITING:]] == [BusyError, BusyError]


def test_a_full_queue_is_one_line(address, table, monkeypatch):
    monkeypatch.setattr(Worker, "place", lambda self: (_ for _ in ()).throw(BusyError))
    line = line_of(upload(address, table.read_bytes(), "table.off"), 503)
    assert line == "Others are being served: try again in a moment."


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_command_serves_until_it_is_interrupted(tmp_path):
    command = [sys.executable, "-m", "stages.commands.pointclip", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as process:
        line = process.stdout.readline()
        found = re.match(r"open (http://127\.0\.0\.1:\d+) in a browser", line)
        assert found, line
        assert "PointCLIP" in requests.get(found[1], timeout=10).text
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130)


def test_a_taken_port_and_a_missing_package_are_one_line(monkeypatch, capsys):
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"error: --host 127.0.0.1 --port {port}: nothing can listen there"):
            main(["serve", "--port", str(port)])
    with pytest.raises(InputError, match="nothing can listen there"):
        listen("127.0.0.1", 70_000)
    with pytest.raises(SystemExit, match="error: nowhere.parquet: no such file"):
        main(["serve", "--library", "nowhere.parquet"])
    monkeypatch.delitem(sys.modules, "stages.page.serving")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(SystemExit, match=r"error: pointclip serve: uvicorn is not installed: pip install '\.\[page\]'"):
        main(["serve"])
