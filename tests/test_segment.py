"""Stages patches and segment: what they write, what reruns from the cache, bad input, and ShapeNetPart's own files."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from checkout import contents

from stages import download, patches, segment
from stages.artifacts.figures import CategoryFigures, SegmentationFigures, SegmentationMetrics
from stages.artifacts.files import read_json
from stages.artifacts.metrics import read_metrics
from stages.artifacts.patches import read_patches
from stages.artifacts.paths import Paths
from stages.artifacts.points import open_points, write_points
from stages.artifacts.segments import read_segments
from stages.artifacts.sentences import read_sentences, write_sentences
from stages.artifacts.types import Clouds, PointCloudDataset, SentenceTable
from stages.backbones.clip import ClipModel
from stages.bundled.procedural_parts import labelled_shape
from stages.core.errors import InputError
from stages.datasets.registry import open_dataset
from stages.datasets.shapenetpart import PARTS
from stages.language.prompts.published import searched_set
from stages.reporting.figures import png
from stages.reporting.published import parse_published
from stages.reporting.segmentation import means_table, segmentation_rows
from stages.reporting.segments import best_median_worst, segments_figure

ROOT = Path(__file__).parents[1]
SLICES = Path(os.environ.get("SLICES_DIR", ROOT.parent / "shared/data"))
CATEGORIES = ("mug", "chair")
RUN = ("toy", "bundled")


def published():
    return parse_published((ROOT / "reports/published.yaml").read_text(), source="reports/published.yaml")


def checkout(folder, **edits):
    """An empty checkout in `folder`: bundled data, prompts and params.yaml with a small input for the image tower."""
    (folder / "data").mkdir()
    (folder / "data/bundled").symlink_to(ROOT / "data/bundled")
    (folder / "prompts").symlink_to(ROOT / "prompts")
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    edit(folder, {"resolution: 224  # pixels a side": "resolution: 96  # pixels a side"})
    return folder


def edit(folder, changes):
    path = folder / "params.yaml"
    text = path.read_text()
    for old, new in changes.items():
        assert old in text, f"params.yaml has no '{old}'"
        text = text.replace(old, new, 1)
    path.write_text(text)


def toy(shapes=2, points=300):
    """Two categories of ShapeNetPart's, `shapes` of each in every split."""
    rng = np.random.default_rng(0)
    splits = {}
    for split in ("train", "val", "test"):
        made = [labelled_shape(category, points=points, rng=rng) for category in CATEGORIES for _ in range(shapes)]
        clouds, parts = map(np.stack, zip(*made, strict=True))
        splits[split] = Clouds(clouds, np.repeat([0, 1], shapes), parts)
    return PointCloudDataset(CATEGORIES, "y", splits, tuple(PARTS[category] for category in CATEGORIES))


def new_sentences(dataset, categories):
    """What stage generate writes: two sentences a part in the set that is averaged, and in the one that is searched."""
    rows = [
        (prompt_set, label, category, part, f"{start} the {part} of a {category}")
        for prompt_set in ("llm_four", "llm_1200")
        for label, category in enumerate(categories)
        for part in PARTS[category]
        for start in ("here is", "it shows")
    ]
    sets, labels, names, parts, texts = zip(*rows, strict=True)
    wording = SentenceTable(sets, np.array(labels), names, parts, texts)
    write_sentences(Paths().sentences(dataset), wording)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A checkout where both stages ran on the toy dataset."""
    folder = checkout(tmp_path_factory.mktemp("segment"))
    before = Path.cwd()
    os.chdir(folder)
    try:
        write_points(Paths().points("toy"), toy())
        new_sentences("toy", CATEGORIES)
        patches.main(*RUN)
        segment.main(*RUN)
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(ran, monkeypatch):
    """The same checkout as working directory, its params.yaml as it was before afterwards."""
    monkeypatch.chdir(ran)
    params = Path("params.yaml").read_text()
    yield ran
    Path("params.yaml").write_text(params)
    write_points(Paths().points("toy"), toy())


def written():
    return {path: path.read_bytes() for path in (Paths().segments(*RUN), Paths().metrics(*RUN))}


def test_the_files_say_what_was_predicted_and_how_right_it_is(here):
    metrics = read_metrics(Paths().metrics(*RUN), SegmentationMetrics)
    assert metrics.shapes == dict.fromkeys(CATEGORIES, 2)
    truth = toy().splits["test"]
    for method in ("neutral", "neutral_as_released", "search_test", "largest_part"):
        split, predicted, iou = read_segments(Paths().segments(*RUN), method)
        assert split == "test" and predicted.shape == truth.parts.shape
        right = 100 * (predicted == truth.parts).mean()
        figures = metrics.protocols[method]
        assert figures.instance_accuracy == pytest.approx(right, abs=0.01)
        assert figures.instance_miou == pytest.approx(100 * iou.mean(), abs=0.01)
        for label, category in enumerate(CATEGORIES):
            rows = truth.labels == label
            own = 100 * (predicted[rows] == truth.parts[rows]).mean()
            assert figures.categories[category].accuracy == pytest.approx(own, abs=0.01)
            assert figures.categories[category].iou == pytest.approx(100 * iou[rows].mean(), abs=0.01)
    chosen = read_json(Paths().search(*RUN))
    assert set(chosen["search_test"]["mug"]["sentences"]) == set(PARTS["mug"])
    said = [f"{start} the cup of a mug" for start in ("here is", "it shows")]
    assert chosen["llm_four"]["mug"]["sentences"]["cup"] == said
    with pytest.raises(InputError, match="no method 'guess'; it has chance, "):
        read_segments(Paths().segments(*RUN), "guess")


def test_other_prompts_need_no_image_tower_and_the_same_ones_give_the_same_bytes(here, monkeypatch):
    before = written()
    monkeypatch.setattr(ClipModel, "encode_patches", None)
    segment.main(*RUN)
    assert written() == before
    edit(here, {'neutral: "a {part} of a {category}"': 'neutral: "{category} {part}"'})
    segment.main(*RUN)
    chosen = read_json(Paths().search(*RUN))
    assert chosen["neutral"]["mug"]["sentences"]["cup"] == ["mug cup"]
    assert written() != before


def test_patches_repeat_to_the_byte_and_hold_both_lookups(here):
    folder = Paths().patches(*RUN)
    before = contents(folder, ["."])
    patches.main(*RUN)
    assert contents(folder, ["."]) == before
    found = read_patches(folder, "mug", "test")
    assert found.features.shape == (2, 10, 9, 128) and found.visible.shape == (2, 10, 300)
    assert (found.visible != found.visible_released).any()
    assert read_patches(folder, "mug", "nowhere") is None


def test_as_released_is_a_switch(here):
    segment.main(*RUN)
    correct = read_metrics(Paths().metrics(*RUN), SegmentationMetrics).protocols
    edit(here, {"mode: correct  #": "mode: as_released  #"})
    segment.main(*RUN)
    released = read_metrics(Paths().metrics(*RUN), SegmentationMetrics)
    assert released.mode == "as_released"
    assert released.protocols["neutral"] == correct["neutral_as_released"]
    assert released.protocols["neutral_correct"] == correct["neutral"]


def test_the_authors_sentences_give_the_rows_as_published_and_without_them_there_is_a_reason(here):
    segment.main(*RUN)
    metrics = read_metrics(Paths().metrics(*RUN), SegmentationMetrics)
    names = ("as_published", "as_published_in_order", "neutral_in_order")
    assert tuple(metrics.not_run) == names and not set(names) & set(metrics.protocols)
    before, path = Paths().sentences(*RUN[:1]).read_bytes(), Paths().sentences(RUN[0])
    table, searched = read_sentences(path), searched_set(RUN[1])
    rows = [(label, category, part) for label, category in enumerate(CATEGORIES) for part in PARTS[category]]
    labels, categories, parts = zip(*rows, strict=True)
    more = [searched] * len(rows), categories, parts, [f"the {part} as found" for part in parts]
    joined = [
        (*old, *new) for old, new in zip((table.sets, table.class_names, table.parts, table.texts), more, strict=True)
    ]
    weights = {searched: {"mug": [0.25] * 5 + [1.0] * 5, "chair": [1.0] * 10}}
    sets, names_of, parts, texts = joined
    table = SentenceTable(sets, np.array([*table.classes, *labels]), names_of, parts, texts, weights)
    write_sentences(path, table)
    segment.main(*RUN)
    path.write_bytes(before)
    found = read_metrics(Paths().metrics(*RUN), SegmentationMetrics)
    assert found.not_run == {} and all(found.protocols[name].labels_read == "test" for name in names)
    assert {name: found.protocols[name] for name in metrics.protocols} == metrics.protocols  # all else as it was
    chosen = read_json(Paths().search(*RUN))["as_published"]
    assert chosen["mug"]["view_weights"] == weights[searched]["mug"]
    assert chosen["mug"]["sentences"]["cup"] == ["the cup as found"]
    assert read_segments(Paths().segments(*RUN), "as_published").predicted.shape == (4, 300)


def without_parts(points):
    bare = {split: replace(clouds, parts=None) for split, clouds in points.splits.items()}
    return replace(points, splits=bare, part_names=None)


def with_part(points, part):
    test = points.splits["test"]
    return replace(points, splits=points.splits | {"test": replace(test, parts=np.full_like(test.parts, part))})


BAD = {
    "no parts": (patches, {}, without_parts, r"data/points/toy: no parts, expected a dataset with part labels"),
    "no parts left": (segment, {}, without_parts, r"data/points/toy: no parts, expected a dataset with part labels"),
    "category without parts": (
        segment,
        {},
        lambda points: replace(points, part_names=((), points.part_names[1])),
        "no parts, expected part labels and the names of the category's parts",
    ),
    "label outside": (segment, {}, lambda points: with_part(points, 4), "shape 0 has part 4, expected 0 to 1"),
    "wrong feature grid": (
        patches,
        {"resolution: 96  # pixels a side": "resolution: 100  # pixels a side"},
        lambda points: points,
        "params.yaml: backbone.bundled: resolution 100: patches need a multiple of 32 pixels",
    ),
    "unknown projection": (
        patches,
        {"preset: v2_segmentation  # v2_seg": "preset: v3  # v2_seg"},
        lambda points: points,
        "params.yaml: patches.preset 'v3': expected one of v2_classification, v2_segmentation, v1",
    ),
    "unknown set": (
        segment,
        {"templates: parts\n": "templates: fancy\n"},
        lambda points: points,
        "fancy.txt: no such file; params.yaml: segment names it, and it is no set of generate.sets",
    ),
    "neutral without part": (
        segment,
        {'neutral: "a {part} of a {category}"': 'neutral: "a {category}"'},
        lambda points: points,
        "params.yaml: segment.neutral: line 1: expected {part}",
    ),
    "other points than the patches": (
        segment,
        {},
        lambda points: replace(
            points,
            splits={
                split: Clouds(clouds.points[:, 1:], clouds.labels, clouds.parts[:, 1:])
                for split, clouds in points.splits.items()
            },
        ),
        r"patches: \[2, 299\] points, pixels of \[2, 300\]",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_leaves_the_artifacts(name, here):
    stage, edits, change, message = BAD[name]
    before = written()
    edit(here, edits)
    write_points(Paths().points("toy"), change(toy()))
    with pytest.raises(InputError, match=message) as error:
        stage.main(*RUN)
    assert "\n" not in str(error.value)
    assert written() == before


def test_shapenetpart_from_its_official_files_to_a_table(tmp_path, monkeypatch):
    folder = SLICES / "shapenet_part_seg_hdf5_data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing: set SLICES_DIR to the folder with slices of the official datasets")
    monkeypatch.chdir(checkout(tmp_path))
    monkeypatch.setattr(
        download, "open_dataset", lambda name, entry, **_: open_dataset(name, replace(entry, path=str(folder)))
    )
    download.main("shapenetpart_hdf5")
    new_sentences("shapenetpart_hdf5", tuple(PARTS))
    patches.main("shapenetpart_hdf5", "bundled")
    segment.main("shapenetpart_hdf5", "bundled")
    metrics = read_metrics(Paths().metrics("shapenetpart_hdf5", "bundled"), SegmentationMetrics)
    with open_points(Paths().points("shapenetpart_hdf5")) as points:
        labels = points.labels("test")
        present = [points.classes[label] for label in np.unique(labels)]
    assert metrics.samples == len(labels) and list(metrics.shapes) == present
    rows = segmentation_rows({("shapenetpart_hdf5", "bundled"): metrics}, published())
    assert [row.key[2] for row in rows if row.ours] == present
    methods = [row[3] for row in means_table({("shapenetpart_hdf5", "bundled"): metrics}, published()).rows]
    assert methods[:3] == ["chance", "largest_part †", "neutral"]
    assert {"search_test †", "neutral_as_released"} <= set(methods)


def test_the_tables_have_every_method_with_its_means_and_every_category():
    categories = {
        "mug": CategoryFigures(accuracy=70.0, iou=30.0),
        "bag": CategoryFigures(accuracy=50.0, iou=50.0),
    }
    read = {"chance": "none", "largest_part": "test", "neutral": "none", "search_train": "train", "search_test": "test"}
    protocols = {
        name: SegmentationFigures(
            labels_read=labels,
            instance_miou=50.0,
            class_miou=40.0,
            instance_accuracy=70.0,
            class_accuracy=60.0,
            categories=categories,
        )
        for name, labels in read.items()
    }
    metrics = SegmentationMetrics(
        mode="correct", samples=3, shapes={"mug": 2, "bag": 1}, unseen_points=1.5, leakage=2.0, protocols=protocols
    )
    runs = {("shapenetpart", "vit_b16"): metrics}
    means = means_table(runs, published())
    key = ("shapenetpart", "vit_b16", "correct")
    assert means.rows[2] == (*key, "neutral", "none", "50.00", "40.00", "70.00")
    assert means.rows[4] == (*key, "search_test †", "test", "50.00", "40.00", "70.00")
    assert "+2.00 points of instance mIoU" in means.notes[0]
    mug = next(row for row in segmentation_rows(runs, published()) if row.key[2] == "mug")
    assert mug.ours["IoU †"] == 30.0 and mug.published.figures["IoU †"] == 48.01


def test_the_figure_shows_both_labellings_and_repeats():
    shapes = toy(points=200).splits["test"]
    names = [PARTS[CATEGORIES[label]] for label in shapes.labels]
    rows = best_median_worst(np.array([0.2, 0.9, 0.5, 0.2]))
    np.testing.assert_array_equal(rows, [1, 0, 0])
    pictures = []
    for _ in range(2):
        figure = segments_figure(
            shapes.points[rows],
            np.zeros_like(shapes.parts[rows]),
            shapes.parts[rows],
            up_axis="y",
            part_names=[names[row] for row in rows],
            titles=["best", "median", "worst"],
        )
        titles = [axes.get_title() for axes in figure.axes]
        assert {"best, true", "worst, predicted"} <= set(titles)
        legend = figure.axes[2].get_legend()
        assert [text.get_text() for text in legend.get_texts()] == list(names[1])
        pictures.append(png(figure))
    assert pictures[0] == pictures[1]
