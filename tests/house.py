"""What the tests know of the house: who imports whom, and which sections of params.yaml a stage reads.

`python tests/house.py` writes into dvc.yaml the code that every stage depends on, as its imports reach it.
"""

import ast
import re
from functools import cache
from pathlib import Path

import yaml

SCIENCE = (
    "datasets",
    "projection",
    "language",
    "backbones",
    "pretraining",
    "zeroshot",
    "fewshot",
    "segmentation",
    "detection",
    "reporting",
)
FOUNDATION = ("settings", "artifacts", "errors", "root")
COMMANDS = ("classify", "keep", "paper", "sweep")  # modules of stages/ that a person runs and the DAG does not


def stage_names(root: Path) -> list[str]:
    """The stage modules below `root`/stages: all modules there but the foundation and the commands."""
    return sorted(
        path.stem for path in (root / "stages").glob("*.py") if path.stem not in (*FOUNDATION, *COMMANDS, "__init__")
    )


def imported_modules(path: Path) -> list[tuple[str, str | None]]:
    """(module, name taken from it or None) for every import statement anywhere in the file."""
    return _imports_in(path.read_text())


@cache
def _imports_in(source: str) -> list[tuple[str, str | None]]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.module, alias.name) for alias in node.names]
    return found


def project_imports(root: Path, path: Path) -> set[Path]:
    """Files of the project that `path` imports, with the packages they lie in; relative to `root`."""
    files = set()
    for module, name in imported_modules(path):
        if module.split(".")[0] == "stages":
            files |= _files_of(root, module) | (_files_of(root, f"{module}.{name}") if name else set())
    return files


def transitive_imports(root: Path, path: Path) -> set[Path]:
    """`project_imports` of `path` and of everything that it reaches, without `path` itself."""
    reached, waiting = set(), [path.relative_to(root)]
    while waiting:
        new = project_imports(root, root / waiting.pop()) - reached
        reached |= new
        waiting += new
    return reached - {path.relative_to(root)}


def third_party_imports(root: Path, path: Path) -> set[str]:
    """Top-level names of the packages that importing `path` brings in, through the project's own modules."""
    files = transitive_imports(root, path) | {path.relative_to(root)}
    return {module.split(".")[0] for file in files for module, _ in imported_modules(root / file)} - {"stages"}


def sections_read(path: Path) -> set[str]:
    """Sections of params.yaml that a stage module reads: attributes of its `params`, the entries by name, or all."""
    source = path.read_text()
    if "settings.as_yaml(params)" in source:
        return set(yaml.safe_load((path.parents[1] / "params.yaml").read_text()))
    attributes = {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "params"
    }
    return {name.removesuffix("_entry") for name in attributes}


def stages_of(root: Path) -> dict[str, dict]:
    """The stages of dvc.yaml."""
    return yaml.safe_load((root / "dvc.yaml").read_text())["stages"]


def param_sections(stage: dict) -> set[str]:
    """First words of a stage's `params`."""
    return {param.split(".")[0] for param in stage.get("params") or []}


def _files_of(root: Path, module: str) -> set[Path]:
    """The file of `module`, when it is one of the project's, and every package's __init__ on the way to it."""
    parts = module.split(".")
    candidates = [Path(*parts[:n]) / "__init__.py" for n in range(1, len(parts) + 1)] + [
        Path(*parts).with_suffix(".py")
    ]
    exists = (root / candidates[-1]).is_file() or (root / candidates[-2]).is_file()
    return {candidate for candidate in candidates if exists and (root / candidate).is_file()}


def needed_files(root: Path, stage: str) -> set[Path]:
    """The stage's module and every file of the project that it imports; empty when there is no such module."""
    module = root / f"stages/{stage}.py"
    if not module.is_file():
        return set()
    return transitive_imports(root, module) | {module.relative_to(root)}


def with_code_deps(root: Path) -> str:
    """The text of dvc.yaml with each stage's `.py` deps replaced by what it needs; all else stays as written."""
    blocks = re.split(r"(?m)^(?=  \w+:$)", (root / "dvc.yaml").read_text())
    for i, block in enumerate(blocks[1:], start=1):
        stage = block.split(":")[0].strip()
        before, deps, after = re.fullmatch(r"(.*    deps:\n)((?:      - [^\n]*\n)*)(.*)", block, re.DOTALL).groups()
        data = [line for line in deps.splitlines() if not line.endswith(".py")]
        code = [f"      - {path.as_posix()}" for path in needed_files(root, stage)]
        blocks[i] = before + "\n".join(sorted([*data, *code])) + "\n" + after
    return "".join(blocks)


if __name__ == "__main__":
    project = Path(__file__).parents[1]
    (project / "dvc.yaml").write_text(with_code_deps(project))
