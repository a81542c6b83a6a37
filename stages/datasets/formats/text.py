"""Text tables of points, a point a row: parsed by pyarrow after a look at separators, header and decimal sign."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from stages.datasets.formats.geometry import FormatError, Geometry
from stages.datasets.formats.words import decode, numbers

LOOKED_AT, BEGINNING = 200, 100_000  # lines and characters from which the layout is told
WIDEST = 256  # columns of a table
NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?|[-+]?(nan|inf|infinity)"
DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?|[-+]?\d+")
AXIS = re.compile(r"(?:coord|pos|position|point|points|p)?[_:. ]?([xyz012])(?:[\s(\[_].*)?", re.IGNORECASE)
COMMENT = re.compile(r"\s*(?:#|//|;|!)([^\n]*)\n?")
LANDMARKS = re.compile(r"\s*version:\s*\d+\s+n_points:\s*\d+", re.IGNORECASE)
MISSING = ["", "nan", "NaN", "NAN", "-nan", "-NaN", "nan(ind)", "-nan(ind)", "null", "NULL", "NA", "N/A"]
MISSING += ["1.#QNAN", "-1.#QNAN", "1.#IND", "-1.#IND", "1.#INF", "-1.#INF", "1.#QNAN0", "-1.#IND00", "1.#INF00"]
PTX_HEADER = 10  # lines: columns, rows, scanner's place, its three axes, four rows of the matrix


def read(content: bytes, path: Path) -> Geometry:
    """The points of a table; x, y and z by its header, else the first three columns of numbers that are no index."""
    table, header, guessed, dropped = _table(content)
    columns, more = _xyz(table, header)
    return Geometry(table[:, columns], guessed=(*guessed, *more), dropped=dropped)


def read_columns(content: bytes) -> np.ndarray:
    """All columns of numbers f8 [P, 3 or more], as they are."""
    return _table(content)[0]


def read_ptx(content: bytes, path: Path) -> Geometry:
    """Leica's scans, each a grid of points with 0 0 0 where nothing came back, turned by its matrix [4, 4]."""
    lines, clouds, missing, place = decode(content).split("\n"), [], 0, 0
    lines = [line for line in lines if line.strip()]
    while place < len(lines):
        if len(lines) < place + PTX_HEADER:
            raise FormatError(f"its header ends after {len(lines) - place} lines, expected {PTX_HEADER}")
        columns, rows = int(lines[place]), int(lines[place + 1])
        matrix = np.array([line.split() for line in lines[place + 6 : place + PTX_HEADER]], np.float64)
        body = lines[place + PTX_HEADER : place + PTX_HEADER + columns * rows]
        if matrix.shape != (4, 4) or columns < 1 or rows < 1:
            raise FormatError("expected columns, rows, four axes and a matrix of four rows")
        if len(body) < columns * rows:
            raise FormatError(f"holds {len(body)} points, its header says {columns} x {rows}")
        points = numbers(body, (0, 1, 2))
        seen = points.any(axis=1)
        clouds.append(points[seen] @ matrix[:3, :3] + matrix[3, :3])
        missing += int((~seen).sum())
        place += PTX_HEADER + columns * rows
    if not clouds or not sum(map(len, clouds)):
        raise FormatError("holds no point")
    found = Geometry(np.concatenate(clouds))
    return found.noted(dropped=f"{missing} points at 0 0 0, where nothing came back") if missing else found


def _table(content: bytes) -> tuple[np.ndarray, list[str] | None, tuple[str, ...], tuple[str, ...]]:
    """The columns of numbers f8 [P, 3 or more], their names if there is a header, what was guessed and dropped."""
    text = decode(content)
    if LANDMARKS.match(text):
        raise FormatError("landmarks of a picture (ibug), two coordinates a point")
    text = re.sub(r"\r\n?", "\n", text)
    comments, text = _without_comments(text)
    text, count = _without_count(text)
    sample = [line for line in text[:BEGINNING].split("\n", LOOKED_AT)[:LOOKED_AT] if line.strip()]
    sample = sample[:-1] if len(text) > BEGINNING and len(sample) > 1 else sample  # the last one may be cut
    if not sample:
        raise FormatError("empty, expected one point a line")
    separator, decimal = _layout(sample)
    text = _tidied(text, separator)
    header = _names(text.partition("\n")[0], separator, decimal) or _names(comments, separator, decimal)
    skipped = _is_header(text.partition("\n")[0], separator, decimal)
    table, columns, numeric, dropped = _parsed(text, separator, decimal, skip=skipped)
    if count is not None and count != len(table):
        raise FormatError(f"holds {len(table)} points, its first line says {count}")
    guessed = ("commas are decimal signs",) if decimal == "," else ()
    header = [header[column] for column in numeric] if header is not None and len(header) == columns else None
    return table, header, guessed, dropped


def _without_comments(text: str) -> tuple[str, str]:
    """The last comment line before the points, where a header may stand, and the text without comments."""
    last, start = "", 0
    while (match := COMMENT.match(text, start)) is not None:
        last, start = match[1].strip() or last, match.end()
    text = text[start:]
    return last, re.sub(r"(^|[ \t]+)(#|//)[^\n]*", "", text, flags=re.MULTILINE) if re.search("#|//", text) else text


def _without_count(text: str) -> tuple[str, int | None]:
    """The text without a first line that has the number of points alone, and that number."""
    first, _, rest = text.lstrip().partition("\n")
    if re.fullmatch(r"\d+", first.strip()) and rest.strip():
        return rest, int(first)
    return text, None


def _layout(sample: list[str]) -> tuple[str, str]:
    """Separator and decimal sign: a semicolon or tab where there is one, commas, or any blanks."""
    rows = sample[1:] or sample
    words = [line.replace(";", " ").split() for line in rows]
    if all(len(row) >= 3 and all(DECIMAL_COMMA.fullmatch(word) for word in row[:3]) for row in words) and any(
        "," in row[0] for row in words
    ):
        return (";" if all(";" in line for line in rows) else " "), ","
    if all(";" in line for line in rows):
        return ";", "."
    return ("," if any("," in line for line in rows) else " "), "."


def _tidied(text: str, separator: str) -> str:
    """The text with one sign between two values, and without single quotes."""
    text = text.replace("'", "")
    if separator == ";":
        text = re.sub(r"[ \t]*;[ \t]*", ";", text)
        return re.sub(r";$", "", text, flags=re.MULTILINE)
    blanks = r"[ \t]*,[ \t]*|[ \t]+" if separator == "," else r"[ \t]+"
    text = re.sub(r"^[ \t]+|[ \t]+$", "", text, flags=re.MULTILINE)
    return re.sub(blanks, separator, text)


def _words(line: str, separator: str) -> list[str]:
    return [word.strip().strip("\"'").strip() for word in line.split(separator)]


def _is_header(line: str, separator: str, decimal: str) -> bool:
    """Whether a line has no number where three are expected."""
    words = [word.replace(decimal, ".") for word in _words(line, separator)]
    numbers = sum(word in MISSING or bool(re.fullmatch(NUMBER, word, re.IGNORECASE)) for word in words)
    return numbers < min(3, len(words))


def _names(line: str, separator: str, decimal: str) -> list[str] | None:
    """The names in a header line, however they are parted; None where it is none."""
    for sign in (separator, ";", ",", "\t", " "):
        words = [word for word in _words(line, sign) if word or sign != " "]
        if len(words) >= 3 and _is_header(line, sign, decimal):
            return words
    return None


def _parsed(
    text: str, separator: str, decimal: str, *, skip: bool
) -> tuple[np.ndarray, int, list[int], tuple[str, ...]]:
    """The columns of numbers, how many columns there are, which have numbers, and what was dropped."""
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(text.encode() + b"\n"),
            pyarrow.csv.ReadOptions(autogenerate_column_names=True, skip_rows=int(skip), use_threads=False),
            pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=False),
            pyarrow.csv.ConvertOptions(decimal_point=decimal, null_values=MISSING),
        )
    except pa.ArrowInvalid as error:
        raise FormatError(f"expected numbers, x y z a line ({error})") from error
    if table.num_columns > WIDEST or (table.num_rows == 1 and table.num_columns > 12):
        raise FormatError(f"{table.num_columns} columns, expected numbers, x y z a line")
    chosen = [n for n, kind in enumerate(table.schema.types) if pa.types.is_floating(kind) or pa.types.is_integer(kind)]
    if len(chosen) < 3:
        raise FormatError(f"{len(chosen)} columns of numbers, expected numbers, x y z a line")
    words = sum(pa.types.is_string(kind) or pa.types.is_boolean(kind) for kind in table.schema.types)
    values = np.stack([table.column(n).to_numpy().astype(np.float64) for n in chosen], axis=1)
    dropped = (f"columns of words: {words}",) if words else ()
    return values, table.num_columns, chosen, dropped


def _xyz(table: np.ndarray, header: list[str] | None) -> tuple[list[int], tuple[str, ...]]:
    """The columns of x, y and z, and what was guessed about them."""
    if header is not None:
        named = [match[1].lower() if (match := AXIS.fullmatch(name)) else None for name in header]
        for axes in ("xyz", "012"):
            if all(named.count(axis) == 1 for axis in axes):
                return [named.index(axis) for axis in axes], ()
    if table.shape[1] > 3 and _counts(table[:, 0]) and not (table[:, 1:4] % 1 == 0).all():
        return [1, 2, 3], ("the first column counts the rows, x y z follow",)
    return [0, 1, 2], ()


def _counts(column: np.ndarray) -> bool:
    """Whether the values are whole numbers, each above the one before: the number of a row, not a coordinate."""
    return len(column) > 2 and bool((column % 1 == 0).all() and (np.diff(column) > 0).all())
