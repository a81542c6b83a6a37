"""Copies the report's tables into the READMEs: `python -m stages.commands.tables`, after `dvc repro`.

A table stands between `<!-- table: reports/tables/<name>.md -->` and `<!-- end -->`.
"""

import argparse
import re
from pathlib import Path

from stages.artifacts.files import read_text, write_text
from stages.core.cli import run_command
from stages.core.root import default_root

BLOCK = re.compile(r"(<!-- table: (\S+) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def main(root: Path | None = None) -> None:
    """Write the tables of all pages anew; a page whose tables are as they were is left alone."""
    root = root or default_root()
    for page in pages(root):
        text = page.read_text()
        copied = BLOCK.sub(lambda block: block[1] + read_text(root / block[2]), text)
        if copied != text:
            write_text(page, copied)


def pages(root: Path) -> list[Path]:
    """Every page that may hold a table."""
    return [root / "README.md", *sorted((root / "stages").glob("*/README.md")), *sorted((root / "tests").glob("*.md"))]


if __name__ == "__main__":
    run_command(main, argparse.ArgumentParser(prog="python -m stages.commands.tables", description=main.__doc__))
