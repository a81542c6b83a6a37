"""Every value of params.yaml has its bounds: each mistake is one line that loading stops with."""

import copy
import math
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stages.commands.check import mistakes
from stages.config.params import Params, load_document, set_key
from stages.core.errors import LONGEST_VALUE, InputError
from stages.core.yaml import validated

ROOT = Path(__file__).parents[1]
DOCUMENT = load_document(ROOT)
NAN, INF = math.nan, math.inf
AT_LEAST, AT_MOST = "Input should be greater than or equal to", "Input should be less than or equal to"
ABOVE, BELOW = "Input should be greater than", "Input should be less than"
FINITE = "Input should be a finite number"
INTEGER, NUMBER = "Input should be a valid integer", "Input should be a valid number"
ONE, LIST, KEYS = "expected at least 1 of them, got []", "expected a list, got", "expected keys with values, got"
ID, SET = "expected small letters, digits and _, got", "expected letters, digits, _ and -, got"
TWICE = "expected each of them once"
ENTRY = DOCUMENT["dataset"]["rooms"]
TOWER = DOCUMENT["backbone"]["bundled"]


# (key, value, what the line says after the key; another key than the one that is set is written out)
MISTAKES = [
    # run
    ("run.shard_samples", 0, f"{ABOVE} or equal to 1, got 0"),
    ("run.engine", "spark", "Input should be 'local' or 'ray', got 'spark'"),
    ("run.workers", 0, f"{ABOVE} or equal to 1, got 0"),
    ("run.threads", 1.5, f"{INTEGER}, got 1.5"),
    ("run.gpus", -1, f"{ABOVE} or equal to 0, got -1"),
    # select
    ("select", None, f"{KEYS} null"),
    ("select.datasets", None, f"{LIST} null"),
    ("select.datasets", [], ONE),
    ("select.datasets", ["a.b"], f".0: {ID} 'a.b'"),
    ("select.datasets", ["a b"], f".0: {ID} 'a b'"),
    (
        "select.datasets",
        [*DOCUMENT["select"]["datasets"], "nothing"],
        " 'nothing': no such entry of dataset; known are ",
    ),
    ("select.datasets", ["rooms"], "select.classification 'home_objects': not among datasets"),
    ("select.datasets", ["rooms", "rooms"], f"{TWICE}, rooms is there again, got ['rooms', 'rooms']"),
    ("select.classification", ["shapenet"], " 'shapenet': not among datasets"),
    ("select.classification", "home_objects", f"{LIST} 'home_objects'"),
    ("select.segmentation", ["modelnet40"], " 'modelnet40': not among datasets"),
    ("select.detection", ["scannet"], " 'scannet': not among datasets"),
    ("select.detection", [1], ".0: Input should be a valid string, got 1"),
    ("select.fewshot", ["rooms"], " 'rooms': not among classification"),
    ("select.backbones", ["vit_x"], " 'vit_x': no such entry of backbone; known are bundled, "),
    ("select.segmentation_backbones", ["vit_x"], " 'vit_x': no such entry of backbone; known are bundled, "),
    ("select.data", ["rooms"], "unknown key"),
    # dataset and backbone
    ("dataset", None, f"{KEYS} null"),
    ("dataset", DOCUMENT["dataset"] | {"my.set": ENTRY}, f".my.set: {ID} 'my.set'"),
    ("dataset", DOCUMENT["dataset"] | {"my set": ENTRY}, f".my set: {ID} 'my set'"),
    ("dataset", DOCUMENT["dataset"] | {"": ENTRY}, f".'': {ID} ''"),
    ("dataset.rooms", None, f"{KEYS} null"),
    ("dataset.rooms.up_axis", "w", "Input should be 'x', 'y' or 'z', got 'w'"),
    ("dataset.rooms.points", 1, f"{AT_LEAST} 2, got 1"),
    ("dataset.modelnet40.num_points", 1, f"{AT_LEAST} 2, got 1"),
    ("dataset.shapenetpart.splits", {"train": -1}, f".train: {AT_LEAST} 1, got -1"),
    ("dataset.folder.test_share", 1.0, f"{BELOW} 1, got 1.0"),
    ("dataset.folder.test_share", NAN, f"{FINITE}, got nan"),
    ("dataset.folder.seed", -1, f"{AT_LEAST} 0, got -1"),
    ("dataset.home_objects.corrupted.severities", [], ONE),
    ("dataset.home_objects.corrupted.severities", [1, 6], f".1: {AT_MOST} 5, got 6"),
    ("dataset.home_objects.corrupted.severities", [1, 1], f"{TWICE}, 1 is there again, got [1, 1]"),
    ("dataset.home_objects.corrupted.objects", 0, f"{AT_LEAST} 1, got 0"),
    ("dataset.home_objects.corrupted.seed", -1, f"{AT_LEAST} 0, got -1"),
    ("backbone", DOCUMENT["backbone"] | {"vit-b": TOWER}, f".vit-b: {ID} 'vit-b'"),
    ("backbone.bundled.architecture", "", "expected some text, got ''"),
    ("backbone.bundled.pretrained", None, "Input should be a valid string, got null"),
    ("backbone.bundled.precision", "fp16", "Input should be 'auto', 'fp32', 'tf32' or 'bf16', got 'fp16'"),
    # download
    ("download.num_points", 1, f"{AT_LEAST} 2, got 1"),
    ("download.max_samples", 0, f"{AT_LEAST} 1, got 0"),
    ("download.validation_fraction", 1.0, f"{BELOW} 1, got 1.0"),
    ("download.validation_fraction", INF, f"{FINITE}, got inf"),
    ("download.seed", -1, f"{AT_LEAST} 0, got -1"),
    ("download.reject_at_most", -1, f"{AT_LEAST} 0, got -1"),
    ("download.reject_at_most", 1.0, f"{INTEGER}, or {BELOW} 1, got 1.0"),
    ("download.reject_at_most", "1", f"{INTEGER}, or {NUMBER}, got '1'"),
    ("download.sampling", "last", "Input should be 'first', 'farthest' or 'random', got 'last'"),
    # render
    ("render.preset", "", "expected some text, got ''"),
    ("render.resolution", 2, f"{AT_LEAST} 3, got 2"),
    ("render.resolution", 112.5, f"{INTEGER}, got 112.5"),
    ("render.depth", 1025, f"{AT_MOST} 1024, got 1025"),
    ("render.xy_scale", 0.0, f"{ABOVE} 0, got 0.0"),
    ("render.xy_scale", 1.5, f"{AT_MOST} 1, got 1.5"),
    ("render.depth_bias", -0.1, f"{AT_LEAST} 0, got -0.1"),
    ("render.crop", [1], ".1: missing"),
    ("render.crop", [-1, 100], f".0: {AT_LEAST} 0, got -1"),
    ("render.densify.window", [1, 3], ".2: missing"),
    ("render.densify.window", [1, 3, 3, 3], "expected 3 of them, got [1, 3, 3, 3]"),
    ("render.densify.window", 3, f"{LIST} 3"),
    ("render.smooth.window", [1, 3, 101], f".2: {AT_MOST} 99, got 101"),
    ("render.smooth.sigma", INF, f"{FINITE}, or expected a list, got inf"),
    ("render.smooth.sigma", 0.0, f"{AT_LEAST} 0.001, or expected a list, got 0.0"),
    ("render.smooth.sigma", [1.0, 1.0, -1.0], f".2: {AT_LEAST} 0.001, got -1.0"),
    ("render.smooth.range_sigma", 0.0, f"{AT_LEAST} 0.001, got 0.0"),
    ("render.light", [0.0, 0.0, 0.0], "expected a direction, not all 0"),
    ("render.light", [0.0, NAN, 1.0], f".1: {FINITE}, got nan"),
    ("render.rotate_test", "all", "Input should be 'none', 'up' or 'any', got 'all'"),
    ("render.rotate_seed", -1, f"{AT_LEAST} 0, got -1"),
    ("render.polarity", "black", "Input should be 'white_background' or 'black_background', got 'black'"),
    # generate
    ("generate.sets", ["llm 1"], f".0: {SET} 'llm 1'"),
    ("generate.model", "", "expected some text, got ''"),
    ("generate.base_url", "localhost:8000/v1", "expected an address, http(s)://..., got 'localhost:8000/v1'"),
    ("generate.key_variable", "MY KEY", "expected the name of an environment variable, got 'MY KEY'"),
    ("generate.extra_body", {"n": 2}, ".n: expected no field that generate sets by itself"),
    ("generate.extra_body", [1], f"{KEYS} [1]"),
    ("generate.concurrency", 0, f"{AT_LEAST} 1, got 0"),
    ("generate.timeout", 0, f"{ABOVE} 0, got 0"),
    ("generate.timeout", INF, f"{FINITE}, got inf"),
    ("generate.attempts", 0, f"{AT_LEAST} 1, got 0"),
    ("generate.longest_wait", -1.0, f"{AT_LEAST} 0, got -1.0"),
    ("generate.reasks", -1, f"{AT_LEAST} 0, got -1"),
    ("generate.longest_answer", 0, f"{AT_LEAST} 1, got 0"),
    ("generate.budget_requests", 0, f"{AT_LEAST} 1, got 0"),
    ("generate.budget_tokens", -5, f"{AT_LEAST} 1, got -5"),
    ("generate.batch_poll", NAN, f"{FINITE}, got nan"),
    ("generate.warn_days", -1, f"{AT_LEAST} 0, got -1"),
    ("generate.prices.bundled.prompt", -0.1, f"{AT_LEAST} 0, got -0.1"),
    ("generate.prices.bundled", 0.4, f"{KEYS} 0.4"),
    ("generate.corpora.url", "https://example.org", "expected an address, http(s)://..., with a place {path}, got"),
    (
        "generate.corpora.datasets.modelnet40.searched.blob",
        "45a9",
        "expected a git blob id, 40 hexadecimal digits, got",
    ),
    # extract and embed
    ("extract.batch_size", 0, f"{AT_LEAST} 1, got 0"),
    ("extract.batch_size", -1, f"{AT_LEAST} 1, got -1"),
    ("extract.batch_size", 10**30, f"{AT_MOST} 1000000, got 1{'0' * 30}"),
    ("extract.batch_size", True, f"{INTEGER}, got true"),
    ("extract.batch_size", {"maps": 8}, f"{INTEGER}, got keys with values"),
    ("extract.device", "gpu", "Input should be 'auto', 'cpu', 'cuda' or 'mps', got 'gpu'"),
    ("extract.maps", "disk", "Input should be 'depth' or 'points', got 'disk'"),
    ("extract.autocast", False, "unknown key"),
    ("extract", None, f"{KEYS} null"),
    ("embed.sets", [], ONE),
    ("embed.sets", None, f"{LIST} null"),
    ("embed.sets", ["../simple"], f".0: {SET} '../simple'"),
    ("embed.sets", ["simple", "simple"], f"{TWICE}, simple is there again, got ['simple', 'simple']"),
    ("embed.batch_size", 0, f"{AT_LEAST} 1, got 0"),
    ("embed.waffle_count", 0, f"{AT_LEAST} 1, got 0"),
    ("embed.waffle_seed", -1, f"{AT_LEAST} 0, got -1"),
    # search
    ("search.candidates", [], ONE),
    ("search.start", "", f"{SET} ''"),
    ("search.sweeps", 0, f"{AT_LEAST} 1, got 0"),
    ("search.rounds", 0, f"{AT_LEAST} 1, got 0"),
    ("search.published_view_search", "coordinate", "Input should be 'none' or 'grid', got 'coordinate'"),
    ("search.folds", 1, f"{AT_LEAST} 2, got 1"),
    ("search.seed", 2**32, f"{BELOW} 4294967296, got 4294967296"),
    ("search.keep_fraction", 0.0, f"{ABOVE} 0, got 0.0"),
    ("search.keep_fraction", 1.01, f"{AT_MOST} 1, got 1.01"),
    ("search.objective", "loss", "Input should be 'accuracy', 'mean_class_accuracy' or 'negative_log_likelihood'"),
    ("search.train_objective", "iou", "Input should be 'accuracy', 'mean_class_accuracy' or 'negative_log_likelihood'"),
    # train
    ("train.methods", [], ONE),
    ("train.shots", [0], f".0: {AT_LEAST} 1, got 0"),
    ("train.shots", [1, -4], f".1: {AT_LEAST} 1, got -4"),
    ("train.shots", [], ONE),
    ("train.cloud_shots", [0], f".0: {AT_LEAST} 1, got 0"),
    ("train.seeds", [-1], f".0: {AT_LEAST} 0, got -1"),
    ("train.seeds", [0, 0], f"{TWICE}, 0 is there again, got [0, 0]"),
    ("train.validation_fraction", 0.0, f"{ABOVE} 0, got 0.0"),
    ("train.threads", 0, f"{AT_LEAST} 1, got 0"),
    ("train.epochs", 0, f"{AT_LEAST} 1, got 0"),
    ("train.batch_size", 0, f"{AT_LEAST} 1, got 0"),
    ("train.micro_batch_size", -8, f"{AT_LEAST} 1, got -8"),
    ("train.learning_rate", 0.0, f"{ABOVE} 0, got 0.0"),
    ("train.learning_rate", "1e-3", f"{NUMBER}, got '1e-3'"),
    ("train.weight_decay", -0.1, f"{AT_LEAST} 0, got -0.1"),
    ("train.warmup_epochs", -1, f"{AT_LEAST} 0, got -1"),
    ("train.label_smoothing", 0.6, f"{AT_MOST} 0.5, got 0.6"),
    ("train.patience", 0, f"{AT_LEAST} 1, got 0"),
    ("train.feature_noise", -1.0, f"{AT_LEAST} 0, got -1.0"),
    ("train.adapter.residual", 1.1, f"{AT_MOST} 1, got 1.1"),
    ("train.adapter.dropout", 1.0, f"{BELOW} 1, got 1.0"),
    ("train.smooth_channels", 0, f"{AT_LEAST} 1, got 0"),
    ("train.augment.turn", 181.0, f"{AT_MOST} 180, got 181.0"),
    ("train.augment.scale", 1.0, f"{BELOW} 1, got 1.0"),
    ("train.augment.shift", NAN, f"{FINITE}, got nan"),
    ("train.augment.jitter", -0.1, f"{AT_LEAST} 0, got -0.1"),
    ("train.augment.dropout", 1.0, f"{BELOW} 1, got 1.0"),
    ("train.checkpoint_seconds", -1.0, f"{AT_LEAST} 0, got -1.0"),
    ("train.preset", "published", "Input should be 'ours', 'report' or 'pointclip', got 'published'"),
    ("train.as_published.runs", {"a/b": [1]}, ".a/b: expected <dataset>/<backbone>/<method>, got 'a/b'"),
    ("train.as_published.runs", {"rooms/rn50/smooth": [0]}, f".rooms/rn50/smooth.0: {AT_LEAST} 1, got 0"),
    ("train.as_published.runs", {"room/rn50/smooth": [1]}, " 'room/rn50/smooth': no such entry of dataset: 'room'"),
    ("train.as_published.seeds", [], ONE),
    ("train.as_published.epochs", 0, f"{AT_LEAST} 1, got 0"),
    # evaluate_fewshot
    (
        "evaluate_fewshot.searched",
        ["adapter", "adapter"],
        f"{TWICE}, adapter is there again, got ['adapter', 'adapter']",
    ),
    ("evaluate_fewshot.text_inputs", ["a b"], f".0: {SET} 'a b'"),
    # evaluate
    ("evaluate.split", "val", "Input should be 'train' or 'test', got 'val'"),
    ("evaluate.protocols", {}, "expected at least 1 of them, got no keys"),
    ("evaluate.protocols", ["simple"], f"{KEYS} ['simple']"),
    ("evaluate.protocols", {"": "simple"}, ".'': expected some text, got ''"),
    ("evaluate.protocols.my.own", "simple", "no such section, which an override would set a key of"),
    ("evaluate.protocols.ensemble", None, "Input should be a valid string, got null"),
    ("evaluate.baseline", "ensembel", " 'ensembel': expected one of class_name, template, "),
    ("evaluate.view_weights", [NAN] * 10, f".0: {FINITE}, got nan"),
    ("evaluate.view_weights", [0.0] * 10, "all 0, expected one above 0 or null"),
    ("evaluate.view_weights", [-1.0] * 10, f".0: {AT_LEAST} 0, got -1.0"),
    ("evaluate.view_weights", [], ONE),
    ("evaluate.view_pooling", "sum", "Input should be 'mean', 'max', 'logsumexp', 'entropy' or 'agreement', got 'sum'"),
    ("evaluate.temperature", "all", "Input should be 'none', 'one', 'by_view' or 'agreement', got 'all'"),
    ("evaluate.temperature_split", "test", "Input should be 'train' or 'val', got 'test'"),
    ("evaluate.none_of_these.folds", 1, f"{AT_LEAST} 2, got 1"),
    ("evaluate.none_of_these.seed", -1, f"{AT_LEAST} 0, got -1"),
    ("evaluate.none_of_these.keep", 0.0, f"{ABOVE} 0, got 0.0"),
    ("evaluate.bootstrap_samples", 0, f"{AT_LEAST} 1, got 0"),
    ("evaluate.bootstrap_seed", -1, f"{AT_LEAST} 0, got -1"),
    # detect
    ("detect.max_scans", 0, f"{AT_LEAST} 1, got 0"),
    ("detect.proposals", [], ONE),
    ("detect.network_points", 0, f"{AT_LEAST} 1, got 0"),
    ("detect.planes.thickness", 0.0, f"{ABOVE} 0, got 0.0"),
    ("detect.planes.wall_area", -1.0, f"{AT_LEAST} 0, got -1.0"),
    ("detect.planes.hypotheses", 0, f"{AT_LEAST} 1, got 0"),
    ("detect.clusters.voxel", 0.0, f"{AT_LEAST} 0.001, got 0.0"),
    ("detect.clusters.min_cluster_size", 1, f"{AT_LEAST} 2, got 1"),
    ("detect.clusters.min_samples", 0, f"{AT_LEAST} 1, got 0"),
    ("detect.clusters.cluster_epsilon", 0.0, f"{ABOVE} 0, got 0.0"),
    ("detect.clusters.objectness_half_size", INF, f"{FINITE}, got inf"),
    ("detect.box_margin", -0.1, f"{AT_LEAST} 0, got -0.1"),
    ("detect.templates", "my templates", f"{SET} 'my templates'"),
    ("detect.no_object", ["wall", ""], ".1: expected some text, got ''"),
    ("detect.minimum_points", -1, f"{AT_LEAST} 0, got -1"),
    ("detect.objectness_weight", -1.0, f"{AT_LEAST} 0, got -1.0"),
    ("detect.nms_threshold", 1.1, f"{AT_MOST} 1, got 1.1"),
    ("detect.batch_size", 0, f"{AT_LEAST} 1, got 0"),
    ("detect.seed", -1, f"{AT_LEAST} 0, got -1"),
    # patches and segment
    ("patches.resolution", 0, f"{AT_LEAST} 16, got 0"),
    ("patches.search_shapes", 0, f"{AT_LEAST} 1, got 0"),
    ("patches.batch_size", 0, f"{AT_LEAST} 1, got 0"),
    ("segment.smooth_window", 0, f"{AT_LEAST} 1, got 0"),
    ("segment.refine_neighbours", 1, f"{AT_LEAST} 2, got 1"),
    ("segment.protocols", {}, "expected at least 1 of them, got no keys"),
    ("segment.candidates", [], ONE),
    ("segment.sweeps", 0, f"{AT_LEAST} 1, got 0"),
    ("segment.published_search", 1, "Input should be a valid boolean, got 1"),
    ("segment.keep_fraction", 0.0, f"{ABOVE} 0, got 0.0"),
    ("segment.batch_size", 0, f"{AT_LEAST} 1, got 0"),
    # preset, report, sweep, reproduce, pretraining
    ("preset", {"my-preset": DOCUMENT["preset"]["opendlign"]}, f".my-preset: {ID} 'my-preset'"),
    ("preset.opendlign.source", "", "expected some text, got ''"),
    ("preset.opendlign.sets", {"method": "v2"}, ".method: expected a full key, section.name, got 'method'"),
    ("report.example_sample", -1, f"{AT_LEAST} 0, got -1"),
    ("report.sheet_objects", 0, f"{AT_LEAST} 1, got 0"),
    ("report.projection_objects", 0, f"{AT_LEAST} 1, got 0"),
    ("report.not_run", {"ModelNet": "no disk"}, ".ModelNet: expected small letters, digits and _"),
    ("report.not_run", {"modelnet40": 1}, ".modelnet40: Input should be a valid string, got 1"),
    ("sweep", DOCUMENT["sweep"] | {"my-sweep": DOCUMENT["sweep"]["kernels"]}, f".my-sweep: {ID} 'my-sweep'"),
    ("sweep.kernels.param", "kernel", "expected a full key, section.name, got 'kernel'"),
    ("sweep.kernels.values", [], ONE),
    ("sweep.kernels.values", [NAN], ".0: Input should be a valid string, or Input should be a valid integer, or "),
    ("sweep.view_sets.cross", {"render.rotate_test": []}, ".render.rotate_test: expected at least 1 of them, got []"),
    ("sweep.view_sets.cross", {"render.view_set": ["v1"]}, " render.view_set: expected every key once in param, cross"),
    (
        "sweep.view_sets.fixed",
        {"render.view_set": "v1"},
        "sweep.view_sets.cross render.view_set: expected every key once",
    ),
    ("sweep.kernels.fixed", {"timed": True}, ".timed: expected a full key, section.name, got 'timed'"),
    ("reproduce.overrides", {"datasets": []}, ".datasets: expected a full key, section.name, got 'datasets'"),
    ("reproduce.sweeps", ["shots"], " 'shots': no such entry of sweep; known are backbones, combinations, "),
    ("pretrain.steps", 0, f"{AT_LEAST} 1, got 0"),
    ("pretrain.views_shown", 11, f"{AT_MOST} 10, got 11"),
    ("pretrain.object_share", 1.5, f"{AT_MOST} 1, got 1.5"),
    ("pretrain.part_share", 0.8, " 0.8: with object_share more than 1"),
    ("pretrain.warmup_steps", 20001, " 20001: more than steps 14500"),
    ("pretrain.objects", "", "expected some text"),
    ("pretrain.consistency", -0.1, f"{AT_LEAST} 0, got -0.1"),
    ("pretrain.precision", "fp16", "Input should be 'fp32' or 'bf16'"),
    ("pretrain_parts.learning_rate", 0.0, f"{ABOVE} 0, got 0.0"),
    ("pretrain_parts.smooth_window", 0, f"{AT_LEAST} 1, got 0"),
]


def changed(key, value):
    """The committed params.yaml with one value set."""
    document = copy.deepcopy(DOCUMENT)
    set_key(document, key, value, source="params.yaml")
    return document


def expected_line(key, says):
    """A mistake's line up to where `says` ends: `says` may go on with the key, or begin with another one."""
    if says.startswith((".", " ")):
        return f"{key}{says}"
    return says if says.startswith(("select.", "sweep.")) else f"{key}: {says}"


@pytest.mark.parametrize(
    ("key", "value", "says"), MISTAKES, ids=[f"{key}={str(value)[:20]}" for key, value, _ in MISTAKES]
)
def test_a_mistake_is_one_line_with_the_full_key(key, value, says):
    with pytest.raises(InputError) as error:
        validated(changed(key, value), Params, source="params.yaml")
    line = str(error.value)
    assert line.startswith(f"params.yaml: {expected_line(key, says)}")
    assert "\n" not in line and len(line) < 400


def test_every_mistake_named_above_is_another_one():
    assert len({(key, str(value)) for key, value, _ in MISTAKES}) == len(MISTAKES) >= 112
    assert {key.split(".")[0] for key, _, _ in MISTAKES} == set(DOCUMENT)


@pytest.mark.parametrize("name", ["a b", "v1.0", "search best!", "ä", "samples", "views"])
def test_a_protocol_may_have_any_name(name):
    protocols = {name: "simple"}
    evaluate = DOCUMENT["evaluate"] | {"protocols": protocols, "baseline": name}
    params = validated(changed("evaluate", evaluate), Params, source="params.yaml")
    assert params.evaluate.protocols == protocols
    assert validated(changed("segment.protocols", protocols), Params, source="p").segment.protocols == protocols


def leaves(document, path=()):
    """The path of every value that is neither a list nor keys with values, and of every list and section too."""
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))


def number_leaves():
    """Paths of the numbers in the committed params.yaml, but for overrides: these have the bounds of what they set."""

    def at(path):
        value = DOCUMENT
        for key in path:
            value = value[key]
        return value

    paths = (path for path in leaves(DOCUMENT) if path[:2] != ("reproduce", "overrides"))
    return [path for path in paths if isinstance(at(path), int | float) and not isinstance(at(path), bool)]


def with_leaf(path, value):
    document = copy.deepcopy(DOCUMENT)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return document


WRONG = st.one_of(
    st.sampled_from(
        [-1, 0, -0.0, 1, 2, NAN, INF, -INF, 10**30, -(10**400), 1e300, 5e-324, None, True, "", "text", [], {}]
    ),
    st.text(max_size=200),
    st.integers(),
    st.floats(),
    st.lists(st.floats(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


@pytest.mark.parametrize("path", list(leaves(DOCUMENT)), ids=lambda path: ".".join(map(str, path)))
def test_no_text_has_a_null_character(path):
    """It can be in no path: refused in every place, also as a name in it, with its key."""
    key = ".".join(map(str, path))
    for value in ("a\0", {"a\0": 1}):
        with pytest.raises(
            InputError, match=f"^params.yaml: {re.escape(key)}: a null character, expected text without"
        ):
            validated(with_leaf(path, value), Params, source="params.yaml")


@given(path=st.sampled_from(list(leaves(DOCUMENT))), value=WRONG)
@example(path=("backbone", "bundled_parts", "architecture"), value="\0")
@settings(max_examples=300, deadline=None)
def test_any_value_in_any_place_is_taken_or_is_one_line(path, value):
    document = with_leaf(path, value)
    try:
        validated(document, Params, source="params.yaml")
    except InputError as error:
        line = str(error)
        assert line.startswith("params.yaml: ") and "\n" not in line
        assert len(line) < 400 + LONGEST_VALUE
    for line in mistakes(document, ROOT):
        assert "\n" not in line and line.split(".")[0].split(":")[0] in {*DOCUMENT, "top level"}


@pytest.mark.parametrize("value", [NAN, INF, -INF, -(10**30), -1e30, "text", True, {}])
@pytest.mark.parametrize("path", number_leaves(), ids=lambda path: ".".join(map(str, path)))
def test_no_number_takes_what_is_none(path, value):
    """Not a number, below every bound, or of another type: refused in the place of every number, with its key."""
    with pytest.raises(InputError) as error:
        validated(with_leaf(path, value), Params, source="params.yaml")
    assert str(error.value).startswith(f"params.yaml: {'.'.join(map(str, path))}")
