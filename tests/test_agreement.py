"""dvc.yaml, params.yaml and the code agree, and the house's order holds; each rule is also seen to fail when broken."""

import ast
import re
import shutil
from pathlib import Path

import pytest
import yaml

from stages.commands import dag

ROOT = Path(__file__).parents[1]
# Who may import whom: a package imports those of lower numbers, and of its own number only itself.
LAYERS = {
    "core": 0,
    "config": 1,
    "artifacts": 2,
    "datasets.formats": 3,
    "datasets": 4,
    "geometry": 3,
    "projection": 3,
    "language.prompts": 3,
    "language.llm": 4,
    "backbones": 4,
    "zeroshot": 5,
    "retrieval": 5,
    "prompt_search": 6,
    "fewshot": 7,
    "segmentation": 7,
    "detection": 7,
    "reporting": 8,
    "engine": 8,
    "own": 8,
    "page": 9,
    "commands": 10,
    "bundled": 10,
}
STAGE = 9  # a module of the DAG
SCIENCE = [name for name, layer in LAYERS.items() if 3 <= layer <= 7]
WITHOUT_TORCH = ("artifacts", "config", "core", "datasets", "language.prompts", "language.llm", "reporting")
SHAPES = ("stages.artifacts.types", "stages.artifacts.figures")  # what of the artifacts science may use
ENVIRONMENT = (("os", "environ"), ("os", "getenv"))
LONGEST_FILE, LONGEST_ROOM, LONGEST_STAGE, LONGEST_DAG = 400, 3000, 110, 320  # lines
UNBOUNDED = "bundled"  # the room that made the bundled data, which nobody else imports


def stages_of(root):
    """The stages of dvc.yaml."""
    return yaml.safe_load((root / "dvc.yaml").read_text())["stages"]


def stage_names(root):
    """Modules of the DAG."""
    return {path.stem for path in (root / "stages").glob("*.py")} - {"__init__"}


def room_of(path):
    """The package of a file below stages/, as LAYERS names it; None for a module of the DAG."""
    parts = Path(path).parts[1:-1]
    return next((".".join(parts[:n]) for n in (2, 1) if ".".join(parts[:n]) in LAYERS), None) if parts else None


def layer_of(path):
    """The layer of a file below stages/."""
    return STAGE if room_of(path) is None else LAYERS[room_of(path)]


def files_of(root):
    """Every Python file below stages/, relative to `root`."""
    return sorted(path.relative_to(root) for path in (root / "stages").rglob("*.py"))


def stale_dependencies(root):
    """Stages whose code dependencies are not what `python -m stages.commands.dag` would write."""
    text = (root / "dvc.yaml").read_text()
    written = yaml.safe_load(dag.with_code_dependencies(text, root=root))["stages"]
    return [name for name, stage in stages_of(root).items() if stage["deps"] != written[name]["deps"]]


def wrong_params(root):
    """Stages whose params are not the sections that the code reads."""
    return {
        name: (sorted(read), sorted(listed))
        for name, stage in stages_of(root).items()
        if (read := dag.sections_read(root, dag.module_of(stage["cmd"])))
        != (listed := {param.split(".")[0] for param in stage.get("params") or []})
    }


def forbidden_keys(root):
    """Keys of params.yaml that DVC's run cache does not see, and ids that its templates do not take."""
    document = yaml.safe_load((root / "params.yaml").read_text())
    hidden = [path for path in _key_paths(document) if path.split(".")[-1] in ("size", "nfiles")]
    ids = [*document["dataset"], *document["backbone"]]
    return hidden + [name for name in ids if not re.fullmatch(r"[a-z0-9_]+", name)]


def unnamed_stages(root):
    """Stage modules without a stage in dvc.yaml, and stages without a module or with another one."""
    commands = {name: stage["cmd"].split()[2] for name, stage in stages_of(root).items() if not stage.get("frozen")}
    wrong = {name for name, module in commands.items() if module != f"stages.{name}"}
    return wrong | (set(commands) ^ stage_names(root))


def upward_imports(root):
    """Imports of a higher layer, or of another package of the same one."""
    return [
        f"{path} imports {other}"
        for path in files_of(root)
        for other in sorted(dag.imported_files(root, path))
        if layer_of(other) > layer_of(path)
        or (layer_of(other) == layer_of(path) and room_of(other) != room_of(path))
        or (room_of(path) is None and room_of(other) is None)
    ]


def circles(root):
    """Files that reach themselves by their imports."""
    return [str(path) for path in files_of(root) if path in dag.reached_files(root, path, whole=True)]


def impure_science(root):
    """Science that reads the command line, the environment or params.yaml, or knows where files lie."""
    faults = []
    for path in files_of(root):
        if room_of(path) in SCIENCE:
            for module, name in dag.imported_names((root / path).read_text()):
                reads_files = module.startswith("stages.artifacts") and module not in SHAPES
                if module == "sys" or (module == "argparse" and name != "Namespace") or reads_files:
                    faults.append(f"{path} imports {module}")
                if (module, name) in ENVIRONMENT:
                    faults.append(f"{path} imports {module}")
                if module == "stages.config.params" and name != "Params":
                    faults.append(f"{path} imports {name}")
    return faults


def torch_where_it_is_slow(root):
    """Files of the packages that start without torch, from which it is reached."""
    return [
        str(path)
        for path in files_of(root)
        if room_of(path) in WITHOUT_TORCH
        and any(
            module.split(".")[0] == "torch"
            for file in {path, *dag.reached_files(root, path, whole=True)}
            for module, _ in dag.imported_names((root / file).read_text())
        )
    ]


def code_in_packages(root):
    """`__init__`s that hold more than a docstring: whoever imports one module would import the package.

    That of `stages` brings `PointClip` when it is asked for, and nothing before.
    """
    return [
        str(path)
        for path in files_of(root)
        if path.name == "__init__.py" and len(path.parts) > 2 and len(ast.parse((root / path).read_text()).body) > 1
    ]


def too_long(root):
    """Files, packages, stage modules and the DAG beyond the lines that a person reads."""
    lines = {path: len((root / path).read_text().splitlines()) for path in files_of(root)}
    rooms = {name: sum(n for path, n in lines.items() if room_of(path) == name) for name in LAYERS}
    long = [str(path) for path, n in lines.items() if n > LONGEST_FILE and room_of(path) != UNBOUNDED]
    long += [name for name, n in rooms.items() if n > LONGEST_ROOM and name != UNBOUNDED]
    long += [str(path) for path, n in lines.items() if n > LONGEST_STAGE and room_of(path) is None]
    return long + (["dvc.yaml"] if len((root / "dvc.yaml").read_text().splitlines()) > LONGEST_DAG else [])


RULES = (
    stale_dependencies,
    wrong_params,
    forbidden_keys,
    unnamed_stages,
    upward_imports,
    circles,
    impure_science,
    torch_where_it_is_slow,
    code_in_packages,
    too_long,
)


@pytest.mark.parametrize("rule", RULES)
def test_the_house_keeps_the_rule(rule):
    assert not rule(ROOT)


BREAKS = {
    "missing dependency": (
        stale_dependencies,
        "dvc.yaml",
        "stages/render.py, stages/core, stages/engine, stages/projection,",
        "stages/render.py, stages/core, stages/engine,",
    ),
    "idle dependency": (stale_dependencies, "dvc.yaml", "stages/render.py,", "stages/render.py, stages/zeroshot,"),
    "params not read": (
        wrong_params,
        "dvc.yaml",
        "params: [render, run.shard_samples]",
        "params: [render, download, run.shard_samples]",
    ),
    "params not listed": (wrong_params, "dvc.yaml", "params: [render, run.shard_samples]", "params: [render]"),
    "param named size": (forbidden_keys, "params.yaml", "  max_samples: null", "  size: null\n  max_samples: null"),
    "param named nfiles": (forbidden_keys, "params.yaml", "    window: null", "    nfiles: null\n    window: null"),
    "id with a dash": (forbidden_keys, "params.yaml", "  modelnet40:", "  modelnet-40:"),
    "stage imports stage": (
        upward_imports,
        "stages/render.py",
        "from stages.art",
        "from stages import download\nfrom stages.art",
    ),
    "lower imports upper": (
        upward_imports,
        "stages/projection/kernels.py",
        "import numpy",
        "from stages.zeroshot.classifier import rank_classes\nimport numpy",
    ),
    "a circle": (
        circles,
        "stages/projection/kernels.py",
        "import numpy",
        "from stages.projection import fast\nimport numpy",
    ),
    "science reads params": (
        impure_science,
        "stages/zeroshot/metrics.py",
        "import numpy",
        "from stages.config.params import load_params\nimport numpy",
    ),
    "science knows paths": (
        impure_science,
        "stages/zeroshot/metrics.py",
        "import numpy",
        "from stages.artifacts.paths import Paths\nimport numpy",
    ),
    "science reads argv": (impure_science, "stages/zeroshot/metrics.py", "import numpy", "import sys\nimport numpy"),
    "reporting imports torch": (
        torch_where_it_is_slow,
        "stages/reporting/tables.py",
        "import csv",
        "import torch\nimport csv",
    ),
    "a package with code": (code_in_packages, "stages/zeroshot/__init__.py", '"""\n', '"""\nfrom . import metrics\n'),
    "stage without a name": (unnamed_stages, "dvc.yaml", "  evaluate:\n", "  score:\n"),
    "a long file": (too_long, "stages/render.py", "from stages.art", "\n" * 400 + "from stages.art"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_rule_is_seen(name, tmp_path):
    rule, file, old, new = BREAKS[name]
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    for top in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / top, tmp_path / top)
    text = (tmp_path / file).read_text()
    assert old in text, f"{file} has no '{old}'"
    (tmp_path / file).write_text(text.replace(old, new, 1))
    assert rule(tmp_path)


def _key_paths(document, prefix=""):
    for key, value in document.items() if isinstance(document, dict) else ():
        yield f"{prefix}{key}"
        yield from _key_paths(value, f"{prefix}{key}.")
