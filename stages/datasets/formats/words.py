"""Bytes of a text file in any of the encodings that tools write."""

import codecs
from collections.abc import Sequence

import numpy as np

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def numbers(lines: Sequence[str] | Sequence[bytes], columns: Sequence[int]) -> np.ndarray:
    """The given columns of rows of words as f8 [lines, columns]; ValueError for a row without them, or other words."""
    if not len(lines):
        return np.empty((0, len(columns)))
    return np.loadtxt(lines, usecols=columns, ndmin=2, comments=None)


def decode(content: bytes) -> str:
    """The text: by its byte order mark, else UTF-16 where every other byte is 0, else UTF-8, else Latin-1."""
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    start = content[:512]
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(start) > 3 and not any(start[offset::2]) and any(start[1 - offset :: 2]):
            return content.decode(encoding, errors="replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")
