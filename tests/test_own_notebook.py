"""The example notebook runs, needs no file, and shows what is stored in it."""

import json
from pathlib import Path

from notebook_cells import code_cells, run_cells, texts

NOTEBOOK = Path(__file__).parents[1] / "reports/examples/own_objects.ipynb"


def test_the_example_notebook_runs_and_shows_what_it_says(tmp_path):
    notebook = json.loads(NOTEBOOK.read_text())
    assert notebook["nbformat"] == 4 and len(code_cells(notebook)) > 5
    shown = run_cells(notebook, folder=tmp_path)
    for cell, outputs in zip(code_cells(notebook), shown, strict=True):
        assert texts(outputs) == texts(cell["outputs"]), "".join(cell["source"])
        assert [set(one.get("data", ())) for one in outputs] == [set(one.get("data", ())) for one in cell["outputs"]]
    assert any("image/png" in one.get("data", ()) for outputs in shown for one in outputs)
