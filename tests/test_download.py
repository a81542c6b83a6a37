"""Raw files from mirrors that fail in every way end as a good file or as one line; archives keep to their folder."""

import hashlib
import io
import json
import os
import shutil
import tarfile
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fault_server import FaultServer
from huggingface_hub import hf_hub_download

from stages.config.dataset import Dataset, RawFile
from stages.core.errors import InputError
from stages.datasets import archives, fetch
from stages.datasets.archives import Limits, unpack

CONTENT = np.random.default_rng(0).bytes(8 * fetch.CHUNK)
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def raw_file(*mirrors, **changes):
    facts = {"file": "points.bin", "bytes": len(CONTENT), "checksum": DIGEST}
    return RawFile(mirrors=mirrors, **facts | changes)


@pytest.fixture
def pauses():
    """Takes the place of sleeping: the seconds that would have been slept."""
    return []


def ranges(server):
    return [asked for _, asked, _, _ in server.log]


@pytest.mark.parametrize(
    ("faults", "requests"),
    [
        ([], 1),
        (["cut"], 2),
        (["cut", "slow cut", "cut"], 4),
        ([503, 503], 3),
        ([429], 2),
        (["no length"], 1),
        (["cut", "no range"], 2),
        (["cut", "wrong range"], 3),
        (["no etag"], 1),
        (["weak etag"], 1),
        (["cut", 503, "cut"], 4),
    ],
)
def test_one_mirror_that_fails_for_a_while_gives_the_file(faults, requests, tmp_path, pauses):
    with FaultServer(CONTENT, faults) as server:
        fetch.fetch(raw_file(f"{server.url}/a"), tmp_path / "points.bin", sleep=pauses.append)
    assert (tmp_path / "points.bin").read_bytes() == CONTENT
    assert len(server.log) == requests
    assert pauses == [2.0**n for n in range(requests - 1)]
    assert [file.name for file in tmp_path.iterdir()] == ["points.bin"]


@pytest.mark.parametrize("fault", [404, 403, 503, "wrong bytes", "long", "short", "cut"])
def test_another_mirror_takes_over(fault, tmp_path, pauses):
    with FaultServer(CONTENT, [fault] * 9) as bad, FaultServer(CONTENT) as good:
        fetch.fetch(raw_file(f"{bad.url}/a", f"{good.url}/b"), tmp_path / "points.bin", sleep=pauses.append)
    assert (tmp_path / "points.bin").read_bytes() == CONTENT
    assert (len(bad.log), len(good.log), pauses) == (1, 1, [])


@pytest.mark.parametrize(
    ("fault", "requests", "message"),
    [
        (404, 1, "HTTP 404 Not Found"),
        (503, len(fetch.PAUSES) + 1, "HTTP 503 Service Unavailable"),
        ("wrong bytes", 1, f"expected {DIGEST}"),
        ("long", 1, f"offers {len(CONTENT) + 4} bytes, expected {len(CONTENT)}"),
        ("short", 1, f"offers {len(CONTENT) - 4} bytes, expected {len(CONTENT)}"),
    ],
)
def test_no_good_mirror_is_one_line_and_leaves_what_was_there(fault, requests, message, tmp_path, pauses):
    target = tmp_path / "points.bin"
    target.write_bytes(b"what was there")
    with FaultServer(CONTENT, [fault] * 9) as server, pytest.raises(InputError) as error:
        fetch.fetch(raw_file(f"{server.url}/a"), target, sleep=pauses.append)
    assert str(error.value).startswith(f"{target}: not downloaded: {server.url}/a: ") and message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(server.log) == requests and len(pauses) == requests - 1
    assert target.read_bytes() == b"what was there"


def test_a_server_that_is_not_there_is_one_line(tmp_path, pauses):
    with FaultServer(CONTENT) as server:
        gone = server.url
    with pytest.raises(InputError, match="not downloaded: http://127.0.0.1.*Connection refused"):
        fetch.fetch(raw_file(f"{gone}/a"), tmp_path / "points.bin", sleep=pauses.append)
    assert list(tmp_path.iterdir()) == []


def test_a_resumed_download_fetches_only_the_rest(tmp_path, pauses):
    with FaultServer(CONTENT, ["cut", "slow cut"]) as server:
        fetch.fetch(raw_file(f"{server.url}/a", checksum=None), tmp_path / "points.bin", sleep=pauses.append)
    half = len(CONTENT) // 2
    assert ranges(server) == [None, f"bytes={half}-", f"bytes={half + half // 4}-"]
    assert [status for _, _, status, _ in server.log] == [200, 206, 206]
    assert sum(sent for _, _, _, sent in server.log) == len(CONTENT)


def test_a_later_run_resumes_from_the_part_of_the_one_before(tmp_path, pauses):
    target = tmp_path / "points.bin"
    with FaultServer(CONTENT, ["cut"] + [503] * (len(fetch.PAUSES))) as server:
        raw = raw_file(f"{server.url}/a")
        with pytest.raises(InputError, match="503"):
            fetch.fetch(raw, target, sleep=pauses.append)
        assert not target.exists()
        fetch.fetch(raw, target, sleep=pauses.append)
    assert ranges(server)[-1] == f"bytes={len(CONTENT) // 2}-" and server.log[-1][3] == len(CONTENT) // 2
    assert target.read_bytes() == CONTENT


def test_a_file_that_changed_at_the_server_starts_again(tmp_path, pauses):
    with FaultServer(CONTENT, ["cut", "changed"]) as server:
        fetch.fetch(raw_file(f"{server.url}/a", checksum=None), tmp_path / "points.bin", sleep=pauses.append)
    assert ranges(server)[1] == f"bytes={len(CONTENT) // 2}-" and server.log[1][2] == 200
    assert (tmp_path / "points.bin").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize(("checksum", "resumed"), [(DIGEST, True), (None, False)])
def test_another_mirror_continues_a_part_only_where_a_checksum_will_tell(checksum, resumed, tmp_path, pauses):
    with FaultServer(CONTENT, ["cut"]) as first, FaultServer(CONTENT) as second:
        raw = raw_file(f"{first.url}/a", f"{second.url}/b", checksum=checksum)
        fetch.fetch(raw, tmp_path / "points.bin", sleep=pauses.append)
    assert ranges(second) == [f"bytes={len(CONTENT) // 2}-" if resumed else None]
    assert (tmp_path / "points.bin").read_bytes() == CONTENT


def test_a_part_of_other_bytes_is_thrown_away_and_the_mirror_asked_again(tmp_path, pauses):
    with FaultServer(CONTENT[::-1], ["cut"] + [404] * 9) as other, FaultServer(CONTENT) as good:
        raw = raw_file(f"{other.url}/a", f"{good.url}/b")
        fetch.fetch(raw, tmp_path / "points.bin", sleep=pauses.append)
    assert ranges(good) == [f"bytes={len(CONTENT) // 2}-", None]
    assert (tmp_path / "points.bin").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_starts_again(tmp_path, pauses):
    target = tmp_path / "points.bin"
    with FaultServer(CONTENT) as server:
        (tmp_path / "points.bin.part").write_bytes(CONTENT + b"more")
        (tmp_path / "points.bin.part.source").write_text(f'{server.url}/a\n"one"')
        fetch.fetch(raw_file(f"{server.url}/a", bytes=None), target, sleep=pauses.append)
    assert [status for _, _, status, _ in server.log] == [416, 200]
    assert target.read_bytes() == CONTENT


def test_the_hub_is_asked_through_its_library(tmp_path, pauses, monkeypatch):
    with FaultServer(CONTENT) as server:
        monkeypatch.setattr(fetch, "hf_hub_download", partial(hf_hub_download, endpoint=server.url))
        mirror = "hf://datasets/owner/things/deep/points.bin"
        fetch.fetch(raw_file(mirror), tmp_path / "points.bin", sleep=pauses.append)
        assert (tmp_path / "points.bin").read_bytes() == CONTENT
        assert {path for path, *_ in server.log} == {"/datasets/owner/things/resolve/main/deep/points.bin"}
        other = raw_file(mirror, checksum="md5:" + "0" * 32)
        with pytest.raises(InputError, match=f"other.bin: not downloaded: {mirror}: is md5:.*, expected md5:000"):
            fetch.fetch(other, tmp_path / "other.bin", sleep=pauses.append)
    assert [file.name for file in tmp_path.iterdir()] == ["points.bin"]


def test_a_hub_that_is_down_is_one_line(tmp_path, pauses, monkeypatch):
    with FaultServer(CONTENT) as server:
        monkeypatch.setattr(fetch, "hf_hub_download", partial(hf_hub_download, endpoint=server.url))
    monkeypatch.setattr("time.sleep", pauses.append)  # the library's own retries
    with pytest.raises(InputError, match="not downloaded: hf://datasets/owner/things/points.bin: ") as error:
        fetch.fetch(raw_file("hf://datasets/owner/things/points.bin"), tmp_path / "points.bin", sleep=pauses.append)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="expected hf://datasets/<owner>/<repository>/<file>"):
        fetch.fetch(raw_file("hf://owner/things"), tmp_path / "points.bin", sleep=pauses.append)


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def dataset(mirror, **changes):
    raw = RawFile(file="things.zip", mirrors=(mirror,), **changes.pop("raw", {}))
    entry = {"reader": "folder", "files": (raw,), "up_axis": "y", "licence": "test"}
    return Dataset(**entry | changes)


def test_an_archive_is_downloaded_once_and_unpacked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with FaultServer(zipped({"deep/a.txt": "one", "b.txt": "two"})) as server:
        for _ in range(2):
            path = fetch.ensure_local("mine", dataset(f"{server.url}/things.zip"))
            assert path == Path("data/raw/mine/things")
        assert len(server.log) == 1
        (tmp_path / "data/raw/mine/things.zip").unlink()
        fetch.ensure_local("mine", dataset(f"{server.url}/things.zip"))
        assert len(server.log) == 1
    assert ((path / "deep/a.txt").read_text(), (path / "b.txt").read_text()) == ("one", "two")


def test_a_bad_raw_file_is_fetched_again_and_what_it_held_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    new = zipped({"a.txt": "new"})
    facts = {"bytes": len(new), "checksum": f"md5:{hashlib.md5(new).hexdigest()}"}
    with FaultServer(zipped({"old.txt": "old"})) as server:
        fetch.ensure_local("mine", dataset(f"{server.url}/things.zip"))
        server.content = new
        path = fetch.ensure_local("mine", dataset(f"{server.url}/things.zip", raw=facts))
    assert [file.name for file in path.iterdir()] == ["a.txt"]


def test_a_page_in_place_of_an_archive_is_refused(tmp_path, monkeypatch, pauses):
    monkeypatch.chdir(tmp_path)
    with FaultServer(b"<html>log in</html>") as server, pytest.raises(InputError, match="is not an archive"):
        fetch.ensure_local("mine", dataset(f"{server.url}/things.zip"), sleep=pauses.append)
    assert not list(tmp_path.rglob("things*"))


def test_several_files_lie_in_one_folder_and_a_single_one_is_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with FaultServer(CONTENT) as server:
        one, two = (raw_file(f"{server.url}/{name}", file=name) for name in ("one.bin", "two.bin"))
        assert fetch.ensure_local("mine", dataset("http://x", files=(one,))) == Path("data/raw/mine/one.bin")
        assert fetch.ensure_local("mine", dataset("http://x", files=(one, two), folder="ours")) == Path("data/raw/ours")
    assert sorted(os.listdir("data/raw/ours")) == ["one.bin", "two.bin"]


def test_a_signed_form_is_asked_for_and_nothing_downloaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = zipped({"a.txt": "one"})
    with FaultServer(content) as server:
        entry = dataset(f"{server.url}/things.zip", signed_form=True, url="https://example.org/terms")
        asks = r"data/raw/mine/things.zip: no such file; .* signed form: see https://example.org/terms, then put it at"
        with pytest.raises(InputError, match=asks):
            fetch.ensure_local("mine", entry)
        with pytest.raises(InputError, match=r"here: no such file or folder .* see https://example.org/terms"):
            fetch.ensure_local(
                "mine", dataset("http://x", path="here", signed_form=True, url="https://example.org/terms")
            )
        assert server.log == []
    Path("data/raw/mine").mkdir(parents=True)
    Path("data/raw/mine/things.zip").write_bytes(content)
    assert (fetch.ensure_local("mine", entry) / "a.txt").read_text() == "one"


def test_a_fetched_file_without_a_checksum_is_what_the_next_fetch_must_give(tmp_path, monkeypatch, pauses):
    monkeypatch.chdir(tmp_path)
    first, other = zipped({"a.txt": "one"}), zipped({"a.txt": "another"})
    with FaultServer(first) as server:
        fetch.ensure_local("mine", dataset(f"{server.url}/things.zip"))
        lock = json.loads(Path("data/archives.lock").read_text())
        digest = f"sha256:{hashlib.sha256(first).hexdigest()}"
        known = {"file": "things.zip", "mirrors": [], "bytes": len(first), "checksum": digest}
        assert lock == {"mine/things.zip": known}
        shutil.rmtree("data/raw")
        server.content = other
        with pytest.raises(InputError, match=r"expected .*; data/archives\.lock has what was fetched before"):
            fetch.ensure_local("mine", dataset(f"{server.url}/things.zip"), sleep=pauses.append)
        assert not Path("data/raw/mine/things.zip").exists()
        server.content = first
        fetch.ensure_local("mine", dataset(f"{server.url}/things.zip"))
        assert json.loads(Path("data/archives.lock").read_text()) == lock
        Path("data/raw/mine/things.zip").write_bytes(other)  # damaged here: fetched again
        assert (fetch.ensure_local("mine", dataset(f"{server.url}/things.zip")) / "a.txt").read_text() == "one"


@pytest.mark.parametrize("text", ["{", "[]", '{"mine/things.zip": {"bytes": 3}}', '{"mine/things.zip": 3}'])
def test_a_damaged_lock_is_one_line(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/archives.lock").write_text(text)
    with pytest.raises(InputError, match=r"^data/archives\.lock: "):
        fetch.ensure_local("mine", dataset("http://127.0.0.1:9/things.zip"))


def test_a_published_checksum_is_not_locked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with FaultServer(CONTENT) as server:
        entry = dataset("http://x", files=(raw_file(f"{server.url}/points.bin"),))
        fetch.ensure_local("mine", entry)
    assert not Path("data/archives.lock").exists()


def member(name, kind=tarfile.REGTYPE, content=b"x", link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(content) if kind == tarfile.REGTYPE else 0
    return info, content


def tarred(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for info, content in members:
            file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_with(name, content=b"x", mode=None, again=False):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        if mode is not None:
            info.create_system, info.external_attr = 3, mode << 16
        file.writestr(info, content)
        if again:
            file.writestr(info, content)
    return buffer.getvalue()


BAD_ARCHIVES = {
    "zip slip": (lambda: zip_with("../evil.txt"), "'../evil.txt' leads outside"),
    "zip slip deep": (lambda: zip_with("a/../../evil.txt"), "leads outside"),
    "absolute": (lambda: zip_with("/evil.txt"), "leads outside"),
    "backslash": (lambda: zip_with("..\\evil.txt"), "leads outside"),
    "drive": (lambda: zip_with("C:evil.txt"), "leads outside"),
    "zip symlink": (lambda: zip_with("link", b"/etc/passwd", 0o120777), "'link' is a link or device"),
    "zip device": (lambda: zip_with("null", b"", 0o020666), "'null' is a link or device"),
    "tar slip": (lambda: tarred(member("../evil.txt")), "leads outside"),
    "tar symlink": (lambda: tarred(member("link", tarfile.SYMTYPE, link="/etc")), "'link' is a link or device"),
    "tar through a symlink": (
        lambda: tarred(member("out", tarfile.SYMTYPE, link=".."), member("out/evil.txt")),
        "'out' is a link or device",
    ),
    "tar hard link": (lambda: tarred(member("link", tarfile.LNKTYPE, link="/etc/passwd")), "is a link or device"),
    "tar device": (lambda: tarred(member("null", tarfile.CHRTYPE)), "is a link or device"),
    "tar pipe": (lambda: tarred(member("pipe", tarfile.FIFOTYPE)), "is a link or device"),
    "zip bomb": (lambda: zip_with("big", bytes(2_000_000)), "'big' exceeds"),
    "tar bomb": (lambda: tarred(member("big", content=bytes(2_000_000))), "'big' exceeds"),
    "many members": (lambda: zipped({str(n): "" for n in range(12)}), "more than 10 members"),
    "twice": (lambda: zip_with("a", again=True), "'a' stands there twice"),
    "file as folder": (lambda: zipped({"a": "x", "a/b": "y"}), "not a readable archive"),
    "no archive": (lambda: b"hello", "not a readable archive"),
    "truncated zip": (lambda: zipped({"a": CONTENT})[:100_000], "not a readable archive"),
    "truncated tar": (lambda: tarred(member("a", content=CONTENT))[:100_000], "not a readable archive"),
    "damaged zip": (lambda: zipped({"a": CONTENT}).replace(CONTENT[1000:1010], bytes(10)), "Bad CRC-32"),
}
SMALL = Limits(members=10, total_bytes=10**6, ratio=100, free_bytes=10**5)


@pytest.mark.parametrize("name", BAD_ARCHIVES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_bad_archive_is_one_line_and_writes_nothing(name, tmp_path):
    make, message = BAD_ARCHIVES[name]
    archive, folder = tmp_path / "in/some.zip", tmp_path / "in/some"
    folder.mkdir(parents=True)
    (folder / "before.txt").write_text("what was there")
    archive.write_bytes(make())
    with pytest.raises(InputError) as error:
        unpack(archive, folder, limits=SMALL)
    assert str(error.value).startswith(f"{archive}: ") and message in str(error.value)
    assert "\n" not in str(error.value)
    files = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file())
    assert files == ["in/some.zip", "in/some/before.txt"]


def test_a_good_tar_and_the_names_of_archives(tmp_path):
    archive = tmp_path / "Some.Things.tar.gz"
    archive.write_bytes(tarred(member("./", tarfile.DIRTYPE), member("./a/b.txt")))
    assert archives.is_archive(archive) and not archives.is_archive(tmp_path / "points.h5")
    unpack(archive, tmp_path / archives.stem(archive))
    assert (tmp_path / "Some.Things/a/b.txt").read_bytes() == b"x"


@pytest.mark.parametrize(("status", "lasting"), [(404, True), (403, True), (503, False)])
def test_the_hubs_refusal_lasts_and_its_trouble_does_not(status, lasting, tmp_path, pauses, monkeypatch):
    with FaultServer(CONTENT, [status] * 99) as hub, FaultServer(CONTENT, [503]) as second:
        monkeypatch.setattr(fetch, "hf_hub_download", partial(hf_hub_download, endpoint=hub.url))
        monkeypatch.setattr("time.sleep", pauses.append)
        raw = raw_file("hf://datasets/owner/things/points.bin", f"{second.url}/b")
        fetch.fetch(raw, tmp_path / "points.bin", sleep=lambda seconds: None)
    assert (tmp_path / "points.bin").read_bytes() == CONTENT
    rounds = len([path for path, _, answer, _ in hub.log if answer == status])
    assert (rounds == 1) == lasting
