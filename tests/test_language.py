"""Templates and display names."""

from pathlib import Path

import pytest

from stages.core.errors import InputError
from stages.language.prompts.templates import display_name, fill, parse_templates
from stages.language.prompts.waffle import waffle


def test_templates_are_lines_and_comments_are_not():
    assert parse_templates("# note\n\n a {}.\nthe {}\n", source="t.txt") == ("a {}.", "the {}")


@pytest.mark.parametrize("line", ["a chair", "{} {}", "a {class}", "a {"])
def test_a_line_without_one_place_is_refused(line):
    with pytest.raises(InputError, match="t.txt: line 2: expected exactly one"):
        parse_templates(f"a {{}}.\n{line}\n", source="t.txt")


def test_an_empty_file_is_refused():
    with pytest.raises(InputError, match="t.txt: no template"):
        parse_templates("# nothing\n", source="t.txt")


def test_display_names():
    assert [display_name(name) for name in ("night_stand", "tv_stand", "sofa")] == ["night stand", "TV stand", "sofa"]
    assert fill(["a {}.", "the {}"], "night_stand") == ["a night stand.", "the night stand"]


def test_waffle_names_the_class_and_says_the_same_nonsense_of_every_class():
    chair, stand = (waffle(name, count=6, seed=0) for name in ("chair", "night_stand"))
    assert [text.replace("chair", "night stand") for text in chair] == stand
    assert len(set(chair)) == 6
    assert chair == waffle("chair", count=6, seed=0) != waffle("chair", count=6, seed=1)


@pytest.mark.parametrize(
    ("name", "count"), [("depth_map", 1), ("class_name", 1), ("simple", 8), ("depth_80", 80), ("v2_few_shot", 5)]
)
def test_the_template_files_hold_distinct_sentences(name, count):
    path = Path(__file__).parents[1] / f"prompts/templates/{name}.txt"
    assert len(set(parse_templates(path.read_text(), source=path.name))) == count
