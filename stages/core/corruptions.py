"""The 15 corruptions of ModelNet40-C (Sun et al. 2022, arXiv 2201.12296) by name, and how splits are named after them.

A split `<corruption>_<severity>` holds corrupted copies of objects of the test split: as many as it has, or fewer that
are evenly spread over it.
"""

FAMILIES = {  # names are those of the published files
    "density": ("occlusion", "lidar", "density_inc", "density", "cutout"),
    "noise": ("uniform", "gaussian", "impulse", "upsampling", "background"),
    "transformation": ("rotation", "shear", "distortion", "distortion_rbf", "distortion_rbf_inv"),
}
CORRUPTIONS = tuple(name for names in FAMILIES.values() for name in names)
SEVERITIES = (1, 2, 3, 4, 5)


def split_of(corruption: str, severity: int) -> str:
    """The name of the split with corrupted copies of one kind."""
    return f"{corruption}_{severity}"


def kinds(splits: tuple[str, ...]) -> list[tuple[str, int]]:
    """Corruption and severity of those of `splits` that are named after one, in the order of the families."""
    named = [(corruption, severity) for corruption in CORRUPTIONS for severity in SEVERITIES]
    return [kind for kind in named if split_of(*kind) in splits]
