"""The client against a server that was not written here: llama.cpp's, with a model of a few kilobytes."""

import pytest
from llm_runs import BASE, ask_recorded, check_told, lines_of, request_about
from test_language_recipes import RECIPES

from stages.core.errors import InputError
from stages.language.llm.answers import is_complete

xllamacpp = pytest.importorskip("xllamacpp", reason="no llama.cpp server: pip install -e '.[llama]' for it")
pytest.importorskip("gguf", reason="no writer of models for llama.cpp: pip install -e '.[llama]' for it")

from dataclasses import replace  # noqa: E402

from tiny_gguf import SENTENCE, write_model  # noqa: E402

KEY = "sk-secret-0123456789abcdef"


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """The address of a server that says one sentence, whatever it is asked."""
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_model(path)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.api_keys = 512, 1, [KEY]
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


def config_for(llama, **changes):
    return replace(BASE, **{"base_url": llama, "timeout": 60.0, "attempts": 2, "concurrency": 1} | changes)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("limit_name", ["max_tokens", "max_completion_tokens"])
def test_it_answers_whole_or_in_pieces(stream, limit_name, llama, tmp_path):
    request = request_about("chair", limit_name=limit_name)
    ask_recorded([request], config_for(llama, stream=stream), tmp_path / "toy.jsonl")
    (line,) = lines_of(tmp_path / "toy.jsonl")
    assert line["answer"].strip() == SENTENCE and line["finish_reason"] == "stop"
    assert line["completion_tokens"] == len(SENTENCE.split()) + 1 and line["prompt_tokens"] > 10
    assert "tokens" not in line and "sent" not in line


def test_the_recipe_for_it(llama, tmp_path):
    changes = RECIPES["llama.cpp"] | {"base_url": llama}
    request = request_about("chair", limit_name=BASE.token_limit)
    request = replace(request, body=request.body | {"model": changes["model"]})
    told = []
    ask_recorded([request], replace(BASE, **changes), tmp_path / "toy.jsonl", warn=told.append)
    (line,) = lines_of(tmp_path / "toy.jsonl")
    assert line["answer"].strip() == SENTENCE and told == []


def test_a_cut_answer_is_asked_again_with_a_higher_limit(llama, tmp_path):
    request = request_about("chair", max_tokens=3)
    ask_recorded([request], config_for(llama), tmp_path / "toy.jsonl")
    cut, whole = lines_of(tmp_path / "toy.jsonl")
    assert (cut["finish_reason"], cut["answer"].strip()) == ("length", "A depth map")
    assert is_complete(whole) and whole["sent"] == {"max_tokens": 2048}


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
REFUSALS = {  # content, other settings, what a person is told
    "a picture": ([PICTURE], {}, "image input is not supported"),
    "too long": ("chair " * 2000, {}, "exceeds the available context size"),
    "another key": ("A chair.", {"key": "sk-other-0123456789"}, "the key is not accepted"),
    "another path": ("A chair.", {"path": "/v2"}, "no such page"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_it_refuses_is_one_line(name, llama, tmp_path):
    content, changes, says = REFUSALS[name]
    request = request_about("chair")
    request = replace(request, body=request.body | {"messages": [{"role": "user", "content": content}]})
    told, path = [], tmp_path / "toy.jsonl"
    config = config_for(llama.replace("/v1", changes.get("path", "/v1")), attempts=1)
    with pytest.raises(InputError, match=says) as caught:
        ask_recorded([request], config, path, warn=told.append, key=changes.get("key", KEY))
    check_told([*told, str(caught.value)], path)
    assert not path.exists()
