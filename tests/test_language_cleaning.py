"""What becomes of an answer, line by line, and how the record keeps it."""

import json
from collections import Counter
from pathlib import Path

import pytest

from stages.artifacts.record import Record, open_record
from stages.core.errors import InputError
from stages.language.llm.cleaning import clean, names
from stages.language.llm.sets import PromptSet, parse_prompt_sets
from stages.language.llm.subjects import Subject

ROOT = Path(__file__).parents[1]
SETS = parse_prompt_sets((ROOT / "prompts/sets.yaml").read_text(), source="sets.yaml")
ANY = PromptSet(families=("caption",))
CHAIR, BACK = Subject("chair"), Subject("chair", "back")

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
    # reasoning
    "<think>The chair is a thing of\nlegs.</think>\nA chair is gray.": (["A chair is gray."], {"reasoning": 1}),
    "The chair is a thing.\n</think>\n\nA chair is gray.": (["A chair is gray."], {"reasoning": 1}),
    "A chair is gray.\n<think>Is the chair one?": (["A chair is gray."], {"reasoning": 1}),
    "<think>\n\n</think>\nA chair is gray.": (["A chair is gray."], {"reasoning": 1}),
    "[THINK]The chair is a thing.[/THINK]A chair is gray.": (["A chair is gray."], {"reasoning": 1}),
    "<thinking>The chair is a thing.</thinking>": {"reasoning": 1},
    "<|channel|>analysis<|message|>The chair is what the user wants.<|end|><|start|>assistant<|channel|>final"
    "<|message|>A chair is gray.<|return|>": (["A chair is gray."], {"reasoning": 1}),
    "A chair is gray.<|im_end|>": ["A chair is gray."],
    "A chair is gray.</s>": ["A chair is gray."],
    # JSON
    '["A chair is gray.", "The chair is a \\"thing\\"."]': ["A chair is gray.", 'The chair is a "thing".'],
    '```json\n{"captions": [{"id": 1, "a chair": "A chair is gray."}]}\n```': (["A chair is gray."], {"markup": 2}),
    '[\n  "A chair is gray.",\n  "The chair is a': ["A chair is gray."],
    '{"chair": "A chair is gray.",\n "the chair": "The chair is near."': ["A chair is gray.", "The chair is near."],
    '{"text": "A chair is gray."}\n{"text": "The chair is near."}': ["A chair is gray.", "The chair is near."],
    '"A chair is gray.",\n"The chair is near."': ["A chair is gray.", "The chair is near."],
    "[A chair is gray.]": ["[A chair is gray.]"],
    # Markdown
    "# Captions of the chair\n\n1. **A chair** is gray.\n---\n": (["A chair is gray."], {"markup": 2}),
    "| # | A caption of the chair |\n|---|---|\n| 1 | A chair is gray. |": (
        ["A caption of the chair", "A chair is gray."],
        {"markup": 1, "empty": 1, "other language": 1},
    ),
    "> A *chair* is `gray`.\n* __The chair__ is near.": ["A chair is gray.", "The chair is near."],
    "- [ ] A [chair](http://x.y/z) is gray.": ["A chair is gray."],
    "<li>A chair is gray &amp; near.</li>": ["A chair is gray & near."],
    "```\nA chair is gray.\n```": (["A chair is gray."], {"markup": 2}),
    # numbering
    "1\\. A chair is gray.\n[2] The chair is near.\nCaption 3: A chair of wood.\na) A chair, near.": [
        "A chair is gray.",
        "The chair is near.",
        "A chair of wood.",
        "A chair, near.",
    ],
    "1. \"A chair is gray.\"\n2. 'The chair is near.'": ["A chair is gray.", "The chair is near."],
    "3 legs hold the chair.": ["3 legs hold the chair."],
    "A chair. It is gray.": ["A chair. It is gray."],
    # what is said around them
    "Certainly! Here are 38 sentences:\nA chair is gray.\nLet me know if the chair should be red!": (
        ["A chair is gray."],
        {"preamble": 1, "closing": 1},
    ),
    "A chair is gray.\nNote: each names the chair.\nI hope this helps with the chair.": (
        ["A chair is gray."],
        {"closing": 2},
    ),
    "Note how the chair stands on a floor.": ["Note how the chair stands on a floor."],
}


@pytest.mark.parametrize("answer", CLEANING)
def test_what_becomes_of_an_answer(answer):
    expected = CLEANING[answer]
    kept, dropped = (
        expected if isinstance(expected, tuple) else (expected, {}) if isinstance(expected, list) else ([], expected)
    )
    cleaned = clean([(answer, "stop")], prompt_set=ANY, subject=CHAIR)
    assert (cleaned.sentences, dict(cleaned.dropped)) == (kept, dropped)


def test_the_end_of_an_answer_tells_what_is_left_out():
    arguments = {"prompt_set": ANY, "subject": CHAIR}
    assert clean([("A chair is gray.\nA chair of", "length")], **arguments) == (
        ["A chair is gray."],
        Counter({"cut off": 1}),
    )
    assert clean([("A chair is gray.", "content_filter")], **arguments) == ([], Counter({"refusal": 1}))


def test_a_set_demands_the_part_or_the_beginning():
    part = clean(
        [("The back of a chair.\nThe seat of a chair.", "stop")],
        prompt_set=ANY,
        subject=BACK,
    )
    assert part == (["The back of a chair."], Counter({"part not named": 1}))
    begun = clean(
        [("A depth map of a chair would show legs.\nA chair has a seat.", "stop")],
        prompt_set=SETS["llm_one_v2_images"],
        subject=CHAIR,
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
        assert sorted(record.lines) == ["a", "b"]
        record.add({"key": "d", "answer": "new"})
        assert journal.read_text().splitlines()[1:] == [
            '{"answer": "new", "key": "d"}'
        ]  # killed again, it is read again
        with pytest.raises(ValueError, match="key d is there already"):
            record.add({"key": "d", "answer": "twice"})
        record.add({"key": "d", "answer": "second", "attempt": 2})
        assert [line["answer"] for line in record.lines["d"]] == ["new", "second"]
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["a", "b", "d", "d"]
    assert not journal.exists()
    assert "é" in path.read_text()


def test_a_record_keeps_its_answers_when_the_run_fails(tmp_path):
    path = tmp_path / "toy.jsonl"
    with pytest.raises(KeyboardInterrupt), open_record(path) as record:
        record.add({"key": "a"})
        assert Record(path).lines == {"a": [{"key": "a"}]}  # on disk at once
        raise KeyboardInterrupt
    assert path.read_text() == '{"key": "a"}\n'


@pytest.mark.parametrize("line", ["{", "[]", '{"answer": 1}', "7"])
def test_a_damaged_record_is_one_line(line, tmp_path):
    (tmp_path / "toy.jsonl").write_text(f'{{"key": "a"}}\n{line}\n')
    with pytest.raises(InputError, match="toy.jsonl: line 2: expected one JSON object with a key"):
        Record(tmp_path / "toy.jsonl")
