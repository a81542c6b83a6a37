"""Raw files from their mirrors: resumed, tried again, checked, and only then put in place."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import requests
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from tqdm import tqdm

from stages.config.dataset import Dataset, RawFile
from stages.core.errors import InputError, reason
from stages.datasets import archives
from stages.datasets.archive_lock import LOCK, locked, write_lock

PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds between the rounds over all mirrors
TIMEOUT = (10, 60)  # seconds to connect, and to wait for the next bytes
CHUNK = 1 << 16


class MirrorError(Exception):
    """A mirror did not give the file; `lasting` when to ask it again is of no use."""

    def __init__(self, message: str, *, lasting: bool):
        super().__init__(message)
        self.lasting = lasting


def ensure_local(
    name: str, entry: Dataset, *, root: Path = Path(), sleep: Callable[[float], None] = time.sleep
) -> Path:
    """The local file or folder that the reader of dataset `name` gets; what is missing is downloaded and unpacked.

    That is `entry.path`; without one the raw file, or its folder when it is an archive, or the folder of several.
    """
    if entry.path is not None:
        path = root / entry.path
        if not path.exists():
            key = f"params.yaml: dataset.{name}.path"
            raise InputError(f"{path}: no such file or folder ({key}){_how_to_get(entry, path)}")
        return path
    folder = root / "data/raw" / (entry.folder or name)
    if not entry.files:
        raise InputError(f"params.yaml: dataset.{name}: neither path nor files; give it a local path")
    local = [_in_place(entry, raw, folder, root, sleep) for raw in entry.files]
    return local[0] if len(local) == 1 else folder


def fetch(raw: RawFile, target: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Download `raw` to `target`, which is replaced only by a file of the published length and checksum.

    The mirrors are tried in order, round after round with growing pauses; what came of a broken transfer stays beside
    `target` as `<name>.part` and is continued. Raises InputError with every mirror's last word.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if not raw.mirrors:
        raise InputError(f"{target}: no such file, and its dataset entry names no mirror: put it there")
    said: dict[str, MirrorError] = {}
    for pause in (0.0, *PAUSES):
        asked = [mirror for mirror in raw.mirrors if mirror not in said or not said[mirror].lasting]
        if asked and pause:
            sleep(pause)
        for mirror in asked:
            try:
                (_download_hub if mirror.startswith("hf://") else _download)(mirror, raw, target)
                os.replace(_part_path(target), target)
                _discard(_part_path(target))
                return
            except MirrorError as error:
                said[mirror] = error
    words = "; ".join(f"{mirror}: {error}" for mirror, error in said.items())
    raise InputError(f"{target}: not downloaded: {words}; to go on, put the file there by hand")


def integrity_error(path: Path, raw: RawFile) -> str | None:
    """What is wrong with a file by the published facts, or None: its length, its checksum, an archive that is none."""
    if raw.bytes is not None and path.stat().st_size != raw.bytes:
        return f"has {path.stat().st_size} bytes, expected {raw.bytes}"
    if raw.checksum is not None:
        kind = raw.checksum.partition(":")[0]
        with open(path, "rb") as file:
            digest = f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}"
        if digest != raw.checksum:
            return f"is {digest}, expected {raw.checksum}"
    if archives.is_archive(Path(raw.file)) and not archives.is_readable(path):
        return "is not an archive"
    return None


def _in_place(entry: Dataset, raw: RawFile, folder: Path, root: Path, sleep: Callable[[float], None]) -> Path:
    """One raw file, downloaded where it is not there or not right, and unpacked if it is an archive."""
    target, known = folder / raw.file, locked(raw, folder.name, root=root)
    unpacked = folder / archives.stem(target) if archives.is_archive(target) else None
    if unpacked and unpacked.is_dir() and not target.exists():
        return unpacked  # the user has thrown the archive away
    wrong = integrity_error(target, known) if target.is_file() else "no such file"
    if wrong:
        if entry.signed_form:
            raise InputError(f"{target}: {wrong}{_how_to_get(entry, target)}")
        try:
            fetch(known, target, sleep=sleep)
        except InputError as error:
            raise InputError(f"{error}{f'; {LOCK} has what was fetched before' if known != raw else ''}") from error
        write_lock(raw, folder.name, target, root=root)
    if unpacked and (wrong or not unpacked.is_dir()):
        archives.unpack(target, unpacked)
    return unpacked or target


def _how_to_get(entry: Dataset, place: Path) -> str:
    if not entry.signed_form:
        return ""
    return f"; its makers ask for a signed form: see {entry.url}, then put it at {place}"


def _download_hub(mirror: str, raw: RawFile, target: Path) -> None:
    """A file of a data set on the Hugging Face hub, by its own library, which resumes and checks by itself."""
    words = mirror.removeprefix("hf://").split("/")
    if len(words) < 4 or words[0] != "datasets":
        raise MirrorError("expected hf://datasets/<owner>/<repository>/<file>", lasting=True)
    repository, file = "/".join(words[1:3]), "/".join(words[3:])
    staging = target.with_name(f".{target.name}.hub")
    try:
        got = hf_hub_download(repository, file, repo_type="dataset", local_dir=staging)
    except LocalEntryNotFoundError as error:
        raise MirrorError(f"not reached ({reason(error)})", lasting=True) from error  # the library has tried again
    except HfHubHTTPError as error:
        raise MirrorError(reason(error), lasting=error.response.status_code < 500) from error
    except Exception as error:  # what breaks in the middle of a transfer depends on the library's transport
        raise MirrorError(reason(error), lasting=isinstance(error, ValueError)) from error
    os.replace(got, _part_path(target))
    shutil.rmtree(staging)
    _check(_part_path(target), raw, lasting=True)


def _download(url: str, raw: RawFile, target: Path) -> None:
    """Stream `url` to the part file, from where an earlier transfer of the same file ended, and check it."""
    part = _part_path(target)
    headers, start = _resume(url, raw, part)
    if not start or start != raw.bytes:
        try:
            with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
                start = _receive(response, url, raw, part, start=start)
        except requests.RequestException as error:
            raise MirrorError(reason(error), lasting=False) from error
        except OSError as error:
            raise InputError(f"{part}: not written ({error})") from error
    _check(part, raw, lasting=start == 0)


def _receive(response: requests.Response, url: str, raw: RawFile, part: Path, *, start: int) -> int:
    """Write the answer to the part file; the byte that it began at."""
    start = _accept(response, start=start, part=part)
    length = response.headers.get("Content-Length")
    total = None if length is None else start + int(length)
    if raw.bytes is not None and total not in (None, raw.bytes):
        raise MirrorError(f"offers {total} bytes, expected {raw.bytes}", lasting=True)
    _note_path(part).write_text(f"{url}\n{_validator(response)}")
    with (
        open(part, "ab" if start else "wb") as file,
        tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=raw.file, disable=None) as bar,
    ):
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            bar.update(len(chunk))
    if total is not None and part.stat().st_size != total:
        raise MirrorError(f"sent {part.stat().st_size} of {total} bytes", lasting=False)
    return start


def _check(part: Path, raw: RawFile, *, lasting: bool) -> None:
    """A bad part is thrown away; when it began with another transfer's bytes, the mirror deserves another chance."""
    wrong = integrity_error(part, raw)
    if wrong:
        _discard(part)
        raise MirrorError(wrong, lasting=lasting)


def _resume(url: str, raw: RawFile, part: Path) -> tuple[dict[str, str], int]:
    """The request's headers and the bytes already there; 0 where the part may be another file's.

    The server's own validator says that its file has not changed; without one a published checksum will tell.
    """
    headers = {"Accept-Encoding": "identity"}
    note = _note_path(part)
    if not part.is_file() or not note.is_file():
        return headers, 0
    source, _, validator = note.read_text().partition("\n")
    same = source == url and validator != ""
    start = part.stat().st_size
    if not start or not (same or raw.checksum) or (raw.bytes is not None and start > raw.bytes):
        return headers, 0
    headers["Range"] = f"bytes={start}-"
    if same:
        headers["If-Range"] = validator
    return headers, start


def _accept(response: requests.Response, *, start: int, part: Path) -> int:
    """The byte at which the answer begins: `start`, or 0 when the server sends the whole file."""
    if response.status_code == 206:
        if response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            return start
        _discard(part)
        raise MirrorError(f"sent the range {response.headers.get('Content-Range')}, asked for {start}-", lasting=False)
    if response.status_code == 416:
        _discard(part)
        raise MirrorError(f"has no bytes after {start}", lasting=False)
    if response.status_code != 200:
        passing = response.status_code >= 500 or response.status_code in (408, 425, 429)
        raise MirrorError(f"HTTP {response.status_code} {response.reason}", lasting=not passing)
    return 0


def _validator(response: requests.Response) -> str:
    """What If-Range takes: a strong ETag, or the time of the last change; empty without both."""
    etag = response.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")


def _part_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _note_path(part: Path) -> Path:
    """Beside the part file: the address that its bytes came from, and that answer's validator."""
    return part.with_name(f"{part.name}.source")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note_path(part).unlink(missing_ok=True)
