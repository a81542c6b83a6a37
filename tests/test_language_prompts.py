"""Commands, prompt sets, requests and PointCLIP V2's corpora."""

import base64
import io
import json
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from openai.types.chat import ChatCompletionMessageParam
from PIL import Image
from pydantic import TypeAdapter

from stages.artifacts.types import Features, Prompts
from stages.bundled.build_examples import example_maps
from stages.config.params import load_params
from stages.config.search import Search
from stages.core.errors import InputError
from stages.language.llm.commands import parse_family
from stages.language.llm.corpora import check_blob, parse_corpus, parse_searched, read_literals
from stages.language.llm.generation import missing_requests, plan_requests
from stages.language.llm.requests import Example, PromptLibrary, RequestFormat, requests_for
from stages.language.llm.sets import PromptSet, parse_prompt_sets
from stages.language.llm.subjects import Subject, subjects_of
from stages.prompt_search.pool import PromptPool
from stages.prompt_search.protocols import PROTOCOLS

ROOT = Path(__file__).parents[1]
SLICES = Path(os.environ.get("SLICES_DIR", ROOT.parent / "shared/data")) / "pointclip_v2"
FORMAT = RequestFormat(model="toy", token_limit="max_tokens", temperature=True)
SETS = parse_prompt_sets((ROOT / "prompts/sets.yaml").read_text(), source="sets.yaml")
CONFIG = load_params(ROOT).generate
CHAIR, BACK = Subject("chair"), Subject("chair", "back")
FAMILY = """
temperature: 0.5
views: [the front, the side]
many:
  sentences: 3
  answers: 2
  max_tokens: 90
  commands:
    class: ["Write {count} lines about a {class} from {view}."]
one:
  max_tokens: 30
  commands:
    class: A line about a {class}.
"""


def families():
    return {
        path.stem: parse_family(path.read_text(), source=path.name)
        for path in (ROOT / "prompts/commands").glob("*.yaml")
    }


def examples():
    return tuple(Example(name, (ROOT / f"prompts/examples/{name}.png").read_bytes()) for name in CONFIG.examples)


def planned(subjects, *, sets=tuple(SETS), request_format=FORMAT, **changes):
    library = PromptLibrary(sets=SETS, families=families() | changes, examples=examples())
    return plan_requests(sets, subjects, library=library, request_format=request_format)


def test_a_command_is_filled_and_answer_i_is_about_view_i():
    library = PromptLibrary(
        sets={"toy": PromptSet(families=("toy",), many=True)},
        families={"toy": parse_family(FAMILY, source="toy.yaml")},
    )
    asked = list(requests_for("toy", Subject("armchair"), library=library, request_format=FORMAT))
    assert [one.body["messages"][0]["content"] for one in asked] == [
        "Write 3 lines about an armchair from the front.",
        "Write 3 lines about an armchair from the side.",
    ]
    assert asked[0].body | {"messages": 0} == {
        "model": "toy",
        "messages": 0,
        "n": 1,
        "max_tokens": 90,
        "temperature": 0.5,
    }
    assert [one.sample for one in asked] == [0, 1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "{class} from {view}",
            "thing",
            "toy.yaml: command 'Write {count} lines about a thing.': expected {class}, {count}",
        ),
        ("{view}", "{colour}", "and no other places than {class}, {count}, {view}"),
        ("views: [the front, the side]", "views: []", "toy.yaml: views: none, but a command has {view}"),
        ("temperature: 0.5", "temperature: warm", "toy.yaml: temperature: "),
        ("answers: 2", "answer: 2", "toy.yaml: many.answer: unknown key"),
        ("    class: A line", "    whole: A line", "toy.yaml: commands for 'whole': expected class or part"),
        ("many:", "many: [", "toy.yaml: not valid YAML"),
    ],
)
def test_a_wrong_command_file_is_one_line(old, new, message):
    assert old in FAMILY
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        parse_family(FAMILY.replace(old, new), source="toy.yaml")
    assert "\n" not in str(caught.value)


def test_about_1200_sentences_are_asked_for_a_class_and_700_for_a_part():
    of_chair, of_back = planned([CHAIR, BACK], sets=("llm_1200",))["llm_1200"].values()
    assert 1200 <= sum(one.sentences for one in of_chair) <= 1250
    assert 700 <= sum(one.sentences for one in of_back) <= 1250
    assert {one.family for one in of_chair} == {"caption", "question", "paraphrase", "words"}


def test_the_key_changes_with_what_is_asked_and_with_nothing_else():
    keys = {one.key for one in missing_requests(planned([CHAIR]), {})}
    assert keys == {one.key for one in missing_requests(planned([Subject("lamp"), CHAIR]), {})} & keys
    for change in (
        {"model": "other"},
        {"token_limit": "max_completion_tokens"},
        {"temperature": False},
        {"reasoning_effort": "low"},
        {"extra_body": {"top_k": 20}},
    ):
        other = planned([CHAIR], request_format=replace(FORMAT, **change))
        assert keys.isdisjoint(one.key for one in missing_requests(other, {}))


PROMPT_SETS = "toy:\n  families: [caption]\n  begins: A {class}\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("families:", "family:", "sets.yaml: toy.family: unknown key"),
        ("[caption]", "[]", "sets.yaml: toy.families: "),
        ("[caption]", "caption", "sets.yaml: toy.families: "),
        ("A {class}", "A thing", "sets.yaml: toy.begins: expected {class} once, got 'A thing'"),
        ("A {class}", "1", "sets.yaml: toy.begins: "),
        ("toy:", "v2_corpus:", "sets.yaml: v2_corpus: this name is kept for PointCLIP V2's own sentences"),
        ("toy:", "toy: {}\ntoy:", "sets.yaml: not valid YAML: key 'toy' is there twice (line 1 and below)"),
        ("toy:", "toy: [", "sets.yaml: not valid YAML"),
    ],
)
def test_a_wrong_list_of_prompt_sets_is_one_line(old, new, message):
    assert old in PROMPT_SETS and parse_prompt_sets(PROMPT_SETS, source="sets.yaml")
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        parse_prompt_sets(PROMPT_SETS.replace(old, new), source="sets.yaml")
    assert "\n" not in str(caught.value)


def test_a_changed_command_file_is_asked_anew_and_no_other():
    answers = {one.key: {} for one in missing_requests(planned([CHAIR, BACK]), {})}
    text = (ROOT / "prompts/commands/question.yaml").read_text()
    changed = parse_family(text.replace("recognise", "know"), source="question.yaml")
    again = missing_requests(planned([CHAIR, BACK], question=changed), answers)
    assert again and {one.family for one in again} == {"question"}


def test_a_new_class_is_asked_for_and_no_other():
    answers = {one.key: {} for one in missing_requests(planned(subjects_of(("chair", "lamp"), None)), {})}
    again = missing_requests(planned(subjects_of(("chair", "kayak", "lamp"), None)), answers)
    assert again and {one.subject.class_name for one in again} == {"kayak"}


def test_requests_with_pictures_are_valid_and_show_the_rendered_maps(monkeypatch):
    monkeypatch.chdir(ROOT)
    asked = missing_requests(planned([CHAIR], sets=("llm_four_images", "llm_one_v1_images", "llm_one_v2_images")), {})
    assert len(asked) == 6
    maps = list(example_maps(CONFIG.examples).values())
    for request in asked:
        messages = json.loads(json.dumps(request.body["messages"]))
        TypeAdapter(list[ChatCompletionMessageParam]).validate_python(messages)
        urls = [part["image_url"]["url"] for part in messages[0]["content"] if part["type"] == "image_url"]
        decoded = [np.array(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))) for url in urls]
        assert len(decoded) == len(maps) == 4
        for picture, depth in zip(decoded, maps, strict=True):
            # the last bit of the renderer may differ from machine to machine
            assert picture.dtype == np.uint8 and np.abs(picture.astype(int) - depth).max() <= 1
            assert depth.min() == 0 and depth.max() == 255
        assert "base64" not in json.dumps(request.recorded)


def test_no_code_names_a_model():
    named = [
        path
        for path in (ROOT / "stages").rglob("*.py")
        if re.search(r"gpt-\d|davinci|llama|claude|gemini", path.read_text())
    ]
    assert not named


# PointCLIP V2's corpora


def slice_of(name):
    path = SLICES / name
    if not path.exists():
        pytest.skip(f"{path} is missing: set SLICES_DIR to the folder with the slices")
    return path.read_bytes()


LISTS = yaml.safe_load((ROOT / "prompts/bundled/classes.yaml").read_text())
SCANOBJECTNN, PARTS = tuple(LISTS["scanobjectnn"]), LISTS["shapenetpart"]


def test_the_classification_corpus_has_1200_sentences_a_class_and_feeds_the_search():
    found = parse_corpus(slice_of("scanobjectnn_1000.json"), classes=SCANOBJECTNN, part_names=None, source="s.json")
    assert [subject.class_name for subject in found] == list(SCANOBJECTNN)
    assert {len(texts) for texts in found.values()} == {1200}
    rng = np.random.default_rng(0)
    rows = [(c, name, "v2_corpus", text) for c, name in enumerate(SCANOBJECTNN) for text in found[Subject(name)]]
    rows += [(c, name, "start", name) for c, name in enumerate(SCANOBJECTNN)]
    classes, class_names, sets, texts = zip(*rows, strict=True)
    prompts = Prompts(np.array(classes), class_names, sets, texts, unit(rng.normal(size=(len(rows), 16))))
    labels = np.arange(60) % 15
    features = Features(unit(rng.normal(size=(60, 2, 16))), labels, SCANOBJECTNN, 100.0)
    config = Search(**load_params(ROOT).search.__dict__ | {"candidates": ("v2_corpus",), "start": "start"})
    pool = PromptPool.from_prompts(prompts, SCANOBJECTNN, config)
    assert np.diff(pool.candidates.offsets).tolist() == [1200] * 15
    chosen = PROTOCOLS["search_train"].run({"train": features}, pool, config)
    assert [prompts.classes[row] for ids in chosen["prompts"] for row in ids] == list(range(15))


def unit(values):
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def test_the_part_corpus_has_about_720_sentences_a_part_in_the_order_of_the_labels():
    content = slice_of("shapenetpart_700.json")
    found = parse_corpus(content, classes=tuple(PARTS), part_names=tuple(map(tuple, PARTS.values())), source="p.json")
    counts = Counter(len(texts) for texts in found.values())
    theirs = json.loads(content)
    assert counts == Counter(len(texts) for parts in theirs.values() for texts in parts.values())
    assert all(716 <= count <= 720 for count in counts)
    assert found[Subject("chair", "arm")] == theirs["chair"]["armrest"]
    assert [subject.part for subject in found if subject.class_name == "lamp"] == list(PARTS["lamp"][:2])


@pytest.mark.parametrize("backbone", ["rn50", "rn101", "vit_b16", "vit_b32"])
def test_searched_sentences_and_view_weights_of_classification(backbone):
    content = slice_of("best_params_classification.json")
    found = parse_searched(
        content, name="scanobjectnn", backbone=backbone, classes=SCANOBJECTNN, part_names=None, source="b.json"
    )
    values = json.loads(content)
    assert list(found.sentences.values()) == [[text] for text in values[f"scanobjectnn_{backbone}_test_prompts"]]
    assert found.view_weights["sofa"] == values[f"scanobjectnn_{backbone}_test_weights"]


def test_searched_sentences_and_view_weights_of_segmentation():
    content = slice_of("best_params_segmentation.json")
    parts = tuple(map(tuple, PARTS.values()))
    found = parse_searched(
        content, name="shapenetpart", backbone="vit_b16", classes=tuple(PARTS), part_names=parts, source="b"
    )
    values = json.loads(content)
    assert found.sentences[Subject("chair", "leg")] == [values["best_prompt"]["chair"][2]]
    assert found.view_weights == values["best_vweight"]


def test_python_literals_are_read_and_nothing_is_run(tmp_path):
    trap = tmp_path / "trap"
    good = b"a = {}\na['x'] = ['it\\'s', 2]\nb = {'y': [0.5]}\n"
    assert read_literals(good, source="p.py") == {"a": {"x": ["it's", 2]}, "b": {"y": [0.5]}}
    for bad in (
        f"a = open({str(trap)!r}, 'w')",
        "import os",
        "a = {}\na[print()] = 1",
        "x.y = 1",
        "a['x'] = 1",
        "a = [",
    ):
        with pytest.raises(InputError, match="p.py: expected assignments of Python literals"):
            read_literals(bad.encode(), source="p.py")
    assert not trap.exists()


def test_a_file_is_taken_only_with_the_expected_blob_id():
    # `printf 'hello\n' | git hash-object --stdin`
    assert check_blob(b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a", source="f") == b"hello\n"
    with pytest.raises(InputError, match="f: git blob id .*, expected ce01"):
        check_blob(b"hello", "ce013625030ba8dba906f756967f9e9ca394464a", source="f")


def test_missing_classes_and_backbones_are_named():
    with pytest.raises(InputError, match="c.json: no sentences for class 'sofa'; it has chair"):
        parse_corpus(b'{"chair": []}', classes=("chair", "sofa"), part_names=None, source="c.json")
    with pytest.raises(InputError, match="b.py: no x_vit_test_prompts; backbone vit of x was not searched"):
        names = {"name": "x", "backbone": "vit", "classes": ("a",), "part_names": None}
        parse_searched(b"best_prompt_weight = {}", source="b.py", **names)
