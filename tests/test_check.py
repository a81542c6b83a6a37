"""`python -m stages.commands.check` tells every mistake in params.yaml before anything runs."""

import copy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stages.commands.check import main, mistakes
from stages.config.params import load_document, set_key

ROOT = Path(__file__).parents[1]
DOCUMENT = load_document(ROOT)


def changed(changes):
    """The committed params.yaml with these full keys set."""
    document = copy.deepcopy(DOCUMENT)
    for key, value in changes.items():
        set_key(document, key, value, source="params.yaml")
    return document


def test_the_committed_file_has_no_mistakes(capsys):
    assert mistakes(DOCUMENT, ROOT) == []
    main(root=ROOT)
    assert capsys.readouterr().out == f"{ROOT}/params.yaml: no mistakes\n"


# (full key, value, the line)
MISTAKES = [
    ("dataset.rooms.reader", "scans", "dataset.rooms.reader 'scans': expected one of bundled_clouds, bundled_scans, "),
    ("dataset.rooms.reader", "json:read", "dataset.rooms.reader 'json:read': not found ("),
    (
        "dataset.rooms.reader",
        "no_such_package:read",
        "dataset.rooms.reader 'no_such_package:read': not found (No module",
    ),
    ("dataset.rooms.path", "data/raw/none.h5", "dataset.rooms.path: data/raw/none.h5: no such file or folder"),
    ("render.preset", "v3", "render.preset 'v3': expected one of v2_classification, "),
    ("render.method", "v3", "render.method 'v3': expected one of v2, v1, contour"),
    ("render.view_set", "v3", "render.view_set 'v3': expected one of "),
    ("render.smooth.kernel", "cauchy", "render.smooth.kernel 'cauchy': expected one of gaussian, "),
    ("render.smooth.window", [1, 4, 3], "render.smooth.window (1, 4, 3): expected three odd numbers"),
    ("render.crop", [20, 300], "render.crop (20, 300): expected [first, last + 1] inside the map"),
    ("render.resolution", 6, "render.resolution 6: expected 7 to 1024"),
    ("patches.preset", "v3", "patches.preset 'v3': expected one of v2_classification, "),
    ("detect.preset", "v3", "detect.preset 'v3': expected one of v2_classification, "),
    ("detect.proposals", ["cluster"], "detect.proposals 'cluster': expected one of ground_truth, clusters, detr3d"),
    ("detect.proposals", ["detr3d"], "detect.weights: null, expected the path of 3DETR's ScanNet weights"),
    ("detect.weights", "none.pth", "detect.weights: none.pth: no such file, expected 3DETR's ScanNet weights"),
    ("detect.templates", "mine", "detect.templates 'mine': {root}/prompts/templates/mine.txt: no such file"),
    ("detect.templates", "parts", "detect.templates 'parts': {root}/prompts/templates/parts.txt: line "),
    (
        "generate.sets",
        [*DOCUMENT["generate"]["sets"], "llm_12"],
        "generate.sets 'llm_12': expected one of llm_1200, llm_four, ",
    ),
    ("generate.examples", ["sofa"], "generate.examples 'sofa': {root}/prompts/examples/sofa.png: no such file"),
    ("generate.examples", [], "generate.examples: none, expected some for the sets that send pictures"),
    (
        "embed.sets",
        [*DOCUMENT["embed"]["sets"], "mine"],
        "embed.sets 'mine': {root}/prompts/templates/mine.txt: no such",
    ),
    (
        "embed.sets",
        [*DOCUMENT["embed"]["sets"], "parts"],
        "embed.sets 'parts': {root}/prompts/templates/parts.txt: line ",
    ),
    ("search.candidates", ["mine"], "search.candidates 'mine': expected one of embed.sets, depth_map, "),
    ("search.start", "parts", "search.start 'parts': expected one of embed.sets, depth_map, "),
    (
        "evaluate.protocols.ensemble",
        "mine",
        "evaluate.protocols.ensemble 'mine': expected one of embed.sets, depth_map, ",
    ),
    (
        "evaluate.protocols.label_free",
        "simple",
        "evaluate.protocols.label_free: expected another name than label_free, ",
    ),
    ("evaluate.view_weights", [1.0, 2.0], "evaluate.view_weights: 2 weights, expected 10, one a view"),
    (
        "train.methods",
        ["adaptor"],
        "train.methods 'adaptor': expected one of adapter, gaussian_discriminant, linear_probe, ",
    ),
    ("train.text", "mine", "train.text 'mine': expected one of embed.sets, "),
    ("train.text", "search_test", "train.text 'search_test': expected one of embed.sets, "),
    ("train.warmup_epochs", 20, "train.epochs 20: expected more than warmup_epochs"),
    ("segment.neutral", "a part", "segment.neutral: line 1: expected {{part}}, and {{category}} or not, got 'a part'"),
    (
        "segment.protocols.templates",
        "simple",
        "segment.protocols.templates 'simple': {root}/prompts/templates/simple.txt",
    ),
    ("segment.protocols.neutral", "parts", "segment.protocols.neutral: expected another name than neutral, "),
    ("segment.candidates", ["mine"], "segment.candidates 'mine': {root}/prompts/templates/mine.txt: no such file"),
    (
        "backbone.bundled.architecture",
        "mine.json",
        "backbone.bundled.architecture: mine.json: no such file, expected an ",
    ),
    ("backbone.bundled.architecture", "ViT-C", "backbone.bundled.architecture 'ViT-C': not an open_clip model name"),
    ("backbone.bundled.pretrained", "none.pt", "backbone.bundled.pretrained: none.pt: no such file, expected a local"),
    ("backbone.bundled.pretrained", "README.md", "backbone.bundled.pretrained: README.md: expected a file below data/"),
    (
        "sweep.kernels.values",
        ["box", "cauchy"],
        "sweep.kernels.values.1: render.smooth.kernel 'cauchy': expected one of ",
    ),
    ("sweep.kernels.param", "render.kernels", "sweep.kernels.values.0: render.kernels: unknown key"),
    ("sweep.text_inputs.values", [["mine"]], "sweep.text_inputs.values.0: search.candidates 'mine': expected one of "),
    ("sweep.text_inputs.fixed", {"serch.timed": True}, "sweep.text_inputs.values.0: serch.timed: no such section"),
    (
        "reproduce.overrides",
        {"train.methods": ["x"]},
        "reproduce.overrides: train.methods 'x': expected one of adapter, ",
    ),
    (
        "reproduce.overrides",
        {"extract.batch_size": 0},
        "reproduce.overrides: extract.batch_size: Input should be greater ",
    ),
]


@pytest.mark.parametrize(("key", "value", "line"), MISTAKES)
def test_a_name_or_file_that_is_not_there_is_one_line(key, value, line):
    found = mistakes(changed({key: value}), ROOT)
    assert found[0].startswith(line.format(root=ROOT)), found
    assert len(found) == 1
    assert "\n" not in found[0]


def test_a_weight_of_open_clip_is_known_by_its_tag():
    towers = {"select.backbones": ["vit_b16"]}
    assert mistakes(changed(towers), ROOT) == []
    [line] = mistakes(changed(towers | {"backbone.vit_b16.pretrained": "openay"}), ROOT)
    assert line.startswith(
        "backbone.vit_b16.pretrained 'openay': expected a local checkpoint or one of open_clip's tags"
    )


def test_a_local_backbone_below_data_weights_is_right(tmp_path):
    for folder in ("prompts", "data/bundled"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "data/weights").mkdir()
    shutil.copy(ROOT / "data/bundled/bundled.safetensors", tmp_path / "data/weights/mine.safetensors")
    shutil.copy(ROOT / "data/bundled/bundled.safetensors", tmp_path / "mine.safetensors")
    assert mistakes(changed({"backbone.bundled.pretrained": "data/weights/mine.safetensors"}), tmp_path) == []
    [line] = mistakes(changed({"backbone.bundled.pretrained": "mine.safetensors"}), tmp_path)
    assert (
        line == "backbone.bundled.pretrained: mine.safetensors: expected a file below data/weights, which DVC watches"
    )


def test_all_mistakes_are_told_at_once_and_a_wrong_section_hides_no_other(tmp_path, capsys):
    shutil.copytree(ROOT / "prompts", tmp_path / "prompts")
    text = (ROOT / "params.yaml").read_text()
    for old, new in (
        ("  batch_size: 256  # depth", "  batch_sise: 0  # depth"),
        ("  seeds:\n    - 0\n", "  seeds:\n    - -1\n"),
        ("  start: class_name", "  start: class_names"),
        ("    kernel: null", "    kernel: cauchy"),
        ("  baseline: ensemble", "  baseline: ensembel"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(SystemExit) as ended:
        main(root=tmp_path)
    assert ended.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    start = f"error: {tmp_path}/params.yaml: "
    assert all(line.startswith(start) for line in lines)
    for says in (
        "extract.batch_sise: unknown key",
        "extract.batch_size: missing",
        "train.seeds.0: Input should be greater than or equal to 0, got -1",
        "search.start 'class_names': expected one of embed.sets, ",
        "render.smooth.kernel 'cauchy': expected one of gaussian, ",
        "evaluate.baseline 'ensembel': expected one of class_name, ",
        "dataset.rooms.path: data/bundled/rooms.h5: no such file or folder",
    ):
        assert sum(line.startswith(start + says) for line in lines) == 1, says


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [(None, 0, "params.yaml: no mistakes"), (b"select: [", 1, "not valid YAML"), (b"\xe4: 1", 1, "expected UTF-8")],
)
def test_the_command_ends_with_its_code(content, code, says, tmp_path):
    root = ROOT
    if content is not None:
        root = tmp_path
        (root / "params.yaml").write_bytes(content)
    command = [
        sys.executable,
        "-c",
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import runpy; "
        "runpy.run_module('stages.commands.check', run_name='__main__')",
        str(ROOT),
    ]
    done = subprocess.run(command, cwd=root, text=True, capture_output=True, check=False)
    assert done.returncode == code and says in done.stdout + done.stderr
    assert len((done.stdout + done.stderr).splitlines()) == 1
