"""data/archives.lock: length and SHA-256 of every fetched file for which params.yaml has no checksum.

The first fetch is taken as it comes, the next ones must give the same file. The lock belongs in git.
"""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

from pydantic_core import to_jsonable_python

from stages.config.dataset import RawFile
from stages.core.yaml import load_yaml

LOCK = Path("data/archives.lock")


def locked(raw: RawFile, folder: str, *, root: Path) -> RawFile:
    """`raw` of data/raw/`folder` as an earlier fetch found it, if params.yaml has no checksum and no other length."""
    entry = _read(root / LOCK).get(f"{folder}/{raw.file}")
    if raw.checksum is not None or entry is None or raw.bytes not in (None, entry.bytes):
        return raw
    return replace(raw, bytes=entry.bytes, checksum=entry.checksum)


def write_lock(raw: RawFile, folder: str, fetched: Path, *, root: Path) -> None:
    """Note what `fetched` is, where params.yaml does not say it."""
    if raw.checksum is not None:
        return
    with fetched.open("rb") as file:
        checksum = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    entry = replace(raw, mirrors=(), bytes=fetched.stat().st_size, checksum=checksum)
    entries = _read(root / LOCK) | {f"{folder}/{raw.file}": entry}
    partial = (root / LOCK).with_name(f".{LOCK.name}.partial")
    partial.write_text(json.dumps(to_jsonable_python(entries), indent=2, sort_keys=True) + "\n")
    os.replace(partial, root / LOCK)


def _read(path: Path) -> dict[str, RawFile]:
    return load_yaml(path.read_text(), dict[str, RawFile], source=str(path)) if path.is_file() else {}
