"""Words that a backbone has never seen are said, instead of giving every class the same share in silence."""

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import embed, evaluate
from stages.artifacts.parquet import read_parquet
from stages.artifacts.prompts import PROMPT_COLUMNS, read_prompts, write_prompts
from stages.artifacts.types import Prompts
from stages.backbones.loading import load_backbone
from stages.backbones.vocabulary import unknown_words
from stages.commands.pointclip.main import main as pointclip
from stages.config.params import load_params

ROOT = Path(__file__).parents[1]
IDS = {"": 0, "chair": 1, "desk": 2, "cow": 3, "of": 4, "barn": 5}  # 0 fills up; "barn of" has a known token


def tokenize(texts):
    """Rows of two tokens: a word's own, or those of "barn" and "of" for "barnof"."""
    rows = [[5, 4] if text == "barnof" else [IDS[text], 0] for text in texts]
    return torch.tensor(rows)


@pytest.fixture(scope="module")
def table():
    """Token rows of which 0, 3 and 5 are zero: padding, "cow" and "barn"."""
    rows = torch.ones(6, 4)
    rows[[0, 3, 5]] = 0
    return rows


@pytest.fixture(scope="module")
def bundled():
    return load_backbone("bundled", load_params(ROOT).backbone["bundled"], device=torch.device("cpu"), root=ROOT)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], ()),
        ([""], ()),
        (["chair", "desk"], ()),
        (["chair", "cow", "Cow"], ("cow",)),
        (["chair of cow", "barnof"], ("cow", "barnof")),
        (["desk_cow, barn!"], ("cow", "barn")),
    ],
)
def test_a_word_with_a_token_without_a_row_is_unknown(texts, words, table):
    assert unknown_words(texts, tokenize=tokenize, table=table) == words


def test_a_table_without_zero_rows_and_none_at_all_know_every_word():
    assert unknown_words(["cow"], tokenize=tokenize, table=torch.ones(6, 4)) == ()
    assert unknown_words(["cow"], tokenize=tokenize, table=None) == ()


def test_the_bundled_backbone_knows_what_it_was_trained_on(bundled):
    assert bundled.unknown_words(["cow", "horse", "dog", "sheep"]) == ("cow", "sheep")
    assert bundled.unknown_words(["a chair", "table lamp", "saxophone"]) == ("saxophone",)
    assert bundled.unknown_words(["night stand", "TV stand", "table"]) == ()


@given(st.lists(st.text(max_size=12), max_size=4))
@settings(max_examples=30, deadline=None)
def test_any_text_has_its_unknown_words_told_once(bundled, texts):
    words = bundled.unknown_words(texts)
    assert len(set(words)) == len(words)
    assert bundled.unknown_words([*texts, *texts]) == words
    assert all(any(word in text.lower() for text in texts) for word in words)


def test_the_words_are_stored_only_where_there_are_some(tmp_path):
    features = np.eye(2, dtype="f4")
    known = Prompts(np.arange(2), ("chair", "cow"), ("s", "s"), ("a chair", "a cow"), features)
    write_prompts(tmp_path / "known.parquet", known)
    assert read_prompts(tmp_path / "known.parquet").unknown_words == ()
    assert read_parquet(tmp_path / "known.parquet", PROMPT_COLUMNS).schema.metadata is None
    some = Prompts(np.arange(2), ("chair", "cow"), ("s", "s"), ("a chair", "a cow"), features, ("cow",))
    write_prompts(tmp_path / "some.parquet", some)
    assert read_prompts(tmp_path / "some.parquet").unknown_words == ("cow",)


# Names that it knows for the classes of home_objects whose own it has never read.
KNOWN = {"playground": "rocket", "shoes": "guitar", "teapot": "horse", "telephone": "dog"}
WARNING = "warning: backbone bundled does not know {}: to it these words of the class names mean nothing"


def test_classify_says_the_unknown_words_once(tmp_path, capsys):
    files = [tmp_path / name for name in ("one.stl", "two.stl")]
    for file in files:
        trimesh.creation.box((1, 2, 3)).export(file)
    pointclip(["classify", *map(str, files), "--labels", "cow, sheep, table"])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert len(lines) == 1 and lines[0].startswith(WARNING.format("cow, sheep"))


def test_embed_and_evaluate_say_the_unknown_words(tiny, tmp_path, capsys):
    checkout = tiny.copy(tmp_path / "checkout")
    checkout.set_params({"dataset.home_objects.display_names": KNOWN | {"chair": "cow"}})
    for stage, told in ((embed, 1), (evaluate, 1)):
        capsys.readouterr()
        stage.main("home_objects", "bundled", root=checkout.root)
        assert capsys.readouterr().err.count(WARNING.format("cow")) == told


def test_nothing_is_said_of_known_words(tiny, tmp_path, capsys):
    checkout = tiny.copy(tmp_path / "checkout")
    checkout.set_params({"dataset.home_objects.display_names": KNOWN})
    embed.main("home_objects", "bundled", root=checkout.root)
    evaluate.main("home_objects", "bundled", root=checkout.root)
    assert "does not know" not in capsys.readouterr().err
