"""Searches in a library: pooling over views, what matches nothing, words, objects and pictures, what is printed."""

import csv
import dataclasses
import io
import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from stages import PointClip
from stages.artifacts.figures import ClassificationMetrics
from stages.artifacts.library import read_entries, write_library
from stages.artifacts.metrics import read_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.types import Features
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.core.root import default_root
from stages.datasets.registry import read
from stages.own.search import Searchable
from stages.reporting.contact_sheet import Tile, contact_sheet
from stages.retrieval.background import WORDS
from stages.retrieval.evaluation import average_precision, chosen_pooling, retrieval_figures
from stages.retrieval.floor import floor, null_scores_of_objects, null_scores_of_words, spread
from stages.retrieval.pooling import DEFAULT, POOLINGS, best_views, pool, ranked, scores


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def clear(features):
    """Whether rounding decides nothing: no mean of views near 0, no two views as near to it."""
    means = features.mean(axis=1)
    near = np.sort(np.einsum("nvd,nd->nv", features, means), axis=1)
    return np.linalg.norm(means, axis=1).min() > 0.05 and (np.diff(near[:, -2:], axis=1) > 1e-4).all()


FEATURES = (
    st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(2, 7), st.integers(0, 2**32 - 1))
    .map(lambda drawn: unit(np.random.default_rng(drawn[3]).standard_normal(drawn[:3])).astype("f4"))
    .filter(clear)
)


def plain_score(views, query, pooling):
    """The score of one object's `views` [V, D] for one query vector, straight from the definition."""
    mean = sum(views) / len(views)
    if pooling == "mean":
        return float(np.dot(mean, query) / np.sqrt(np.dot(mean, mean)))
    if pooling == "max":
        return max(float(np.dot(view, query)) for view in views)
    return float(np.dot(max(views, key=lambda view: float(np.dot(view, mean))), query))


@pytest.mark.parametrize("pooling", POOLINGS)
@given(features=FEATURES, queries=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_scores_are_those_of_the_definition(pooling, features, queries, seed):
    query = unit(np.random.default_rng(seed).standard_normal((queries, features.shape[2]))).astype("f4")
    expected = [np.mean([plain_score(views, vector, pooling) for vector in query]) for views in features.astype("f8")]
    vectors = pool(features, pooling)
    assert vectors.shape == (features.shape[1] if pooling == "max" else 1, len(features), features.shape[2])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(scores(vectors, query), expected, atol=1e-4)


@pytest.mark.parametrize("pooling", POOLINGS)
@given(features=FEATURES, seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_half_floats_and_the_order_of_the_objects_change_nothing_else(pooling, features, seed):
    query = unit(np.random.default_rng(seed).standard_normal((1, features.shape[2]))).astype("f4")
    turned = scores(pool(features[::-1], pooling), query)[::-1]
    np.testing.assert_allclose(turned, scores(pool(features, pooling), query), atol=1e-6)
    if pooling != "best":  # another view may be nearest to the mean once all are rounded
        rounded = scores(pool(features.astype("f2"), pooling), query)
        np.testing.assert_allclose(rounded, scores(pool(features, pooling), query), atol=0.05)


def test_views_that_cancel_out_have_a_score_of_zero():
    opposite = np.array([[[1, 0], [-1, 0]]], "f4")
    assert scores(pool(opposite, "mean"), np.array([[1, 0]], "f4")) == [0]
    assert scores(pool(opposite, "max"), np.array([[1, 0]], "f4")) == [1]


def test_the_best_view_is_the_one_nearest_to_the_mean():
    features = np.array([[[1, 0], [0.8, 0.6], [0, 1]], [[1, 0], [1, 0], [0, 1]]], "f4")
    assert best_views(features).tolist() == [1, 0]
    with pytest.raises(InputError, match="pooling 'median': expected one of mean, max, best"):
        pool(features, "median")


@given(
    found=arrays.arrays("f4", st.integers(0, 30), elements=st.sampled_from([-0.5, 0.0, 0.25, 0.5])),
    top=st.integers(1, 40),
)
def test_the_highest_come_first_and_of_equal_ones_the_lower_row(found, top):
    assert ranked(found, top=top).tolist() == sorted(range(len(found)), key=lambda row: (-found[row], row))[:top]


def test_null_scores_by_hand():
    # object 0 is the first word's in all views, object 1 the second's, object 2 the first's in one view of three
    words = np.array([[1, 0], [0, 1]], "f4")
    features = np.array([[[1, 0]] * 3, [[0.6, 0.8]] * 3, [[1, 0], [0.6, 0.8], [0.6, 0.8]]], "f4")
    assert pool(features, "max").shape == (3, 3, 2)
    # max: object 2 fits the first word best (1.0), but two of its views say the other: it is nobody's own
    assert null_scores_of_words(features, words, pooling="max") == [1.0, 0.8]
    # mean: object 2 lies at (2.2, 1.6) / 2.7203 and is the first word's, of which one view of three is sure
    assert null_scores_of_words(features, words, pooling="mean") == [pytest.approx(2.2 / 2.7203, abs=1e-4), 0.5882]
    assert null_scores_of_words(features[:1], words[:1], pooling="mean") == []  # every object is the word's own
    # objects: 0 and 2 belong to the first word, 1 to the second
    expected = [0.6, pytest.approx((0.6 * 2.2 + 0.8 * 1.6) / 2.7203, abs=1e-4)]
    found = null_scores_of_objects(features, words, pooling="mean")
    assert found == [expected[0], expected[1], expected[1]]


def test_a_floor_is_the_null_score_that_the_rate_says():
    null = [score / 20 for score in range(21)]
    # 0.05 of 22 is at least one score above, 0.1 of 22 two, 0.5 of 22 eleven
    assert [floor(null, rate=rate) for rate in (0.05, 0.1, 0.5)] == [1.0, 0.95, 0.5]
    assert floor(null[:19]) == null[18] and floor(null[:18]) is None and floor([]) is None


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60, unique=True), st.sampled_from([0.05, 0.1, 0.25, 0.5]))
def test_of_scores_alike_the_share_of_the_rate_gets_past_the_floor_of_the_others(values, rate):
    floors = [floor(values[:place] + values[place + 1 :], rate=rate) for place in range(len(values))]
    past = sum(lowest is not None and value > lowest for value, lowest in zip(values, floors, strict=True))
    assert past == int(rate * len(values))


def test_random_words_get_past_the_floor_as_often_as_it_says():
    # objects and words without any relation: what one word scores says nothing of another
    generator = np.random.default_rng(0)
    features = unit(generator.standard_normal((60, 4, 16))).astype("f4")
    words = unit(generator.standard_normal((2000, 16))).astype("f4")
    null = null_scores_of_words(features, words[:1000], pooling="mean")
    vectors = pool(features, "mean")
    past = np.mean([scores(vectors, word[None]).max() > floor(null, rate=0.1) for word in words[1000:]])
    assert 0.05 < past < 0.15


@pytest.mark.parametrize(("count", "most", "rows"), [(0, 5, []), (3, 5, [0, 1, 2]), (9, 3, [0, 4, 8])])
def test_rows_are_evenly_spread(count, most, rows):
    assert spread(count, most=most).tolist() == rows


def test_average_precision_by_hand():
    found = np.array([0.9, 0.8, 0.7, 0.6], "f4")
    assert average_precision(found, np.array([True, False, True, False])) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(found, np.array([False, False, False, True])) == 0.25


def test_the_figures_of_objects_that_words_tell_apart_are_perfect():
    centres = np.eye(24, dtype="f4")
    labels = np.repeat(np.arange(24), 3)
    noise = np.random.default_rng(0).standard_normal((72, 4, 24)).astype("f4")
    features = Features(unit(centres[labels][:, None] + 0.02 * noise), labels, tuple(map(str, range(24))), 1.0)
    for figures in retrieval_figures(features, centres).values():
        assert (figures.words_map, figures.words_first, figures.objects_map) == (100, 100, 100)
        assert figures.above_floor == 100 and figures.false_positives < 25
    shuffled = dataclasses.replace(features, labels=np.random.default_rng(1).permutation(labels))
    assert retrieval_figures(shuffled, centres)["mean"].words_map < 30


def test_the_default_pooling_is_the_one_that_the_train_split_chose():
    metrics = read_metrics(Paths(default_root()).metrics("home_objects", "bundled"), ClassificationMetrics)
    assert chosen_pooling(metrics.retrieval["train"]) == DEFAULT


def test_the_background_words_are_many_and_each_is_there_once():
    assert len(WORDS) == len(set(WORDS)) > 200 and all(word == " ".join(word.split()) for word in WORDS)


@pytest.fixture(scope="module")
def model():
    return PointClip("bundled", device="cpu", points=512)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Bundled objects of six classes as clouds, y up, four of each."""
    place = tmp_path_factory.mktemp("objects")
    params = load_params(default_root())
    home = read("home_objects", params.dataset["home_objects"], root=default_root())
    train = home.splits["train"]
    for name in ("armchair", "bed", "bicycle", "sink", "car", "sofa"):
        for row in np.flatnonzero(train.labels == home.classes.index(name))[:4]:
            np.save(place / f"{name}_{row}.npy", train.points[row])
    return place


@pytest.fixture(scope="module")
def path(model, folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("library") / "library.parquet"
    (folder / "broken.ply").write_text("ply")
    model.index(folder, out)
    return out


@pytest.fixture(scope="module")
def library(model, path):
    return model.open_library(path)


def names(found):
    return [hit.entry.path.rpartition("_")[0] for hit in found.hits]


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("words", ["armchair", "a car", "The Bicycle"])
def test_words_find_their_objects_first(words, pooling, library):
    found = library.search(words, top=3, pooling=pooling)
    assert names(found)[0] == words.split()[-1].lower()
    assert (found.kind, found.query, found.pooling) == ("words", words, pooling)
    scored = [hit.score for hit in found.hits]
    assert scored == sorted(scored, reverse=True) and not found.nothing_matches
    assert [hit.matches for hit in found.hits] == [score > found.floor for score in scored]


def test_words_that_mean_nothing_match_nothing(library, capsys):
    found = library.search("a zxcv", top=2)
    assert found.nothing_matches and len(found.hits) == 2
    assert "does not know zxcv" in capsys.readouterr().err


def test_a_smaller_rate_is_a_higher_floor(library):
    floors_of = [library.search("sofa", rate=rate).floor for rate in (0.05, 0.1, 0.5)]
    assert floors_of == sorted(floors_of, reverse=True)


def test_an_object_of_the_library_finds_itself_and_then_its_class(library, folder):
    file = next(iter(sorted(folder.glob("bicycle_*"))))
    for like in (file, np.load(file)):
        found = library.search(like=like, top=3)
        assert names(found) == ["bicycle"] * 3 and found.kind == "objects" and found.floor is not None
    assert library.search(like=file).hits[0].entry.path == file.name
    assert library.search(like=file).hits[0].score == pytest.approx(1, abs=2e-3)


def test_a_picture_of_a_depth_map_finds_the_object_and_has_no_floor(library, tmp_path):
    [picture] = library.thumbnails(library.search("car", top=1))
    Image.open(io.BytesIO(picture)).resize((320, 320)).save(tmp_path / "photo.png")
    found = library.search(image=tmp_path / "photo.png", pooling="max", top=1)
    assert names(found) == ["car"] and found.floor is None and found.hits[0].matches


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "0 of words, an object and a picture"),
        ({"words": "bed", "like": "bed.npy"}, "2 of words, an object and a picture"),
        ({"words": "bed", "top": 0}, "top 0"),
        ({"words": "bed", "rate": 1.0}, "rate 1.0"),
        ({"words": " a "}, "no words"),
        ({"words": "bed", "pooling": "sum"}, "pooling 'sum'"),
        ({"like": "none.obj"}, "none.obj: no such file"),
        ({"image": "none.png"}, "none.png: no such file"),
    ],
)
def test_a_wrong_search_is_one_line(asked, says, library):
    with pytest.raises(InputError, match=says):
        library.search(**asked)


def test_a_library_of_another_model_is_one_line(path):
    for other, says in (
        (PointClip("bundled", device="cpu", points=300), "points 512, not 300"),
        (PointClip("bundled", device="cpu", points=512, templates="class_name"), "templates "),
        (PointClip("bundled_parts", device="cpu", points=512), "backbone bundled, not bundled_parts"),
    ):
        with pytest.raises(InputError, match=f"library.parquet: was made with {says}"):
            Searchable(other, path)


def test_a_library_of_other_weights_is_one_line(model, path, tmp_path):
    encoding, entries = read_entries(path)
    other = dataclasses.replace(encoding, weights=encoding.weights | {"pretrained": "sha256:0"})
    write_library(tmp_path / "l.parquet", entries, other, {})
    with pytest.raises(InputError, match="l.parquet: was made with weights .*index the folder again"):
        model.open_library(tmp_path / "l.parquet")


def test_a_library_without_an_object_is_one_line(model, path, tmp_path):
    encoding, entries = read_entries(path)
    write_library(tmp_path / "l.parquet", [entry for entry in entries if entry.error], encoding, {})
    with pytest.raises(InputError, match="holds no object, only 1 files that could not be read"):
        model.open_library(tmp_path / "l.parquet")


@pytest.mark.parametrize("column", ["path", "sha256", "thumbnail", "features.list.element"])
def test_a_damaged_library_is_one_line(column, model, path, tmp_path):
    pages = pq.ParquetFile(path).metadata.row_group(0)
    chunk = next(pages.column(at) for at in range(pages.num_columns) if pages.column(at).path_in_schema == column)
    content, at = bytearray(path.read_bytes()), chunk.data_page_offset + chunk.total_compressed_size // 2
    content[at : at + 8] = bytes(255 - byte for byte in content[at : at + 8])
    (tmp_path / "l.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"l.parquet: a damaged library"):
        library = model.open_library(tmp_path / "l.parquet")
        library.thumbnails(library.search("bed", top=100))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_library_that_is_cut_short_is_one_line(share, model, path, tmp_path):
    content = path.read_bytes()
    (tmp_path / "l.parquet").write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"l.parquet: not a library, or a damaged one"):
        model.open_library(tmp_path / "l.parquet")


def test_the_command_prints_lines_json_csv_and_a_sheet(path, tmp_path, pointclip):
    status, printed, _ = pointclip("search", path, "a bed", "--top", "8", "--html", tmp_path / "beds.html")
    lines = printed.splitlines()
    assert (
        status == 0
        and "above the floor" in lines[0]
        and "bed_" in lines[1]
        and lines[-1].startswith("weights: bundled")
    )
    assert sum("below the floor" in line for line in lines) >= 1
    page = (tmp_path / "beds.html").read_text()
    assert page.count("data:image/png;base64,") == 8 and "a bed" in page
    told = json.loads(pointclip("search", path, "a bed", "--json")[1])
    assert told["objects"][0]["file"].startswith("bed_") and told["objects"][0]["above_floor"]
    assert told["false_positive_rate"] == 0.05 and told["pooling"] == DEFAULT and not told["nothing_matches"]
    rows = list(csv.DictReader(io.StringIO(pointclip("search", path, "--like", path.parent / "none.obj", "--csv")[1])))
    assert rows == []
    rows = list(csv.DictReader(io.StringIO(pointclip("search", path, "a bed", "--csv", "--top", "2")[1])))
    assert [row["rank"] for row in rows] == ["1", "2"] and rows[0]["file"] == told["objects"][0]["file"]


def test_the_command_says_which_axis_it_guessed_in_the_object_that_is_asked_for(path, folder, tmp_path, pointclip):
    x, y, z = np.load(next(iter(sorted(folder.glob("car_*"))))).T
    car = tmp_path / "car.npy"
    np.save(car, np.stack([x, -z, y], axis=1))  # z up
    status, printed, _ = pointclip("search", path, "--like", car, "--up", "auto", "--html", tmp_path / "cars.html")
    assert status == 0 and printed.splitlines()[0] == f"{car}  (z up, guessed)"
    assert f"{car}  (z up, guessed)" in (tmp_path / "cars.html").read_text()
    told = json.loads(pointclip("search", path, "--like", car, "--up", "auto", "--json")[1])
    assert (told["up"], told["up_guessed"], told["read"]["kind"]) == ("z", True, "cloud")
    assert told["objects"][0]["file"].startswith("car_")
    told = json.loads(pointclip("search", path, "--like", car, "--json")[1])
    assert told["up"] == "y" and "up_guessed" not in told
    told = json.loads(pointclip("search", path, "car", "--json")[1])
    assert "up" not in told and "read" not in told


def test_a_library_of_guessed_axes_guesses_that_of_the_object_too(folder, tmp_path, pointclip):
    out, place = tmp_path / "library.parquet", tmp_path / "cars"
    place.mkdir()
    for file in folder.glob("car_*"):
        (place / file.name).write_bytes(file.read_bytes())
    pointclip("index", place, "--out", out, "--points", "256", "--up", "auto")
    like = next(iter(sorted(place.glob("*"))))
    status, printed, _ = pointclip("search", out, "--like", like)
    assert status == 0 and re.fullmatch(rf"{re.escape(str(like))}  \([xyz] up, guessed\)", printed.splitlines()[0])


def test_what_is_dropped_of_the_object_that_is_asked_for_is_a_line(path, tmp_path, pointclip):
    corner = tmp_path / "corner.obj"
    corner.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 3 4\nf 1 2\n")
    status, _, [note] = pointclip("search", path, "--like", corner)
    assert status == 0 and note.startswith(f"note: {corner}: dropped ")


def test_the_command_says_where_nothing_matches(path, pointclip):
    status, printed, _ = pointclip("search", path, "zxcv")
    assert status == 0 and printed.startswith("nothing matches")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("none.parquet", "bed"), "no such file; `pointclip index"),
        ((__file__, "bed"), "not a library"),
        (("{library}",), "0 of words, an object and a picture"),
        (("{library}", "bed", "--image", "x.png"), "2 of words, an object and a picture"),
        (("{library}", "bed", "--pooling", "sum"), "pooling 'sum': expected one of mean, max, best"),
    ],
)
def test_a_wrong_call_of_the_command_is_one_line(arguments, says, path, pointclip):
    status, _, _ = pointclip("search", *(str(one).replace("{library}", str(path)) for one in arguments))
    assert isinstance(status, str) and status.startswith("error: ") and says in status and "\n" not in status


def test_a_contact_sheet_needs_nothing_else_and_escapes_names(tmp_path):
    tiles = [Tile("<b>&.obj", 0.5, True, b"PNG"), Tile("far.obj", 0.25, False, b"PNG")]
    page = contact_sheet(tiles, title="<script>", verdict="one matches", weights="bundled")
    assert "&lt;b&gt;&amp;.obj" in page and "<script>" not in page
    assert page.count('class="below"') == 1 and "0.250, below the floor" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page) and "prefers-color-scheme: dark" in page
