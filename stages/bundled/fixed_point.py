"""How the builders store coordinates: fixed point in HDF5, which `stages.datasets.bundled_files` reads."""

import h5py
import numpy as np


def write_fixed_point(group: h5py.Group, points: np.ndarray, *, scale: float, chunks: tuple[int, ...] | bool) -> None:
    """Store points [..., 3] as `points` of `group`, with the attribute `scale`: xyz = points * scale.

    They are i2 where these reach, else i4 with as many bits as the largest needs.
    """
    quantised = np.round(points / scale).astype(np.int64)
    if np.abs(quantised).max() <= np.iinfo(np.int16).max:
        packed = {"data": quantised.astype(np.int16), "compression": "gzip", "shuffle": True}
    else:
        packed = {"data": quantised.astype(np.int32), "scaleoffset": 0}
    group.create_dataset("points", chunks=chunks, **packed).attrs["scale"] = scale
