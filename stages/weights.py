"""Which weights every selected backbone has: `python -m stages.weights`.

Local files are known by their hash, so that replacing one reruns what depends on it, and nothing else.
"""

from pathlib import Path

from stages.artifacts.files import hash_or_name, write_json
from stages.artifacts.paths import Paths
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.core.errors import InputError

WATCHED = ("data/bundled", "data/weights")  # what dvc.yaml lists as dependencies of this stage


def main(*, params: Params | None = None, root: Path = Path()) -> None:
    """Write data/weights_used/<backbone>.json of every selected backbone: open_clip's names, or local files' hashes."""
    params, paths = params or load_params(root), Paths(root)
    for name in dict.fromkeys((*params.select.backbones, *params.select.segmentation_backbones)):
        entry = params.backbone_entry(name)
        named = {"architecture": entry.architecture, "pretrained": entry.pretrained}
        used = {key: _known_by(root, value, key=f"backbone.{name}.{key}") for key, value in named.items()}
        write_json(paths.weights_used(name), used)


def _known_by(root: Path, value: str, *, key: str) -> str:
    """`value` itself where it is a name of open_clip's, else the SHA-256 of the local file."""
    require_watched(root, value, key=key)
    return hash_or_name(root, value)


def require_watched(root: Path, value: str, *, key: str) -> None:
    """InputError where `value` is a local file outside the folders that DVC watches: a new one would rerun nothing."""
    path = root / value
    folders = [(root / folder).resolve() for folder in WATCHED]
    watched = any(path.resolve().is_relative_to(folder) or path.absolute().is_relative_to(folder) for folder in folders)
    if path.is_file() and not watched:
        raise InputError(f"params.yaml: {key}: {value}: expected a file below data/weights, which DVC watches")


if __name__ == "__main__":
    run_stage(main)
