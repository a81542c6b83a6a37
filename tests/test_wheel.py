"""The wheel holds what its commands need: installed where there is no checkout, `pointclip` knows a table."""

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from own_objects import table_with_four_legs

ROOT = Path(__file__).parents[1]
PACKED = (
    "stages",
    "prompts/templates",
    "data/bundled",
    "params.yaml",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "NOTICE",
)


@pytest.fixture
def python(tmp_path):
    """Python of a new environment that has the wheel, and every other package from this one's."""
    source, environment = tmp_path / "source", tmp_path / "environment"
    for name in PACKED:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", cwd=source)
    (wheel,) = (source / "dist").glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    python = environment / "bin/python"
    install = ("install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", python, *install, wheel, cwd=tmp_path)
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    # a line of a .pth adds the folder alone, and not what its own .pth files add: the checkout stays out
    (Path(packages) / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    shutil.rmtree(source)
    return python


def test_the_installed_wheel_names_a_mesh_by_command_and_from_python_and_lays_out_a_page(python, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    table_with_four_legs().export(elsewhere / "table.stl")

    assert Path(run(python, "-c", "import stages; print(stages.__file__)", cwd=elsewhere)).is_relative_to(tmp_path)
    classify = (python.parent / "pointclip", "classify", "table.stl", "--labels", "lamp, table, airplane", "--up", "z")
    found = json.loads(run(*classify, "--json", "--sheet", "seen.png", cwd=elsewhere))
    assert found["objects"][0]["best"][0][0] == "table"
    assert (elsewhere / "seen.png").is_file()
    assert run(python, "-c", OWN, cwd=elsewhere).split() == ["table", "2048"]
    run(python, "-c", PAGE, cwd=elsewhere)


OWN = """
from stages import PointClip
model = PointClip("bundled")
[found] = model.classify("table.stl", ["lamp", "table", "airplane"], up="z")
parts = model.parts("table.stl", ["top", "leg"], category="table", up="z")
print(found.label, len(parts.labels))
"""
PAGE = """
from stages.reporting.page import page
from stages.reporting.tables import Table
assert "<html" in page([], title="a", summary="b", weights=Table("w", "", (), (), 0), parameters="")
"""


def run(*command, cwd: Path) -> str:
    """What `command` prints; the test fails with its messages when it ends otherwise than well."""
    done = subprocess.run([*map(str, command)], cwd=cwd, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
