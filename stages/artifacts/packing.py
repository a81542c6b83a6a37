"""How arrays lie in an HDF5 file: packed by Zstandard on every core, or as they are. README.md has the measurements.

A packed array has one sample a chunk, and chunks follow HDF5's registered filters, shuffle and Zstandard, so that other
programs read them with the package hdf5plugin. Here whole chunks are written and read, because HDF5 itself packs one
after the other.
"""

import struct
import zlib
from typing import NamedTuple

import h5py
import numpy as np
import pyarrow as pa

from stages.core.threads import map_in_threads

# Levels of Zstandard; None: the array is stored as it is.
DEPTH_MAPS, PIXELS, VISIBILITY, PARTS = -3, 1, 1, 1
PATCH_FEATURES = LABELS = None

ZSTANDARD = 32015  # as registered with the HDF Group
# Behind a chunk's data stands a frame that readers of Zstandard pass over: the CRC-32 of the data.
CHECKSUM = struct.Struct("<III")
SKIPPABLE, CHECKSUM_BYTES = 0x184D2A50, 4


def create_packed(group: h5py.Group, key: str, *, shape: tuple[int, ...], dtype: np.dtype, level: int) -> h5py.Dataset:
    """An empty array of samples of a `shape` and a `dtype`; numbers of several bytes are shuffled first."""
    return group.create_dataset(
        key,
        (0, *shape),
        dtype,
        maxshape=(None, *shape),
        chunks=(1, *shape),
        shuffle=dtype.itemsize > 1,
        compression=ZSTANDARD,
        compression_opts=(level % 2**32,),  # HDF5 keeps whole numbers without a sign
        allow_unknown_filter=True,
    )


def is_packed(dataset: h5py.Dataset) -> bool:
    """Whether the samples of a dataset are packed by Zstandard."""
    return dataset.id.get_create_plist().get_filter_by_id(ZSTANDARD) is not None


class Packed(NamedTuple):
    """Samples as a file has them, a chunk each."""

    chunks: list[bytes]
    shape: tuple[int, ...]
    dtype: np.dtype


def pack(rows: np.ndarray, *, level: int, threads: int | None = None) -> Packed:
    """Pack `rows` on `threads`, every core when None."""
    chunks = map_in_threads(lambda n: _pack(rows[n], level), len(rows), threads=threads)
    return Packed(chunks, rows.shape, rows.dtype)


def write_packed(dataset: h5py.Dataset, first: int, rows: Packed) -> None:
    """Write `rows` from sample `first` on."""
    identifier, rest = dataset.id, (0,) * (len(rows.shape) - 1)
    for n, chunk in enumerate(rows.chunks, first):
        identifier.write_direct_chunk((n, *rest), chunk)


def read_packed(dataset: h5py.Dataset, rows: slice | np.ndarray) -> np.ndarray:
    """Samples `rows`, a slice or indices; OSError where a chunk is damaged."""
    samples = np.arange(len(dataset))[rows]
    values = np.empty((len(samples), *dataset.shape[1:]), dataset.dtype)
    identifier, rest = dataset.id, (0,) * (values.ndim - 1)

    def read(n: int) -> None:
        _unpack(identifier.read_direct_chunk((samples[n], *rest))[1], values[n])

    map_in_threads(read, len(samples))
    return values


def _pack(sample: np.ndarray, level: int) -> bytes:
    by_byte = np.ascontiguousarray(_bytes(np.ascontiguousarray(sample)).T)
    data = pa.Codec("zstd", compression_level=level).compress(memoryview(by_byte).cast("B"), asbytes=True)
    return data + CHECKSUM.pack(SKIPPABLE, CHECKSUM_BYTES, zlib.crc32(data))


def _unpack(chunk: bytes, sample: np.ndarray) -> None:
    """Write what `_pack` made a chunk of into `sample`."""
    data, checksum = chunk[: -CHECKSUM.size], chunk[-CHECKSUM.size :]
    if checksum != CHECKSUM.pack(SKIPPABLE, CHECKSUM_BYTES, zlib.crc32(data)):
        raise OSError("checksum of a chunk differs")
    by_byte = np.frombuffer(pa.Codec("zstd").decompress(data, sample.nbytes), np.uint8)
    _bytes(sample)[:] = by_byte.reshape(sample.itemsize, -1).T


def _bytes(sample: np.ndarray) -> np.ndarray:
    """The bytes u1 [numbers, bytes of a number] of a sample, in its own memory."""
    return sample.reshape(-1).view(np.uint8).reshape(-1, sample.itemsize)
