"""Archives from elsewhere, unpacked without trusting what they say about themselves."""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stages.core.errors import InputError, one_line

SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar")
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError)


@dataclass(frozen=True)
class Limits:
    """What an archive may hold: so many members, and so many bytes in all and for each byte of its own."""

    members: int = 1_000_000
    total_bytes: int = 500 * 10**9
    ratio: float = 100.0
    free_bytes: int = 10**8  # below this no ratio is asked for: small text packs well


LIMITS = Limits()
# Python 3.11 has filters from 3.11.4 on; `_check_members` looks at all that they look at.
TAR_OPTIONS = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


@dataclass(frozen=True)
class Member:
    """What an archive says of a member: more bytes than `size` are never unpacked from it."""

    name: str
    is_folder: bool
    is_file: bool
    size: int


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
    breaks a limit; all members are looked at before the first is written.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                _check_members(archive, map(_zip_member, file.infolist()), limits)
                file.extractall(partial)
        else:
            with tarfile.open(archive, "r:*") as file:
                _check_members(archive, map(_tar_member, file), limits)
                file.extractall(partial, **TAR_OPTIONS)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except BROKEN as error:
        raise InputError(f"{archive}: not a readable archive ({one_line(error)})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_members(archive: Path, members: Iterator[Member], limits: Limits) -> None:
    allowed = min(limits.total_bytes, max(limits.free_bytes, int(limits.ratio * archive.stat().st_size)))
    total, seen = 0, set()
    for count, member in enumerate(members, start=1):
        if count > limits.members:
            raise InputError(f"{archive}: more than {limits.members} members")
        total += member.size
        if total > allowed:
            raise InputError(f"{archive}: member '{member.name}' exceeds {allowed} bytes unpacked in all")
        name = _checked_name(archive, member)
        if member.is_file and name in seen:
            raise InputError(f"{archive}: member '{member.name}' stands there twice")
        seen.add(name)


def _zip_member(info: zipfile.ZipInfo) -> Member:
    kind = stat.S_IFMT(info.external_attr >> 16)
    is_folder = info.is_dir() and kind in (0, stat.S_IFDIR)
    return Member(info.orig_filename, is_folder, not info.is_dir() and kind in (0, stat.S_IFREG), info.file_size)


def _tar_member(info: tarfile.TarInfo) -> Member:
    return Member(info.name, info.isdir(), info.isreg(), info.size)


def _checked_name(archive: Path, member: Member) -> PurePosixPath:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name or "\0" in member.name:
        raise InputError(f"{archive}: member '{member.name}' leads outside the folder")
    if not (member.is_folder or member.is_file):
        raise InputError(f"{archive}: member '{member.name}' is a link or device, expected plain files")
    if member.is_file and not name.parts:
        raise InputError(f"{archive}: a member without a name")
    return name
