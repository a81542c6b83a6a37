"""Archives from elsewhere, unpacked without trusting what they say about themselves."""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from stages.core.errors import InputError, one_line

SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar")
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError)
CHUNK = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What an archive may hold: so many members, and so many bytes in all and for each byte of its own."""

    members: int = 1_000_000
    total_bytes: int = 500 * 10**9
    ratio: float = 100.0
    free_bytes: int = 10**8  # below this no ratio is asked for: small text packs well


LIMITS = Limits()


def is_archive(path: Path) -> bool:
    """Whether `path` is named like an archive that can be unpacked."""
    return path.name.lower().endswith(SUFFIXES)


def is_readable(path: Path) -> bool:
    """Whether the content of `path` begins as an archive's does, whatever its name."""
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def stem(path: Path) -> str:
    """The name of an archive without its ending: the folder that it is unpacked to."""
    return path.name[: -len(next(suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)))]


def unpack(archive: Path, folder: Path, *, limits: Limits = LIMITS) -> None:
    """Unpack `archive` to `folder`, which appears, or is replaced, only when all of it is there.

    Raises InputError, naming the member, for one that leads outside the folder, is a link or device, stands twice, or
    breaks a limit. Bytes are counted as they come, whatever the headers say.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _write_members(archive, partial, limits)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except BROKEN as error:
        raise InputError(f"{archive}: not a readable archive ({one_line(error)})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@dataclass(frozen=True)
class _Member:
    name: str
    is_folder: bool
    is_file: bool
    content: IO[bytes] | None


def _write_members(archive: Path, folder: Path, limits: Limits) -> None:
    allowed = min(limits.total_bytes, max(limits.free_bytes, int(limits.ratio * archive.stat().st_size)))
    written, seen = 0, set()
    with _members(archive) as members:
        for count, member in enumerate(members, start=1):
            if count > limits.members:
                raise InputError(f"{archive}: more than {limits.members} members")
            target = folder / _checked_name(archive, member)
            if member.is_folder:
                target.mkdir(parents=True, exist_ok=True)
                continue
            if target in seen:
                raise InputError(f"{archive}: member '{member.name}' stands there twice")
            seen.add(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "xb") as file:
                while chunk := member.content.read(CHUNK):
                    written += len(chunk)
                    if written > allowed:
                        raise InputError(f"{archive}: member '{member.name}' exceeds {allowed} bytes unpacked in all")
                    file.write(chunk)


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            yield _zip_members(file)
    else:
        with tarfile.open(archive, "r:*") as file:
            yield _tar_members(file)


def _zip_members(file: zipfile.ZipFile) -> Iterator[_Member]:
    for info in file.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir() or kind not in (0, stat.S_IFREG):
            yield _Member(info.filename, info.is_dir() and kind in (0, stat.S_IFDIR), False, None)
        else:
            with file.open(info) as content:
                yield _Member(info.filename, False, True, content)


def _tar_members(file: tarfile.TarFile) -> Iterator[_Member]:
    for info in file:
        content = file.extractfile(info) if info.isreg() else None
        yield _Member(info.name, info.isdir(), info.isreg(), content)


def _checked_name(archive: Path, member: _Member) -> PurePosixPath:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name or "\0" in member.name:
        raise InputError(f"{archive}: member '{member.name}' leads outside the folder")
    if not (member.is_folder or member.is_file):
        raise InputError(f"{archive}: member '{member.name}' is a link or device, expected plain files")
    if member.is_file and not name.parts:
        raise InputError(f"{archive}: a member without a name")
    return name
