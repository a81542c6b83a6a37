"""params.yaml loads strictly, and says in one line what is wrong."""

from pathlib import Path

import pytest

from stages.config.params import load_params
from stages.core.errors import InputError

ROOT = Path(__file__).parents[1]


def test_the_committed_params_load():
    params = load_params(ROOT)
    assert set(params.select.classification) <= set(params.dataset)
    assert set(params.select.backbones) <= set(params.backbone)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  batch_size: 256  # depth", "  batch_sise: 256  # depth", "extract.batch_sise: unknown key"),
        (
            "  batch_size: 256  # depth",
            "  batch_size: '256'  # depth",
            "extract.batch_size: Input should be a valid integer",
        ),
        ("  batch_size: 256  # depth", "  # depth", "extract.batch_size: missing"),
        (
            "  batch_size: 256  # depth",
            "  batch_size: 256\n  batch_size: 8  # depth",
            "not valid YAML: key 'batch_size' is there twice",
        ),
        ("    sigma: null", "    sigma: 1e-3", "render.smooth.sigma"),
        ("  learning_rate: 0.002", "  learning_rate: 2e-3", "pretrain.learning_rate: Input should be a valid number"),
        ("  lookup: null", "  lookup: v3", "render.lookup: Input should be 'as_released' or 'corrected', got 'v3'"),
        ("  seed: 0\n  keep", "  seed: yes\n  keep", "search.seed: Input should be a valid integer, got true"),
        ("  fewshot: []", "  fewshot: [rooms]", "select.fewshot 'rooms': not among classification"),
        ("select:", "selekt:", "selekt: unknown key"),
        ("select:", "select: [", "not valid YAML"),
    ],
)
def test_a_wrong_file_gives_one_line_with_file_and_key(old, new, message, tmp_path):
    text = (ROOT / "params.yaml").read_text()
    assert old in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        load_params(tmp_path)
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected sections, got null"),
        (b"- select", "expected sections, got ['select']"),
        (b"a text", "expected sections, got 'a text'"),
        (b"select: {}\nlicence: \xe4\n", "expected UTF-8, got 'utf-8' codec can't decode byte 0xe4"),
        ("select: {}".encode("utf-16"), "expected UTF-8"),
        (b"select: \x00", "not valid YAML"),
        (b"select: !!python/none x", "not valid YAML"),
        (b"select: &again [*again]", "expected text, numbers, lists and keys"),
        (b"select: !!binary gIGC", "expected text, numbers, lists and keys"),
    ],
)
def test_a_file_that_holds_no_settings_is_one_line(content, message, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        load_params(tmp_path)
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_in_the_files_place_is_one_line(tmp_path):
    (tmp_path / "params.yaml").mkdir()
    with pytest.raises(InputError, match=r"params.yaml: cannot be read \(Is a directory\)"):
        load_params(tmp_path)


def test_a_missing_file_and_a_missing_entry(tmp_path):
    with pytest.raises(InputError, match=r"params.yaml: no such file"):
        load_params(tmp_path)
    params = load_params(ROOT)
    with pytest.raises(InputError, match=r"dataset.shapenet: no such entry; known are .*modelnet40"):
        params.dataset_entry("shapenet")
    with pytest.raises(InputError, match=r"backbone.vit_x: no such entry"):
        params.backbone_entry("vit_x")


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("select.data", "unknown key"),
        ("selected", "unknown key"),
        ("selected.datasets", "no such section"),
        ("select.datasets.first", "no such section"),
    ],
)
def test_an_override_of_an_unknown_key_is_one_line(key, says):
    with pytest.raises(InputError, match=rf"params\.yaml: {key}: {says}"):
        load_params(ROOT, overrides={key: ["modelnet40"]})
