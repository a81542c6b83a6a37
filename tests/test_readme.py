"""The READMEs say what the repository holds: tables are the report's, links lead somewhere, entries load."""

import re
from pathlib import Path

import pytest
import yaml

from stages.config.params import load_params

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "stages").glob("*/README.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_its_tables_are_the_committed_report(page):
    tables = re.findall(r"<!-- table: (\S+) -->\n(.*?)<!-- end -->", page.read_text(), re.DOTALL)
    assert tables or page != ROOT / "README.md"
    assert [path for path, table in tables if table != (ROOT / path).read_text()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_linked_file_exists(page):
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_entries_that_it_shows_are_what_params_yaml_takes():
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    entries = [yaml.safe_load(re.sub(r"(?m)^  ", "", block)) for block in blocks]
    assert {section for entry in entries for section in entry} == {"dataset", "backbone"}
    overrides = {
        f"{section}.{name}": value
        for entry in entries
        for section, named in entry.items()
        for name, value in named.items()
    }
    params = load_params(ROOT, overrides=overrides)
    assert params.dataset_entry("my_scans").reader == "folder"
    assert params.backbone_entry("mine").pretrained == "data/raw/mine.pt"
