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
        ("    sigma: null", "    sigma: 1e-3", "render.smooth.sigma"),
        ("  learning_rate: 0.002", "  learning_rate: 2e-3", "pretrain.learning_rate: Input should be a valid number"),
        ("  method: v2", "  method: 2", "render.method: Input should be a valid string, got 2"),
        ("  seed: 0\n  keep", "  seed: yes\n  keep", "search.seed: Input should be a valid integer, got True"),
        ("  fewshot: []", "  fewshot: [rooms]", "'rooms' of fewshot is not among classification"),
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


def test_a_missing_file_and_a_missing_entry(tmp_path):
    with pytest.raises(InputError, match=r"params.yaml: no such file"):
        load_params(tmp_path)
    params = load_params(ROOT)
    with pytest.raises(InputError, match=r"dataset.shapenet: no such entry; known are .*modelnet40"):
        params.dataset_entry("shapenet")
    with pytest.raises(InputError, match=r"backbone.vit_x: no such entry"):
        params.backbone_entry("vit_x")
