"""The README says what the repository holds: its table is the report's, and the files that it links are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_tables_are_the_committed_report():
    tables = re.findall(r"<!-- table: (\S+) -->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert [path for path, _ in tables] == ["reports/tables/zeroshot.md", "reports/tables/kernels.md"]
    assert [path for path, table in tables if table != (ROOT / path).read_text()] == []


def test_every_linked_file_exists():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
