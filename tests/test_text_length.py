"""How much of a sentence a backbone reads, by its own tokenizer, and what embed says of what it does not."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer

from stages.backbones.clip import ClipModel
from stages.backbones.loading import build, register
from stages.backbones.tokens import are_cut, context_length
from stages.embed import _cut_lines

ROOT = Path(__file__).parents[1]
TEXTS = [" ".join(["chair"] * count) for count in range(0, 40)]


@pytest.mark.parametrize("length", [8, 32])
def test_a_sentence_is_cut_when_it_has_more_tokens_than_the_tower_reads(length):
    tokenize = SimpleTokenizer(context_length=length)
    assert context_length(tokenize) == length
    tokens = np.array([len(tokenize.encode(text)) + 2 for text in TEXTS])
    assert (tokens == length).any() and (tokens == length + 1).any()
    np.testing.assert_array_equal(are_cut(tokenize, TEXTS), tokens > length)


@pytest.mark.parametrize("end", [[1], []], ids=["padded with the end token, as SigLIP's", "without an end token"])
def test_tokenizers_with_other_ends_and_padding(end):
    """Word i is token 2 + i; the end is 1 or none, and so is the padding."""

    def tokenize(texts, context_length=5):
        rows = [[2 + i for i, _ in enumerate(text.split())][: context_length - len(end)] + end for text in texts]
        return torch.tensor([row + [1] * (context_length - len(row)) for row in rows])

    assert are_cut(tokenize, TEXTS[:8]).tolist() == [count + len(end) > 5 for count in range(8)]


def test_the_bundled_sentences_are_counted_for_a_tower_of_32_tokens():
    lines = (ROOT / "prompts/recorded/bundled.jsonl").read_text().splitlines()[:600]
    texts = [text for line in lines for text in json.loads(line)["answer"].splitlines()]
    tokenize = SimpleTokenizer(context_length=32)
    cut = are_cut(tokenize, texts)
    assert cut.sum() == sum(len(tokenize.encode(text)) + 2 > 32 for text in texts) > 0
    assert not are_cut(SimpleTokenizer(), texts).any()


def test_embed_counts_and_shows_what_is_cut_by_prompt_set(tmp_path):
    config = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "patch_size": 16, "head_width": 8},
        "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
    }
    (tmp_path / "short.json").write_text(json.dumps(config))
    model = build(register(tmp_path / "short.json"))
    clip = ClipModel(
        model,
        SimpleTokenizer(context_length=8),
        normalisation="none",
        device=torch.device("cpu"),
        name="short",
    )
    sets, texts = ("mine", "mine", "mine", "simple"), (*TEXTS[5:8], TEXTS[6])
    assert _cut_lines(sets, texts, clip) == [
        "mine: 1 of 3 sentences are longer than the 8 tokens that short reads; their ends are cut off"
    ]
    features = clip.encode_text([TEXTS[6], TEXTS[7], TEXTS[20]], batch_size=8)
    np.testing.assert_array_equal(features[1], features[2])  # what is beyond is not read
