"""A stranger's walk, timed: from the wheel to the page, where nothing is known of the checkout.

    python tests/benchmarks/strangers_walk.py [--environment FOLDER]

The wheel is built and installed with the extra `page` into a new virtual environment, as `pip` finds the packages; with
`--environment` into one that is there already, of which only the wheel is replaced. Then, in an empty folder: meshes
are drawn, classified, indexed and searched in words by `pointclip`, each a process of its own, and `pointclip serve` is
opened in headless Chromium (on PATH, by `playwright`), where a mesh is chosen and named. Each step is checked, and
its seconds are printed; nothing is asserted about time: machines differ.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import trimesh
from playwright.sync_api import sync_playwright
from timing import ROOT, cores, seconds

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
LABELS = "table, floor lamp, bookshelf"
T = TypeVar("T")


def main() -> None:
    """Walk through all steps in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environment", type=Path, help="virtual environment that has the packages already")
    asked = parser.parse_args()
    print(f"on {cores()}")
    with tempfile.TemporaryDirectory() as place:
        walk(Path(place), environment=asked.environment)


def walk(place: Path, *, environment: Path | None) -> None:
    """Every step, in `place`."""
    [wheel] = timed("build the wheel", lambda: built_wheel(place))
    python = (environment or timed("make an environment", lambda: new_environment(place))) / "bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    install += ["--no-deps", "--force-reinstall"] if environment else []
    timed("install the wheel", lambda: run(place, *install, f"{wheel}[page]"))
    (place / "meshes").mkdir()
    draw_meshes(place / "meshes")
    pointclip = python.parent / "pointclip"
    classify = [pointclip, "classify", "meshes", "--labels", LABELS, "--json"]
    first = timed("classify a folder of 6 meshes, the first time", lambda: run(place, *classify))
    names = {Path(one["file"]).stem: one["best"][0][0] for one in json.loads(first)["objects"]}
    print(f"    {names}")
    expect(names["table_0"] == "table", "the table is called otherwise")
    timed("classify the folder again", lambda: run(place, *classify))
    timed("classify one mesh", lambda: run(place, pointclip, "classify", "meshes/table_0.stl", "--labels", LABELS))
    timed("index the folder", lambda: run(place, pointclip, "index", "meshes", "--out", "library.parquet"))
    search = [pointclip, "search", "library.parquet", "a table", "--json", "--html", "found.html"]
    found = json.loads(timed("search it in words", lambda: run(place, *search)))
    print(f"    {json.dumps(found)[:300]}")
    expect((place / "found.html").is_file(), "no contact sheet")
    timed("open the page, choose a mesh, see its name", lambda: visit(place, pointclip))


def built_wheel(place: Path) -> list[Path]:
    """The wheel of the checkout."""
    run(ROOT, sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place / "dist")
    return list((place / "dist").glob("*.whl"))


def new_environment(place: Path) -> Path:
    """A virtual environment without any package but pip."""
    run(place, sys.executable, "-m", "venv", place / "environment")
    return place / "environment"


def draw_meshes(folder: Path) -> None:
    """Two tables, two lamps and two shelves, y up."""
    for number, size in enumerate((1.0, 1.4)):
        for name, boxes in OBJECTS.items():
            parts = [
                trimesh.creation.box([sides[0] * size, *sides[1:]], trimesh.transformations.translation_matrix(at))
                for sides, at in boxes
            ]
            trimesh.util.concatenate(parts).export(folder / f"{name}_{number}.stl")


OBJECTS = {
    "table": [((1, 0.08, 1), (0, 0.5, 0)), *(((0.08, 1, 0.08), (x, 0, z)) for x in (-0.4, 0.4) for z in (-0.4, 0.4))],
    "lamp": [((0.4, 0.05, 0.4), (0, 0, 0)), ((0.04, 1.5, 0.04), (0, 0.75, 0)), ((0.45, 0.35, 0.45), (0, 1.6, 0))],
    "shelf": [
        *(((1, 0.04, 0.3), (0, height, 0)) for height in (0, 0.45, 0.9, 1.35, 1.8)),
        *(((0.04, 1.8, 0.3), (x, 0.9, 0)) for x in (-0.5, 0.5)),
    ],
}


def visit(place: Path, pointclip: Path) -> None:
    """Serve the page, open it, choose a mesh and wait for its scores."""
    installed = next(filter(None, map(shutil.which, BROWSERS)), None)
    expect(installed is not None, "no chromium on PATH")
    command = [pointclip, "serve", "--library", "library.parquet", "--port", "0"]
    server = subprocess.Popen(command, cwd=place, env=environment_without_checkout(), text=True, stdout=subprocess.PIPE)
    try:
        address = re.search(r"http://\S+", server.stdout.readline())[0]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=installed, args=OPTIONS)
            page = browser.new_page()
            page.goto(address)
            page.set_input_files("input[type=file]", place / "meshes/table_0.stl")
            page.wait_for_selector("#scores dl")
            print(f"    {page.inner_text('#scores').splitlines()[:4]}")
            browser.close()
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def timed(step: str, work: Callable[[], T]) -> T:
    """What `work` gives; its seconds are printed."""
    result = []
    taken = seconds(lambda: result.append(work()))
    print(f"{taken:7.1f} s  {step}", flush=True)
    return result[0]


def run(place: Path, *command) -> str:
    """What `command` prints; the walk ends where it fails."""
    done = subprocess.run(
        [*map(str, command)], cwd=place, env=environment_without_checkout(), text=True, capture_output=True, check=False
    )
    expect(done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def environment_without_checkout() -> dict[str, str]:
    """This process's environment variables but those that name the checkout or what was compiled before."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "NUMBA_CACHE_DIR")}


def expect(held: bool, otherwise: str) -> None:
    """End the walk with `otherwise` where something does not hold."""
    if not held:
        sys.exit(f"error: {otherwise}")


if __name__ == "__main__":
    main()
