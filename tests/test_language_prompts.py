"""Commands, requests, cleaning, the record and PointCLIP V2's corpora."""

import base64
import io
import json
import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from openai.types.chat import ChatCompletionMessageParam
from PIL import Image
from pydantic import TypeAdapter

from stages.artifacts.record import Record, open_record
from stages.artifacts.types import Features, Prompts
from stages.bundled.build_examples import example_maps
from stages.config.params import load_params
from stages.config.search import Search
from stages.core.errors import InputError
from stages.language.llm.cleaning import clean, names
from stages.language.llm.commands import parse_family
from stages.language.llm.corpora import check_blob, corpus, read_literals, searched
from stages.language.llm.generation import missing, plan, subjects_of
from stages.language.llm.requests import SETS, Dialect, Example, PromptSet, Subject, requests_for
from stages.prompt_search.protocols import PROTOCOLS, PromptPool

ROOT = Path(__file__).parents[1]
SLICES = Path(os.environ.get("SLICES_DIR", ROOT.parent / "shared/data")) / "pointclip_v2"
DIALECT = Dialect(model="toy", token_limit="max_tokens", temperature=True)
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


def planned(subjects, *, sets=tuple(SETS), **changes):
    return plan(sets, subjects, families=families() | changes, examples=examples(), dialect=DIALECT)


def test_a_command_is_filled_and_answer_i_is_about_view_i(monkeypatch):
    monkeypatch.setitem(SETS, "toy", PromptSet(families=("toy",), many=True))
    toy = {"toy": parse_family(FAMILY, source="toy.yaml")}
    asked = list(requests_for("toy", Subject("armchair"), families=toy, examples=(), dialect=DIALECT))
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
    keys = {one.key for one in missing(planned([CHAIR]), {})}
    assert keys == {one.key for one in missing(planned([Subject("lamp"), CHAIR]), {})} & keys
    for dialect in (
        Dialect(model="other", token_limit="max_tokens", temperature=True),
        Dialect(model="toy", token_limit="max_completion_tokens", temperature=True),
        Dialect(model="toy", token_limit="max_tokens", temperature=False),
    ):
        other = plan(SETS, [CHAIR], families=families(), examples=examples(), dialect=dialect)
        assert keys.isdisjoint(one.key for one in missing(other, {}))


def test_a_changed_command_file_is_asked_anew_and_no_other():
    answers = {one.key: {} for one in missing(planned([CHAIR, BACK]), {})}
    text = (ROOT / "prompts/commands/question.yaml").read_text()
    changed = parse_family(text.replace("recognise", "know"), source="question.yaml")
    again = missing(planned([CHAIR, BACK], question=changed), answers)
    assert again and {one.family for one in again} == {"question"}


def test_a_new_class_is_asked_for_and_no_other():
    answers = {one.key: {} for one in missing(planned(subjects_of(("chair", "lamp"), None)), {})}
    again = missing(planned(subjects_of(("chair", "kayak", "lamp"), None)), answers)
    assert again and {one.subject.class_name for one in again} == {"kayak"}


def test_requests_with_pictures_are_valid_and_show_the_rendered_maps(monkeypatch):
    monkeypatch.chdir(ROOT)
    asked = missing(planned([CHAIR], sets=("llm_four_images", "llm_one_v1_images", "llm_one_v2_images")), {})
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


def words(text):
    return len(text.split()) + 2


CLEANING = {
    "A depth map of a chair.": ["A depth map of a chair."],
    "1. A chair is here.\n2) A chair, with legs.\n- The chair\n(3) A chair of wood": [
        "A chair is here.",
        "A chair, with legs.",
        "The chair",
        "A chair of wood",
    ],
    '"A chair in gray."': ["A chair in gray."],
    "**A chair with arms**": ["A chair with arms"],
    "The “chair” is near.": ["The “chair” is near."],
    "3D model of a chair.": ["3D model of a chair."],
    "": {"empty": 1},
    "\n \n": {"empty": 1},
    "...": {"empty": 1},
    "Sure, here are ten:\nA chair is gray.": (["A chair is gray."], {"preamble": 1}),
    "Here are 38 captions of a chair.\nHere is a chair.": (["Here is a chair."], {"preamble": 1}),
    "I'm sorry, but I can't help with a chair.": {"refusal": 1},
    "As an AI, I have no chair.": {"refusal": 1},
    "Un mapa de profundidad de una silla con la chair.": {"other language": 1},
    "Eine Tiefenkarte von einem Stuhl, chair und Lehne": {"other language": 1},
    "Карта глубины: chair of a": {"other language": 1},
    "A depth map of a lamp.": {"class not named": 1},
    "An armchair with a seat.": {"class not named": 1},
    "A chair " + "and a chair " * 30: {"too long": 1},
    "A chair is gray.\na CHAIR is gray.": (["A chair is gray."], {"duplicate": 1}),
}


@pytest.mark.parametrize("answer", CLEANING)
def test_what_becomes_of_an_answer(answer):
    expected = CLEANING[answer]
    kept, dropped = (
        expected if isinstance(expected, tuple) else (expected, {}) if isinstance(expected, list) else ([], expected)
    )
    cleaned = clean([(answer, "stop")], prompt_set=PromptSet(families=()), subject=CHAIR, count_tokens=words)
    assert (cleaned.sentences, dict(cleaned.dropped)) == (kept, dropped)


def test_the_end_of_an_answer_tells_what_is_left_out():
    arguments = {"prompt_set": PromptSet(families=()), "subject": CHAIR, "count_tokens": words}
    assert clean([("A chair is gray.\nA chair of", "length")], **arguments) == (
        ["A chair is gray."],
        Counter({"cut off": 1}),
    )
    assert clean([("A chair is gray.", "content_filter")], **arguments) == ([], Counter({"refusal": 1}))


def test_a_set_demands_the_part_or_the_beginning():
    part = clean(
        [("The back of a chair.\nThe seat of a chair.", "stop")],
        prompt_set=PromptSet(families=()),
        subject=BACK,
        count_tokens=words,
    )
    assert part == (["The back of a chair."], Counter({"part not named": 1}))
    begun = clean(
        [("A depth map of a chair would show legs.\nA chair has a seat.", "stop")],
        prompt_set=SETS["llm_one_v2_images"],
        subject=CHAIR,
        count_tokens=words,
    )
    assert begun == (["A depth map of a chair would show legs."], Counter({"wrong beginning": 1}))


@pytest.mark.parametrize("text", ["a night stand", "Nightstands are low", "the night-stand's top", "a Night_Stand"])
def test_a_class_is_named_in_any_spelling(text):
    assert names(text, "night_stand")
    assert not names(text, "stand_night")


def test_a_record_takes_answers_over_from_the_journal_of_a_killed_run(tmp_path):
    path = tmp_path / "toy.jsonl"
    path.write_text('{"key": "b", "answer": "old"}\n')
    journal = tmp_path / "toy.jsonl.journal"
    journal.write_text('{"key": "a", "answer": "é"}\n{"key": "c", "ans')
    with (
        pytest.warns(UserWarning, match="toy.jsonl.journal: line 2 is cut off and left out"),
        open_record(path) as record,
    ):
        assert sorted(record.answers) == ["a", "b"]
        record.add({"key": "d", "answer": "new"})
        assert journal.read_text() == '{"answer": "new", "key": "d"}\n'  # killed again, it is read again
        with pytest.raises(ValueError, match="key d is there already"):
            record.add({"key": "d", "answer": "twice"})
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["a", "b", "d"]
    assert not journal.exists()
    assert "é" in path.read_text()


def test_a_record_keeps_its_answers_when_the_run_fails(tmp_path):
    path = tmp_path / "toy.jsonl"
    with pytest.raises(KeyboardInterrupt), open_record(path) as record:
        record.add({"key": "a"})
        assert Record(path).answers == {"a": {"key": "a"}}  # on disk at once
        raise KeyboardInterrupt
    assert path.read_text() == '{"key": "a"}\n'


@pytest.mark.parametrize("line", ["{", "[]", '{"answer": 1}', "7"])
def test_a_damaged_record_is_one_line(line, tmp_path):
    (tmp_path / "toy.jsonl").write_text(f'{{"key": "a"}}\n{line}\n')
    with pytest.raises(InputError, match="toy.jsonl: line 2: expected one JSON object with a key"):
        Record(tmp_path / "toy.jsonl")


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
    found = corpus(slice_of("scanobjectnn_1000.json"), classes=SCANOBJECTNN, part_names=None, source="s.json")
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
    found = corpus(content, classes=tuple(PARTS), part_names=tuple(map(tuple, PARTS.values())), source="p.json")
    counts = Counter(len(texts) for texts in found.values())
    theirs = json.loads(content)
    assert counts == Counter(len(texts) for parts in theirs.values() for texts in parts.values())
    assert all(716 <= count <= 720 for count in counts)
    assert found[Subject("chair", "arm")] == theirs["chair"]["armrest"]
    assert [subject.part for subject in found if subject.class_name == "lamp"] == list(PARTS["lamp"][:2])


@pytest.mark.parametrize("backbone", ["rn50", "rn101", "vit_b16", "vit_b32"])
def test_searched_sentences_and_view_weights_of_classification(backbone):
    content = slice_of("best_params_classification.json")
    found = searched(
        content, name="scanobjectnn", backbone=backbone, classes=SCANOBJECTNN, part_names=None, source="b.json"
    )
    values = json.loads(content)
    assert list(found.sentences.values()) == [[text] for text in values[f"scanobjectnn_{backbone}_test_prompts"]]
    assert found.view_weights["sofa"] == values[f"scanobjectnn_{backbone}_test_weights"]


def test_searched_sentences_and_view_weights_of_segmentation():
    content = slice_of("best_params_segmentation.json")
    parts = tuple(map(tuple, PARTS.values()))
    found = searched(
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
        corpus(b'{"chair": []}', classes=("chair", "sofa"), part_names=None, source="c.json")
    with pytest.raises(InputError, match="b.py: no x_vit_test_prompts; backbone vit of x was not searched"):
        searched(b"best_prompt_weight = {}", name="x", backbone="vit", classes=("a",), part_names=None, source="b.py")
