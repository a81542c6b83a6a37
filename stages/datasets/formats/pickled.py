"""Numpy's files of one pickled dictionary of arrays, read without running code that a pickle may hold.

numpy.load has no such way: with allow_pickle it calls whatever the file names.
"""

import io
import pickle

import numpy as np

from stages.core.errors import one_line
from stages.datasets.formats.geometry import FormatError

ALLOWED = {  # what pickles of arrays and numbers are made of, by the module's last name
    ("multiarray", "_reconstruct"),
    ("multiarray", "scalar"),
    ("numeric", "_frombuffer"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


def read_dictionary(content: bytes) -> dict:
    """The dictionary of a `.npy` file that holds one; FormatError where it holds anything but arrays, numbers, text."""
    stream = io.BytesIO(content)
    try:
        headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = headers[np.lib.format.read_magic(stream)](stream)
        if shape != () or dtype.kind != "O":
            raise FormatError(f"{dtype} {list(shape)}, expected one pickled dictionary")
        values = _Unpickler(stream).load()
    except FormatError:
        raise
    except Exception as error:  # a damaged pickle fails in any way
        raise FormatError(f"not a pickled dictionary of arrays ({one_line(error)[:200]})") from error
    found = values.item() if isinstance(values, np.ndarray) and values.shape == () else values
    if not isinstance(found, dict):
        raise FormatError(f"a pickled {type(found).__name__}, expected a dictionary")
    return found


class _Unpickler(pickle.Unpickler):
    """Makes arrays, numbers, text and containers of them, and nothing else."""

    def find_class(self, module: str, name: str):
        if module.split(".")[0] not in ("numpy", "_codecs") or (module.split(".")[-1], name) not in ALLOWED:
            raise FormatError(f"its pickle asks for {module}.{name}, which may run code")
        return super().find_class(module, name)
