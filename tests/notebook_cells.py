"""The example notebook as plain JSON: its code cells are run here, without Jupyter.

python tests/notebook_cells.py reports/examples/own_objects.ipynb     # run the cells and write what they show
"""

import ast
import base64
import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path


def code_cells(notebook: dict) -> list[dict]:
    """The cells of code, in order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run_cells(notebook: dict, *, folder: Path) -> list[list[dict]]:
    """What every code cell shows when all are run in turn in `folder`: outputs as a notebook stores them."""
    names: dict = {}
    with contextlib.chdir(folder):
        return [_run("".join(cell["source"]), names) for cell in code_cells(notebook)]


def texts(outputs: list[dict]) -> str:
    """What a cell printed, and its last value as text where that is no picture."""
    return "".join("".join(one.get("text", one.get("data", {}).get("text/plain", ""))) for one in outputs)


def _run(source: str, names: dict) -> list[dict]:
    """Run one cell; its last expression is shown as Jupyter shows it: as a picture, or by `repr`."""
    tree, printed, value = ast.parse(source), io.StringIO(), None
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
    outputs = []
    if printed.getvalue():
        outputs.append(
            {"output_type": "stream", "name": "stdout", "text": printed.getvalue().splitlines(keepends=True)}
        )
    if value is not None:
        picture = value._repr_png_() if hasattr(value, "_repr_png_") else None
        data = {"image/png": base64.b64encode(picture).decode()} if picture else {"text/plain": repr(value)}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    return outputs


def main(path: Path) -> None:
    """Run all cells in an empty folder and write their outputs into the notebook."""
    notebook = json.loads(path.read_text())
    with tempfile.TemporaryDirectory() as folder:
        shown = run_cells(notebook, folder=Path(folder))
    for number, (cell, outputs) in enumerate(zip(code_cells(notebook), shown, strict=True), start=1):
        cell.update(execution_count=number, outputs=outputs)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + os.linesep)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
