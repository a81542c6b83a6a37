"""Text, JSON, CSV and bytes, each written under a temporary name and renamed when it is complete."""

import csv
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stages.core.errors import InputError

MADE_BY_DVC = "run `dvc repro` to make it"


def write_csv(path: Path, columns: dict[str, Sequence]) -> None:
    """Write columns of one length under their names."""
    with complete_file(path) as temporary, temporary.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))


def write_json(path: Path, document: dict) -> None:
    """Write `document` as indented JSON with sorted keys; not-a-number is refused."""
    with complete_file(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write `text`."""
    with complete_file(path) as temporary:
        temporary.write_text(text)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content`."""
    with complete_file(path) as temporary:
        temporary.write_bytes(content)


def read_text(path: Path, *, hint: str = MADE_BY_DVC) -> str:
    """Read a text file; `hint` says in the error what to do where there is none."""
    must_exist(path, hint=hint)
    return path.read_text()


def read_bytes(path: Path, *, hint: str = MADE_BY_DVC) -> bytes:
    """Read a file as it is; `hint` as above."""
    must_exist(path, hint=hint)
    return path.read_bytes()


def read_json(path: Path) -> dict:
    """Read what `write_json` wrote."""
    must_exist(path)
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from error


@contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` when the block succeeds, remove it when it fails.

    A full disk or a folder that may not be written is an InputError.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({' '.join((error.strerror or str(error)).split())})") from error
    finally:
        if os.access(path.parent, os.W_OK):
            temporary.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_or_name(root: Path, value: str) -> str:
    """`sha256:` and the hash of the local file `value` below `root`, or `value` where there is no such file."""
    path = root / value
    return f"sha256:{sha256_of(path)}" if path.is_file() else value


def must_exist(path: Path, *, hint: str = MADE_BY_DVC) -> None:
    """InputError that ends on `hint` where there is no such file."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; {hint}")
