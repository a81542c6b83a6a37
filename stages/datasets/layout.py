"""The folders and text files that raw datasets are laid out in, found and read with one-line errors."""

from pathlib import Path

from stages.core.errors import InputError

IGNORED = ("__MACOSX",)


def find_folder(path: Path, marker: str) -> Path:
    """The folder that has the file or folder `marker`: `path`, or the only such one below it, as archives unpack."""
    if not path.is_dir():
        raise InputError(f"{path}: not a folder, expected one with {marker}")
    if (path / marker).exists():
        return path
    folders = sorted({place.parent for place in path.rglob(marker) if not set(place.parts) & set(IGNORED)})
    if len(folders) != 1:
        listed = ", ".join(map(str, folders)) or "there is none"
        raise InputError(f"{path}: expected one folder with {marker}, found: {listed}")
    return folders[0]


def subfolders(path: Path) -> list[Path]:
    """The folders in `path` by name, without hidden ones."""
    return sorted(entry for entry in _visible(path) if entry.is_dir())


def files_below(path: Path, *suffixes: str) -> list[Path]:
    """The files whose names end in one of `suffixes` anywhere below `path`, by their relative path, no hidden ones."""
    below = []
    for entry in _visible(path):
        if entry.is_dir():
            below += files_below(entry, *suffixes)
        elif entry.name.lower().endswith(suffixes):
            below.append(entry)
    return sorted(below, key=lambda file: file.relative_to(path).parts)


def read_text(path: Path) -> str:
    """The text of a raw file; InputError when it is missing or not UTF-8."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8") from error


def read_names(path: Path) -> tuple[str, ...]:
    """The names in a list file, one a line; InputError when there is none or one stands twice."""
    names = tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
    if not names:
        raise InputError(f"{path}: empty, expected one name a line")
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else ()
    if twice:
        raise InputError(f"{path}: '{twice[0]}' stands there more than once")
    return names


def class_index(name: str, classes: tuple[str, ...], *, source: str) -> int:
    """The position of `name` in `classes`; InputError that names `source` and the class when it is not there."""
    if name not in classes:
        raise InputError(f"{source}: class '{name}' is not among the class names")
    return classes.index(name)


def _visible(path: Path) -> list[Path]:
    return [entry for entry in path.iterdir() if not entry.name.startswith(".") and entry.name not in IGNORED]
