"""The recipes of stages/language/README.md, each run against a server that keeps the rules of the one it is for."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from llm_runs import KEY, NAMES, check_books, lines_of, run_to_the_end
from llm_server import LanguageModel

from stages.config.params import load_params
from stages.language.llm.commands import parse_family
from stages.language.llm.requests import PromptLibrary, RequestFormat, requests_for
from stages.language.llm.sets import PromptSet
from stages.language.llm.subjects import Subject

ROOT = Path(__file__).parents[1]
README = (ROOT / "stages/language/README.md").read_text()
RECIPES = {
    name: yaml.safe_load(block)
    for name, block in re.findall(
        r"^\*\*([^*]+)\*\*[^`]*?(?:`[^`\n]+`[^`]*?)*\n\n```yaml\n(.*?)```", README, re.M | re.S
    )
}
RULES = {  # what each server refuses: behaviours by a rule over the body
    "OpenAI": [
        lambda body: "temperature" if "temperature" in body else None,
        lambda body: "max_tokens" if "max_tokens" in body else None,
    ],
    "A gateway": [lambda body: None if "reasoning" in body else "only reasoning"],
    "vLLM": [lambda body: None if body["chat_template_kwargs"] == {"enable_thinking": False} else "only reasoning"],
    "Ollama": [lambda body: None if "max_tokens" in body else "token limit ignored"],
    "llama.cpp": [],
    "LM Studio": [lambda body: None if "max_tokens" in body else "token limit ignored"],
}


def test_there_is_a_recipe_for_each_server():
    assert list(RECIPES) == list(RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_recipe_needs_no_adapting(name, tmp_path, monkeypatch):
    server, recipe, path = LanguageModel(), RECIPES[name], tmp_path / "record/toy.jsonl"
    server.rules += RULES[name]
    config = load_params(ROOT, overrides={f"generate.{key}": value for key, value in recipe.items()}).generate
    assert config.base_url == recipe["base_url"]
    family = parse_family((ROOT / "prompts/commands/caption.yaml").read_text(), source="caption.yaml")
    library = PromptLibrary(sets={"toy": PromptSet(families=("caption",))}, families={"caption": family})
    request_format = RequestFormat(
        model=config.model,
        token_limit=config.token_limit,
        temperature=config.temperature,
        reasoning_effort=config.reasoning_effort,
        extra_body=config.extra_body or {},
    )
    requests = [
        request
        for class_name in NAMES
        for request in requests_for("toy", Subject(class_name), library=library, request_format=request_format)
    ]
    config = replace(config, base_url=server.base_url, batch_poll=0.0)
    assert run_to_the_end(requests, config, path, runs=1) == []
    check_books(requests, server, path)
    assert all("sent" not in line for line in lines_of(path))
    assert KEY not in path.read_text()
