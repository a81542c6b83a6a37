"""DVC's own temporary workspaces: what the main workspace has paid for is not paid for again, and nothing is lost."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from checkout import Checkout
from llm_server import LanguageModel
from test_generate import KEY, answer, points

ROOT = Path(__file__).parents[1]
PIPELINE = {
    "stages": {
        "generate": {
            "cmd": "python -m stages.generate toy",
            "deps": ["data/points/toy", "prompts/commands", "prompts/sets.yaml"],
            "params": ["generate"],
            "outs": ["data/sentences/toy.parquet", {"prompts/recorded/toy.jsonl": {"cache": False, "persist": True}}],
            "metrics": [{"reports/prompts/toy.json": {"cache": False}}],
        }
    }
}


@pytest.mark.slow
def test_an_experiment_in_a_temporary_workspace_pays_only_for_what_is_new(tmp_path, monkeypatch):
    server = LanguageModel()
    server.reply = answer
    for name in ("stages", "prompts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, tmp_path)
    params = yaml.safe_load((tmp_path / "params.yaml").read_text())
    params["generate"] |= {"base_url": server.base_url, "model": "toy", "sets": ["llm_four"]}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    points("chair")
    checkout = Checkout(tmp_path)
    checkout.run("git", "init", "-q")
    checkout.run("dvc", "init", "-q")
    checkout.run("dvc", "add", "-q", "data/points/toy")
    checkout.run("git", "add", ".")
    checkout.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "start")
    checkout.run("dvc", "repro", "-q")
    assert len(server.seen) == 4
    record = tmp_path / "prompts/recorded/toy.jsonl"
    assert len(record.read_text().splitlines()) == 4  # and git holds none of them

    checkout.run("dvc", "exp", "run", "--temp", "-S", "generate.sets=[llm_four,llm_1200]")
    assert len(server.seen) == 4 + 32

    server.rules.append(lambda body: "401" if len(server.seen) > 36 + 2 else None)
    failed = checkout.run("dvc", "exp", "run", "--temp", "-S", "generate.model=other", check=False)
    assert failed.returncode != 0
    server.rules.clear()
    paid = len(server.sent)
    checkout.run("dvc", "exp", "run", "--temp", "-S", "generate.model=other")
    assert len(server.sent) == 36 + 4 and paid > 36  # what the failed one had paid for was not asked again
    checkout.run("dvc", "repro", "-q", "-f")
    assert len(server.sent) == 36 + 4
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert len(lines) == 36 + 4
