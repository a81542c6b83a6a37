"""Extract and embed: what they write is the model's, reading goes ahead, and a backbone is added by one entry."""

import json
import shutil
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from shard_files import ONE, depth_folder

from stages import embed, extract, render
from stages.artifacts.depth import open_depth
from stages.artifacts.features import read_features
from stages.artifacts.paths import Paths
from stages.artifacts.points import write_points
from stages.artifacts.prompts import read_prompts
from stages.artifacts.sentences import write_sentences
from stages.artifacts.types import Clouds, PointCloudDataset, SentenceTable
from stages.backbones.clip import ClipModel
from stages.backbones.loading import build, load_backbone, register
from stages.config.params import load_params as load_settings
from stages.core.errors import InputError

ROOT = Path(__file__).parents[1]
CLASSES = ("chair", "night stand")
VIEWS = ("front", "back", "top")
TINY = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "patch_size": 16, "head_width": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
}
ENTRY = """backbone:
  mine:
    architecture: weights/mine.json
    pretrained: weights/mine.safetensors
    normalise: clip
    precision: fp32
"""


def write_depth(path, counts, *, seed=0):
    """Maps of random bytes, `counts` samples a split; as they are read back, by split."""
    generator = np.random.default_rng(seed)
    options = {"classes": CLASSES, "views": VIEWS, "polarity": "white_background", "dtype": "u1"}
    with depth_folder(path, counts, **options) as writer:
        for split, count in counts.items():
            depth = generator.integers(0, 256, (count, len(VIEWS), 20, 20)).astype("f4") / np.float32(255)
            writer.append(split, writer.packed(depth), np.arange(count) % len(CLASSES))
    with open_depth(path) as maps:
        return {split: maps.depth(split) for split in counts}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with points, depth maps, prompts and a params.yaml that has one entry more: backbone `mine`."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "prompts/templates", "prompts/templates")
    params = (ROOT / "params.yaml").read_text().replace("backbone:\n", ENTRY, 1)
    blobs = "dataset:\n  blobs: {reader: folder, up_axis: y, licence: none}\n"
    Path("params.yaml").write_text(params.replace("dataset:\n", blobs, 1))
    sets = [(name, number, label) for name in ("llm_four", "llm_1200") for number, label in enumerate(CLASSES)]
    written, numbers, labels = zip(*sets, strict=True)
    texts = tuple(f"a {label} as {name} has it" for name, _, label in sets)
    wording = SentenceTable(written, np.array(numbers), labels, ("",) * len(sets), texts)
    write_sentences(Paths().sentences("blobs"), wording)
    Path("weights").mkdir()
    Path("weights/mine.json").write_text(json.dumps(TINY))
    torch.manual_seed(0)
    save_file(build(register(Path("weights/mine.json"))).state_dict(), "weights/mine.safetensors")
    points = {"test": Clouds(np.ones((2, 4, 3), "f4"), np.arange(2))}
    write_points(Paths().points("blobs"), PointCloudDataset(CLASSES, "y", points))
    return tmp_path


def mine():
    return load_backbone("mine", load_settings().backbone_entry("mine"), device=torch.device("cpu"))


def test_a_backbone_is_added_by_one_entry(place):
    depth = write_depth(Paths().depth("blobs"), {"train": 5, "test": 3})
    extract.main("blobs", "mine")
    embed.main("blobs", "mine")
    for split, maps in depth.items():
        found = read_features(Paths().features("blobs", "mine"), split)
        assert found.classes == CLASSES
        np.testing.assert_allclose(found.values, mine().encode_depth(maps, batch_size=7), atol=1e-6)
        np.testing.assert_array_equal(found.labels, np.arange(len(maps)) % len(CLASSES))
    prompts = read_prompts(Paths().prompts("blobs", "mine"))
    assert prompts.features.shape == (len(prompts.texts), TINY["embed_dim"])


def test_published_sets_come_with_their_view_weights_and_missing_ones_are_named(place, capsys):
    params = load_settings(overrides={"embed.sets": ["v2_searched_mine", "v2_corpus", "simple"]})
    texts = tuple(f"the best {label}" for label in CLASSES)
    weights = {"v2_searched_mine": dict.fromkeys(CLASSES, [0.25, 1.0])}
    columns = ("v2_searched_mine",) * len(CLASSES), np.arange(len(CLASSES)), CLASSES, ("",) * len(CLASSES)
    write_sentences(Paths().sentences("blobs"), SentenceTable(*columns, texts, weights))
    embed.main("blobs", "mine", params=params)
    prompts = read_prompts(Paths().prompts("blobs", "mine"))
    assert prompts.view_weights == {"v2_searched_mine": [0.25, 1.0]}
    assert set(prompts.sets) == {"v2_searched_mine", "simple"}
    assert "note: blobs has no sentences of v2_corpus: left out" in capsys.readouterr().out
    with pytest.raises(InputError, match="embed.sets: blobs has sentences of none of them: v2_corpus"):
        embed.main("blobs", "mine", params=load_settings(overrides={"embed.sets": ["v2_corpus"]}))


def test_features_straight_from_points_are_those_of_the_stored_maps(place):
    clouds = np.random.default_rng(0).normal(size=(5, 200, 3)).astype("f4")
    splits = {"train": Clouds(clouds[:3], np.arange(3) % 2), "test": Clouds(clouds[3:], np.arange(2))}
    write_points(Paths().points("blobs"), PointCloudDataset(CLASSES, "z", splits))
    render.main("blobs")
    extract.main("blobs", "mine")
    stored = {split: read_features(Paths().features("blobs", "mine"), split) for split in splits}
    shutil.rmtree(Paths().depth("blobs"))
    set_params("maps: depth", "maps: points")
    extract.main("blobs", "mine")
    for split, expected in stored.items():
        found = read_features(Paths().features("blobs", "mine"), split)
        assert found.classes == expected.classes and found.values.shape == expected.values.shape
        np.testing.assert_array_equal(found.labels, expected.labels)
        assert 0.9999 < (found.values * expected.values).sum(-1).min() < 1.0001  # maps on disk are rounded to 1/255


def test_a_bad_cloud_on_the_way_is_one_line(place):
    points = {"test": Clouds(np.ones((2, 4, 3), "f4"), np.arange(2))}
    write_points(Paths().points("blobs"), PointCloudDataset(CLASSES, "y", points))
    set_params("maps: depth", "maps: points")
    with pytest.raises(InputError, match="points/blobs: test: sample 0: expected points 1e-30 to 1e30 apart"):
        extract.main("blobs", "mine")
    assert not Paths().features("blobs", "mine").exists()


@pytest.mark.parametrize("batch_size", [1, 4, 6, 100])
def test_batches_do_not_change_the_order(place, batch_size):
    depth = write_depth(Path("maps"), {"test": 7})["test"]
    with open_depth(Path("maps")) as maps:
        params = load_settings(overrides={"extract.batch_size": batch_size})
        encoder = extract.Encoder(Path("maps"), "mine", params, Path(), maps=21)
        found = encoder.encode(maps, "test", slice(0, 7), lambda _: None)
    np.testing.assert_allclose(found, mine().encode_depth(depth, batch_size=21), atol=1e-6)


@pytest.mark.parametrize(("count", "samples"), [(7, 2), (7, 7), (3, 5), (6, 1)])
def test_chunks_are_all_maps_in_order(tmp_path, count, samples):
    depth = write_depth(tmp_path / "maps", {"test": count})["test"]
    with open_depth(tmp_path / "maps") as maps:
        chunks = list(maps.chunks("test", slice(0, count), samples))
    assert [len(chunk) for chunk in chunks[:-1]] == [samples] * (len(chunks) - 1)
    np.testing.assert_array_equal(np.concatenate(chunks), depth)


def test_the_next_chunk_is_read_while_the_caller_works(tmp_path, monkeypatch):
    write_depth(tmp_path / "maps", {"test": 4})
    second = threading.Event()
    with open_depth(tmp_path / "maps") as maps:
        read = maps.depth

        def seen(split, rows):
            if rows.start == 1:
                second.set()
            return read(split, rows)

        monkeypatch.setattr(maps, "depth", seen)
        chunks = maps.chunks("test", slice(0, 4), 1)
        next(chunks)
        assert second.wait(timeout=30)
        chunks.close()


def test_damage_that_the_reader_meets_ahead_is_one_line(tmp_path):
    path = tmp_path / "maps"
    write_depth(path, {"test": 6})
    file = path / ONE
    damaged = bytearray(file.read_bytes())
    with h5py.File(file) as written:
        stored = written["test/depth"].id.get_chunk_info(4)
    damaged[stored.byte_offset : stored.byte_offset + stored.size] = bytes(stored.size)
    file.write_bytes(damaged)
    with open_depth(path) as maps, pytest.raises(InputError, match="maps/00000.h5: /test/depth is damaged"):
        list(maps.chunks("test", slice(0, 6), 1))


@pytest.fixture
def encoded(monkeypatch):
    """The sentences that reach the model, in order."""
    sentences = []
    encode = ClipModel.encode_text

    def seen(self, texts, *, batch_size):
        sentences.extend(texts)
        return encode(self, texts, batch_size=batch_size)

    monkeypatch.setattr(ClipModel, "encode_text", seen)
    return sentences


def set_params(old, new):
    text = Path("params.yaml").read_text()
    assert old in text
    Path("params.yaml").write_text(text.replace(old, new, 1))


def test_only_new_sentences_are_encoded_and_the_bytes_are_those_without_a_cache(place, encoded):
    prompts = Paths().prompts("blobs", "mine")
    embed.main("blobs", "mine")
    first, texts = prompts.read_bytes(), set(encoded)
    assert len(encoded) == len(texts) == len(set(read_prompts(prompts).texts))
    encoded.clear()
    embed.main("blobs", "mine")
    assert not encoded
    assert prompts.read_bytes() == first

    Path("prompts/templates/new.txt").write_text("a brand new depth map of a {}.\na {}.\n")
    set_params("    - depth_map\n", "    - depth_map\n    - new\n")
    embed.main("blobs", "mine")
    assert {f"a brand new depth map of a {name}." for name in CLASSES} <= set(encoded)
    assert not set(encoded) & texts
    warm = prompts.read_bytes()
    shutil.rmtree("data/cache")
    embed.main("blobs", "mine")
    assert prompts.read_bytes() == warm


def test_other_weights_do_not_meet_the_old_features(place, encoded):
    embed.main("blobs", "mine")
    count = len(encoded)
    torch.manual_seed(1)
    save_file(build(register(Path("weights/mine.json"))).state_dict(), "weights/mine.safetensors")
    embed.main("blobs", "mine")
    assert len(encoded) == 2 * count


def test_a_damaged_cache_is_one_line(place):
    embed.main("blobs", "mine")
    (cache,) = Path("data/cache/text").iterdir()
    cache.write_bytes(b"PAR1")
    with pytest.raises(InputError, match=f"{cache}: not a readable Parquet file"):
        embed.main("blobs", "mine")
