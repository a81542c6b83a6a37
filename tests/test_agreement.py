"""dvc.yaml, params.yaml and the code agree, and the layers hold; each rule is also seen to fail when broken."""

import re
import shutil
from pathlib import Path

import house
import pytest
import yaml

ROOT = Path(__file__).parents[1]
WITHOUT_TORCH = ("artifacts.py", "datasets", "reporting", "language")
SHAPES = {"Clouds", "Features", "PatchFeatures", "PointCloudDataset", "Prompts", "Scene", "Scenes", "SentenceTable"}


def missing_deps(root):
    """Project files that a stage's code reaches and its deps leave out."""
    return {
        name: sorted(map(str, missing))
        for name, stage in house.stages_of(root).items()
        if (missing := house.needed_files(root, name) - {Path(dep) for dep in stage["deps"]})
    }


def idle_deps(root):
    """Code that a stage's deps name and its imports do not reach."""
    idle = {}
    for name, stage in house.stages_of(root).items():
        needed = house.needed_files(root, name)
        idle[name] = [dep for dep in stage["deps"] if dep.endswith(".py") and Path(dep) not in needed]
    return {name: deps for name, deps in idle.items() if deps}


def wrong_params(root):
    """Stages whose params are not the sections that the code reads."""
    return {
        name: (sorted(read), sorted(listed))
        for name, stage in house.stages_of(root).items()
        if (read := house.sections_read(root / f"stages/{name}.py")) != (listed := house.param_sections(stage))
    }


def forbidden_keys(root):
    """Keys of params.yaml that DVC's run cache does not see, and ids that its templates do not take."""
    document = yaml.safe_load((root / "params.yaml").read_text())
    hidden = [path for path in _key_paths(document) if path.split(".")[-1] in ("size", "nfiles")]
    ids = [*document["dataset"], *document["backbone"]]
    return hidden + [name for name in ids if not re.fullmatch(r"[a-z0-9_]+", name)]


def layer_faults(root):
    """Imports that go against the house's order."""
    faults = []
    for path in sorted((root / "stages").rglob("*.py")):
        faults += [f"{path.relative_to(root)}: {fault}" for fault in _faults_of(root, path)]
    return faults


def unnamed_stages(root):
    """Stage modules without a stage in dvc.yaml, stages without a module, and other commands than the module's."""
    stages = house.stages_of(root)
    odd = set(stages) ^ set(house.stage_names(root))
    return odd | {name for name, stage in stages.items() if not stage["cmd"].startswith(f"python -m stages.{name}")}


RULES = (missing_deps, idle_deps, wrong_params, forbidden_keys, layer_faults, unnamed_stages)


@pytest.mark.parametrize("rule", RULES)
def test_the_house_keeps_the_rule(rule):
    assert not rule(ROOT)


BREAKS = {
    "missing dep": (missing_deps, "dvc.yaml", "      - stages/projection/fast.py\n", ""),
    "idle dep": (
        idle_deps,
        "dvc.yaml",
        "      - stages/projection/fast.py\n",
        "      - stages/projection/fast.py\n      - stages/zeroshot/scores.py\n",
    ),
    "params not read": (wrong_params, "dvc.yaml", "      - evaluate\n", "      - evaluate\n      - download\n"),
    "params not listed": (wrong_params, "dvc.yaml", "      - evaluate\n", ""),
    "param named size": (forbidden_keys, "params.yaml", "  max_samples: null", "  size: null\n  max_samples: null"),
    "param named nfiles": (forbidden_keys, "params.yaml", "    window: null", "    nfiles: null\n    window: null"),
    "id with a dash": (forbidden_keys, "params.yaml", "  modelnet40:", "  modelnet-40:"),
    "stage imports stage": (layer_faults, "stages/render.py", "from tqdm", "from stages import download\nfrom tqdm"),
    "science reads params": (
        layer_faults,
        "stages/zeroshot/scores.py",
        "import numpy",
        "from stages.settings import load\nimport numpy",
    ),
    "science knows paths": (
        layer_faults,
        "stages/zeroshot/scores.py",
        "import numpy",
        "from stages.artifacts import depth_path\nimport numpy",
    ),
    "science reads argv": (layer_faults, "stages/zeroshot/scores.py", "import numpy", "import sys\nimport numpy"),
    "lower imports upper": (
        layer_faults,
        "stages/projection/kernels.py",
        "import numpy",
        "from stages.zeroshot import rank_classes\nimport numpy",
    ),
    "reporting imports torch": (
        layer_faults,
        "stages/reporting/tables.py",
        "import csv",
        "import torch\nimport csv",
    ),
    "stage without a name": (unnamed_stages, "dvc.yaml", "  evaluate:\n", "  judge:\n"),
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


def test_every_stage_module_is_short():
    long = {
        path.name: lines
        for path in (ROOT / "stages").glob("*.py")
        if path.stem in house.stage_names(ROOT) and (lines := len(path.read_text().splitlines())) > 95
    }
    assert not long


def _key_paths(document, prefix=""):
    for key, value in document.items() if isinstance(document, dict) else ():
        yield f"{prefix}{key}"
        yield from _key_paths(value, f"{prefix}{key}.")


def _faults_of(root, path):
    parts = path.relative_to(root / "stages").parts
    imports = house.imported_modules(path)
    package = parts[0] if len(parts) > 1 else None
    if package is None and path.stem in house.stage_names(root):
        yield from (
            f"imports stage {other}" for other in house.stage_names(root) if _reaches(imports, f"stages.{other}")
        )
    if package in house.SCIENCE and not path.stem.startswith("build_"):  # builders of bundled data are commands
        yield from _science_faults(root, package, imports)
    if parts[0] in WITHOUT_TORCH and "torch" in house.third_party_imports(root, path):
        yield "imports torch"


def _science_faults(root, package, imports):
    yield from (f"imports stage {name}" for name in house.stage_names(root) if _reaches(imports, f"stages.{name}"))
    for module, name in imports:
        if (module in ("sys", "argparse") and name != "Namespace") or (module, name) in ENVIRONMENT:
            yield f"imports {module}"
        if module == "stages.settings" and name != "section" and not (name or "load")[0].isupper():
            yield f"uses settings.{name}"
        if module == "stages.artifacts" and name not in SHAPES:
            yield f"uses artifacts.{name}"
        if module == "stages" and name in house.FOUNDATION and (package, name) != ("reporting", "artifacts"):
            yield f"imports the whole of {name}"
        other = module.split(".")[1] if module.startswith("stages.") else None
        if other in LAYER and LAYER.get(other, 0) > LAYER[package]:
            yield f"looks up to {other}"


ENVIRONMENT = (("os", "environ"), ("os", "getenv"))
LAYER = {
    "datasets": 0,
    "projection": 0,
    "language": 0,
    "backbones": 1,
    "zeroshot": 2,
    "pretraining": 3,
    "fewshot": 3,
    "segmentation": 3,
    "detection": 3,
    "reporting": 4,
}


def _reaches(imports, module):
    return any(found == module or (name and f"{found}.{name}" == module) for found, name in imports)
