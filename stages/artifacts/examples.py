"""data/examples.h5: depth maps of a few objects and the smoothing kernels, for the report's pictures."""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.checks import expect
from stages.artifacts.depth import from_bytes, to_bytes
from stages.artifacts.hdf5 import append_rows, new_h5, open_h5, read_array
from stages.artifacts.packing import DEPTH_MAPS


@dataclass(frozen=True)
class Sheet:
    """Depth maps f4 [n, V, R, R] in 0..1 of some objects, and the class of each [n]."""

    depth: np.ndarray
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Kernel:
    """Weights f4 [W, W] of one slice, and f4 [D, 2]: a distance in sigmas and the weight there over that at 0."""

    weights: np.ndarray
    profile: np.ndarray


@dataclass(frozen=True)
class Examples:
    """A sheet per dataset; one view f4 [m, R, R] of the first sheet's first m objects per projection; the kernels."""

    sheets: dict[str, Sheet]
    projections: dict[str, np.ndarray]
    kernels: dict[str, Kernel]


def write_examples(path: Path, examples: Examples) -> None:
    """Write the examples; depth maps are stored as whole bytes (1/255 steps)."""
    order = {name: list(getattr(examples, name)) for name in ("sheets", "projections", "kernels")}
    with new_h5(path, classes=(), order=order) as file:
        for name, sheet in examples.sheets.items():
            expect(path, f"sheets/{name}", sheet.depth, "f4", (len(sheet.classes), None, None, None))
            append_rows(file.require_group("sheets"), name, to_bytes(sheet.depth), level=DEPTH_MAPS)
            file[f"sheets/{name}"].attrs["classes"] = json.dumps(sheet.classes)
        for name, maps in examples.projections.items():
            expect(path, f"projections/{name}", maps, "f4", (None, None, None))
            append_rows(file.require_group("projections"), name, to_bytes(maps), level=DEPTH_MAPS)
        for name, kernel in examples.kernels.items():
            expect(path, f"kernels/{name}/weights", kernel.weights, "f4", (None, None))
            expect(path, f"kernels/{name}/profile", kernel.profile, "f4", (None, 2))
            file[f"kernels/{name}/weights"] = kernel.weights
            file[f"kernels/{name}/profile"] = kernel.profile


def read_examples(path: Path) -> Examples:
    """Read what `write_examples` wrote, in the order it was given."""
    with open_h5(path) as file:
        order = json.loads(file.attrs["order"])
        return Examples(
            {
                name: Sheet(
                    _read_maps(path, file, f"sheets/{name}"), tuple(json.loads(file[f"sheets/{name}"].attrs["classes"]))
                )
                for name in order["sheets"]
            },
            {name: _read_maps(path, file, f"projections/{name}") for name in order["projections"]},
            {
                name: Kernel(
                    *(read_array(path, file, f"kernels/{name}/{part}", "f4") for part in ("weights", "profile"))
                )
                for name in order["kernels"]
            },
        )


def _read_maps(path: Path, file: h5py.File, key: str) -> np.ndarray:
    return from_bytes(read_array(path, file, key, "u1"))
