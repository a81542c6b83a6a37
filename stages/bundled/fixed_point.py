"""How the builders store coordinates: 16-bit fixed point in HDF5, which `stages.datasets.bundled_files` reads."""

import h5py
import numpy as np


def write_fixed_point(group: h5py.Group, points: np.ndarray, *, scale: float, chunks: tuple[int, ...] | None) -> None:
    """Store points [..., 3] as `points` i2 of `group`, with the attribute `scale`: xyz = points * scale."""
    quantised = np.round(points / scale)
    assert np.abs(quantised).max() <= np.iinfo(np.int16).max, "coordinates beyond the range of the scale"
    stored = group.create_dataset(
        "points", data=quantised.astype(np.int16), chunks=chunks or True, compression="gzip", shuffle=True
    )
    stored.attrs["scale"] = scale
