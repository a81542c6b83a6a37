"""Prompt search, view weights, label-free choice and cross-fitting against loops that do what is said, one at a time.

The random instances have features of small whole numbers and text of norm 2, so every product is exact and ties between
classes, which the rules must break as published, are common.
"""

import inspect
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.artifacts.types import Prompts
from stages.core.errors import InputError
from stages.prompt_search.alternating import search_alternating
from stages.prompt_search.candidates import Candidates, view_similarity, weighted_features
from stages.prompt_search.cross_fit import confirm, search_cross_fitted, stratified_folds
from stages.prompt_search.greedy import search_prompts
from stages.prompt_search.label_free import choose_label_free, view_agreement
from stages.prompt_search.task import SearchSettings, SearchTask
from stages.prompt_search.view_weights import coordinate_view_weights, grid_view_weights

OBJECTIVES = ("accuracy", "mean_class_accuracy", "negative_log_likelihood")
WIDTH = 4
quick = settings(max_examples=40, deadline=None)


class Instance:
    """A random instance from `seed`; exact: whole numbers with ties, otherwise normal numbers without."""

    def __init__(self, seed, *, exact=True, samples=None, views=None):
        generator = np.random.default_rng(seed)
        classes, views = int(generator.integers(2, 6)), views or int(generator.integers(1, 5))
        samples = samples or int(generator.integers(1, 30))
        counts = generator.integers(1, 9, classes)

        def numbers(*shape):
            if exact:
                return generator.choice([-1.0, 1.0], shape).astype(np.float32)
            return generator.normal(size=shape).astype(np.float32)

        self.features = numbers(samples, views, WIDTH)
        self.labels = generator.integers(0, classes, samples)
        self.initial = numbers(classes, WIDTH)
        self.offsets = np.concatenate([[0], np.cumsum(counts)])
        self.candidates = Candidates.ragged(numbers(counts.sum(), WIDTH), self.offsets)
        self.view_weights = generator.choice([0.25, 0.5, 0.75, 1.0], views)

    def searched(self, *, logit_scale=100.0, **settings):
        return search_prompts(self.task(logit_scale=logit_scale), SearchSettings(**settings))

    def task(self, **changes):
        given_all = {"features": self.features, "labels": self.labels, "candidates": self.candidates}
        return SearchTask(**given_all | {"initial": self.initial, "view_weights": self.view_weights} | changes)


def instances(**options):
    return st.integers(0, 2**32 - 1).map(lambda seed: Instance(seed, **options))


def predicted(features, text, view_weights):
    """Classes by one product a view; the first of equals."""
    unit = text / np.linalg.norm(text, axis=1, keepdims=True)
    return np.argmax(sum(weight * (features[:, v] @ unit.T) for v, weight in enumerate(view_weights)), axis=1)


def judged(features, labels, text, view_weights, objective):
    """(samples right, objective): the definition, class by class."""
    hits = predicted(features, text, view_weights) == labels
    if objective == "accuracy":
        return hits.sum(), hits.mean()
    if objective == "mean_class_accuracy":
        return hits.sum(), np.mean([hits[labels == c].mean() for c in np.unique(labels)])
    unit = text / np.linalg.norm(text, axis=1, keepdims=True)
    logits = 3.0 * np.einsum("nvd,v,cd->nc", features.astype(np.float64), view_weights, unit)
    likelihood = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return hits.sum(), np.log(likelihood[np.arange(len(labels)), labels]).mean()


def naive_search(one, *, sweeps, objective):
    """The published loop: put the candidate in place, look at all samples, keep it when strictly better."""
    text = one.initial.copy()
    start, best = judged(one.features, one.labels, text, one.view_weights, objective)
    counts, trace, choice = [start], [], np.full(len(text), -1)
    for sweep, c in itertools.product(range(sweeps), range(len(text))):
        for j in range(one.offsets[c + 1] - one.offsets[c]):
            trial = text.copy()
            trial[c] = one.candidates.features[one.offsets[c] + j]
            correct, value = judged(one.features, one.labels, trial, one.view_weights, objective)
            counts.append(correct)
            if value > best + 1e-9:
                best, text, choice[c] = value, trial, j
                trace.append((sweep, c, j, correct))
    return counts, trace, choice, best, text


@pytest.mark.parametrize("objective", OBJECTIVES)
@quick
@given(one=instances(), sweeps=st.integers(1, 3), memory=st.sampled_from([0, 20000, 2**29]))
def test_the_search_is_the_naive_loop(objective, one, sweeps, memory):
    counts, trace, choice, best, text = naive_search(one, sweeps=sweeps, objective=objective)
    found = one.searched(sweeps=sweeps, objective=objective, memory=memory, logit_scale=3.0)
    assert [step[:4] for step in found.trace] == trace
    np.testing.assert_array_equal(found.counts, counts)
    np.testing.assert_array_equal(found.choice, choice)
    assert found.value == pytest.approx(best, abs=1e-6)
    np.testing.assert_allclose(found.text, text / 2, atol=1e-6)


def test_small_blocks_of_candidates_change_nothing(monkeypatch):
    one = Instance(5, samples=20)
    whole = one.searched()
    monkeypatch.setattr("stages.prompt_search.greedy.candidates_at_once", lambda samples: 3)
    np.testing.assert_array_equal(one.searched().counts, whole.counts)


@pytest.mark.parametrize("views", [1, 3])
def test_some_samples_at_a_time_change_nothing(monkeypatch, views):
    rng = np.random.default_rng(0)
    features, text = rng.normal(size=(300, views, 8)).astype("f4"), rng.normal(size=(5, 8)).astype("f4")
    weights = np.ones(views, "f4")
    whole = view_similarity(features, text=text), weighted_features(features, view_weights=weights)
    monkeypatch.setattr("stages.core.blocks.blocks.__kwdefaults__", {"block": 128})
    monkeypatch.setattr("stages.core.blocks.in_blocks.__kwdefaults__", {"block": 128})
    assert np.shares_memory(whole[1], features) == (views == 1)
    np.testing.assert_allclose(view_similarity(features, text=text), whole[0], atol=1e-5)
    np.testing.assert_allclose(weighted_features(features, view_weights=weights), whole[1], atol=1e-6)
    features[200, 0, 0] = np.nan
    for made in (
        lambda: view_similarity(features, text=text),
        lambda: weighted_features(features, view_weights=weights),
    ):
        with pytest.raises(InputError, match="features: sample 200 is not finite"):
            made()


@pytest.mark.parametrize("objective", OBJECTIVES)
@quick
@given(one=instances(exact=False))
def test_a_sweep_never_lowers_the_objective(objective, one):
    values = [one.searched(sweeps=sweeps, objective=objective).value for sweeps in (1, 2, 3)]
    assert sorted(values) == values
    assert values[0] >= one.searched(sweeps=0, objective=objective).value
    found = one.searched(objective=objective)
    assert found.trace == () or found.value == found.trace[-1].value > found.start_value


def test_equal_sentences_tie_to_the_last_bit():
    one = Instance(1, exact=False, samples=333, views=3)
    doubled = Candidates.ragged(np.repeat(one.candidates.features, 5, axis=0), one.offsets * 5)
    found = search_prompts(one.task(candidates=doubled), SearchSettings())
    assert {step.candidate % 5 for step in found.trace} == {0}
    again = search_prompts(one.task(initial=found.text), SearchSettings())
    assert again.start == found.correct


@quick
@given(one=instances(), levels=st.integers(1, 4))
def test_the_grid_is_the_nested_loops(one, levels):
    views = one.features.shape[1]
    fixed = tuple(range(views // 2))
    values = [(i + 1) / levels for i in range(levels)] if levels != 3 else [1 / 3, 2 / 3, 1.0]
    counts = [
        judged(one.features, one.labels, one.initial, [0.75] * len(fixed) + list(rest), "accuracy")[0]
        for rest in itertools.product(values, repeat=views - len(fixed))
    ]
    grid = grid_view_weights(
        one.features, one.labels, text=one.initial, fallback=one.view_weights, levels=levels, fixed=fixed
    )
    if levels != 3:  # sums of thirds round, and ties with them
        np.testing.assert_array_equal(grid.counts, counts)
    best, accepted = grid.start, []
    for place, count in enumerate(grid.counts):
        if count > best:
            best, accepted = count, [*accepted, place]
    np.testing.assert_array_equal(grid.accepted, accepted)
    assert grid.correct == best
    assert grid.start == judged(one.features, one.labels, one.initial, np.ones(views), "accuracy")[0]
    if not accepted:
        np.testing.assert_array_equal(grid.weights, np.float32(one.view_weights))
    else:
        assert judged(one.features, one.labels, one.initial, grid.weights, "accuracy")[0] == best or levels == 3


@pytest.mark.parametrize("objective", OBJECTIVES[:2])
@quick
@given(one=instances(exact=False), restarts=st.integers(0, 2))
def test_the_coordinate_search_is_never_worse_than_its_start(objective, one, restarts):
    moved = coordinate_view_weights(
        one.features, one.labels, text=one.initial, start=one.view_weights, objective=objective, restarts=restarts
    )
    assert moved.value >= moved.start_value
    assert moved.value == pytest.approx(judged(one.features, one.labels, one.initial, moved.weights, objective)[1])
    assert (moved.correct == moved.start) or objective != "accuracy" or moved.value > moved.start_value


@quick
@given(one=instances(exact=False, views=2, samples=40))
def test_one_weight_is_as_good_as_brute_force(one):
    """With rounds=1 the first view's weight is searched first, the other one held."""
    moved = coordinate_view_weights(one.features, one.labels, text=one.initial, start=np.float32([0.5, 1.0]), rounds=1)
    brute = max(
        judged(one.features, one.labels, one.initial, [weight, 1.0], "accuracy")[0]
        for weight in np.linspace(0.0005, 0.9995, 1000)
    )
    assert moved.correct >= brute


def test_by_turns_prompts_and_weights_get_no_worse():
    one = Instance(8, exact=False, samples=200, views=4)
    alone = search_alternating(one.task(), SearchSettings())
    assert (alone.correct, len(alone.rounds)) == (one.searched().correct, 1)
    for view_search in ("grid", "coordinate"):
        turns = search_alternating(one.task(), SearchSettings(), view_search=view_search, rounds=4)
        assert turns.correct >= alone.correct
        assert turns.correct == judged(one.features, one.labels, turns.text, turns.view_weights, "accuracy")[0]
        chosen = one.candidates.features[one.candidates.prompt_ids(turns.choice)[turns.choice >= 0]]
        np.testing.assert_allclose(
            turns.text[turns.choice >= 0], chosen / np.linalg.norm(chosen, axis=1, keepdims=True), atol=1e-6
        )


def test_the_label_free_choice_cannot_see_labels():
    assert not {name for name in inspect.signature(choose_label_free).parameters if "label" in name}


def scene(*, views=6, blind=2, samples=300, seed=0):
    """Features of 5 classes whose last `blind` views show nothing, and candidates of which the first 3 are good."""
    generator = np.random.default_rng(seed)
    centres, labels = generator.normal(size=(5, 32)), generator.integers(0, 5, samples)
    seen = centres[labels][:, None] * (np.arange(views) < views - blind)[:, None]
    features = seen + generator.normal(size=(samples, views, 32))
    good = centres[:, None] + 0.3 * generator.normal(size=(5, 3, 32))
    poor = 0.3 * centres[:, None] + generator.normal(size=(5, 9, 32))
    candidates = np.concatenate([good, poor], axis=1).reshape(-1, 32).astype(np.float32)
    features = (features / np.linalg.norm(features, axis=2, keepdims=True)).astype(np.float32)
    return features, labels, Candidates.ragged(candidates, np.arange(6) * 12)


def test_label_free_finds_the_views_and_sentences_that_agree():
    features, labels, candidates = scene()
    found = choose_label_free(features, candidates=candidates, logit_scale=20.0)
    assert found.view_weights[:4].min() > 5 * found.view_weights[4:].max()
    assert found.view_weights.mean() == pytest.approx(1, abs=1e-5)
    assert [set(kept) for kept in found.kept] == [{0, 1, 2}] * 5
    everything = choose_label_free(features, candidates=candidates, logit_scale=20.0, keep_fraction=1.0)
    right = [(predicted(features, one.text, one.view_weights) == labels).mean() for one in (found, everything)]
    assert right[0] >= right[1] > 0.5


def test_views_that_always_say_the_same_weigh_nothing_beside_ones_that_tell():
    says_zero = np.tile([1.0, 0, 0], (2, 60, 1))
    telling = np.tile(np.eye(3)[np.arange(60) % 3], (2, 1, 1))
    weights = view_agreement(np.concatenate([telling, says_zero]).astype(np.float32))
    assert weights[2:].max() == pytest.approx(0, abs=1e-6)
    assert weights[:2].min() > 1
    np.testing.assert_array_equal(view_agreement(says_zero.astype(np.float32)), [1, 1])


@quick
@given(labels=st.lists(st.integers(0, 4), min_size=6, max_size=60), folds=st.integers(2, 6), seed=st.integers(0, 99))
def test_folds_are_even_in_every_class(labels, folds, seed):
    labels = np.array(labels)
    fold_of = stratified_folds(labels, folds=folds, seed=seed)
    for c in [None, *np.unique(labels)]:
        counts = np.bincount(fold_of if c is None else fold_of[labels == c], minlength=folds)
        assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(fold_of, stratified_folds(labels, folds=folds, seed=seed))


@pytest.mark.parametrize("objective", OBJECTIVES)
@settings(max_examples=15, deadline=None)
@given(one=instances(samples=24), seed=st.integers(0, 9))
def test_cross_fitting_is_a_search_without_each_fold_then_a_vote(objective, one, seed):
    settings = SearchSettings(objective=objective)
    crossed = search_cross_fitted(one.task(logit_scale=3.0), settings, folds=3, seed=seed)
    choices, gains, right, right_before = [], np.zeros((3, len(one.initial))), 0, 0
    for k in range(3):
        kept, held = crossed.folds != k, crossed.folds == k
        task = one.task(features=one.features[kept], labels=one.labels[kept], logit_scale=3.0)
        found = search_prompts(task, settings)
        on_held = one.features[held], one.labels[held]
        correct, value = judged(*on_held, found.text, one.view_weights, objective)
        right += correct
        right_before += judged(*on_held, one.initial, one.view_weights, objective)[0]
        for c in range(len(one.initial)):
            put_back = found.text.copy()
            put_back[c] = one.initial[c]
            gains[k, c] = value - judged(*on_held, put_back, one.view_weights, objective)[1]
        choices.append(found.choice)
    np.testing.assert_allclose(crossed.gains, gains, atol=1e-6)
    assert (crossed.held_out_start, crossed.held_out_correct) == (right_before, right)
    confirmed = confirm(np.stack(choices), crossed.gains)
    assert all(j == -1 or j in few for j, few in zip(crossed.final.choice, confirmed, strict=True))
    assert crossed.final.value >= crossed.final.start_value


def test_cross_fitting_is_the_same_for_the_same_seed():
    features, labels, candidates = scene()
    initial, weights = candidates.features[11::12], np.ones(6)
    task = SearchTask(features, labels, candidates=candidates, initial=initial, view_weights=weights)
    one, same, other = (search_cross_fitted(task, SearchSettings(), seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.final.choice, same.final.choice)
    np.testing.assert_array_equal(one.gains, same.gains)
    assert (one.folds != other.folds).any()
    assert one.held_out_correct > one.held_out_start


def test_a_class_whose_folds_lose_stays_initial():
    choices = np.array([[3, 1], [4, 1], [3, -1]])
    few, none = confirm(choices, np.array([[0.1, 0.1], [-0.1, -0.2], [0.2, 0.0]]))
    assert (few.tolist(), none.tolist()) == ([3], [])


def spoilt(array):
    array = array.copy()
    array[0, 0] = np.nan
    return array


BAD_INPUT = {
    "no candidates": (
        lambda one: {"candidates": Candidates.ragged(one.candidates.features, [0, 0, 7])},
        "candidates: none for class 0, expected at least one a class",
    ),
    "other classes": (lambda one: {"initial": one.initial[:-1]}, "initial text features: 1 classes, expected the 2"),
    "other width": (lambda one: {"initial": one.initial[:, :3]}, r"widths \[3, 4\], expected one"),
    "nan features": (lambda one: {"features": spoilt(one.features)}, "features: sample 0 is not finite"),
    "nan candidates": (
        lambda one: {"candidates": Candidates.ragged(spoilt(one.candidates.features), one.offsets)},
        "candidates of class 0: row 0 has norm nan, expected finite and above 0",
    ),
    "nan initial": (lambda one: {"initial": spoilt(one.initial)}, "initial text features: row 0 has norm nan"),
    "empty split": (
        lambda one: {"features": one.features[:0], "labels": one.labels[:0]},
        r"features: shape \[0, 3, 4\], expected \[N, V, D\] with at least one sample",
    ),
    "labels of other classes": (lambda one: {"labels": one.labels + 2}, "expected 0 to 1: class lists differ"),
    "labels too few": (lambda one: {"labels": one.labels[1:]}, r"labels: int64 \[8\], expected whole numbers \[9\]"),
    "weights too few": (lambda one: {"view_weights": [1.0]}, r"view weights: \[1.0\], expected 3 finite numbers"),
    "unknown objective": (lambda one: {"objective": "luck"}, "objective: 'luck', expected one of accuracy"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
@pytest.mark.parametrize("searching", [search_prompts, search_cross_fitted])
def test_bad_input_stops_with_one_line(searching, name):
    one = next(one for seed in itertools.count() if len((one := Instance(seed, samples=9, views=3)).initial) == 2)
    change, message = BAD_INPUT[name]
    changes = change(one)
    with pytest.raises(InputError, match=message) as error:
        settings = SearchSettings(objective=changes.pop("objective", "accuracy"))
        searching(one.task(**changes), settings)
    assert "\n" not in str(error.value)


def test_bad_input_of_the_other_searches_stops_with_one_line():
    one = Instance(3, exact=False, samples=9, views=3)
    split = one.features, one.labels
    empty = Candidates.ragged(one.candidates.features, np.minimum(one.offsets, one.offsets[-2]))
    text, weights = {"text": one.initial}, np.ones(3)
    calls = [
        (lambda: choose_label_free(one.features, candidates=empty), "candidates: none for class"),
        (lambda: choose_label_free(spoilt(one.features), candidates=one.candidates), "features: sample 0 is not"),
        (lambda: choose_label_free(one.features[:0], candidates=one.candidates), "at least one sample"),
        (
            lambda: choose_label_free(one.features, candidates=one.candidates, keep_fraction=0),
            "label free: keep_fraction 0",
        ),
        (lambda: grid_view_weights(one.features[:0], one.labels[:0], **text, fallback=weights), "at least one sample"),
        (lambda: grid_view_weights(spoilt(one.features), one.labels, **text, fallback=weights), "not finite"),
        (lambda: grid_view_weights(*split, **text, fallback=weights), "expected a free view"),
        (lambda: coordinate_view_weights(*split, **text, start=[1, 1]), r"view weights: \[1.0, 1.0\]"),
        (lambda: coordinate_view_weights(*split, text=one.initial[:1], start=weights), "lists differ"),
        (
            lambda: search_alternating(one.task(), SearchSettings("mean_class_accuracy"), view_search="grid"),
            "view search 'grid' with objective",
        ),
        (lambda: search_alternating(one.task(), SearchSettings(), rounds=0), "search rounds: 0, expected at least 1"),
        (lambda: search_cross_fitted(one.task(), SearchSettings(), folds=10), "folds: 10, expected 2 to 9"),
    ]
    for call, message in calls:
        with pytest.raises(InputError, match=message) as error:
            call()
        assert "\n" not in str(error.value)


def prompts(classes=(1, 0, 1), names=("table", "chair", "table"), sets=("one", "one", "four")):
    return Prompts(np.array(classes), names, sets, ("",) * 3, np.eye(3, dtype=np.float32))


def test_candidates_are_the_prompts_of_the_sets_by_class():
    candidates = Candidates.from_prompts(prompts(), prompt_sets=("one", "four"), class_names=("chair", "table"))
    assert [candidates.of_class(c).tolist() for c in range(2)] == [[1], [0, 2]]
    np.testing.assert_array_equal(candidates.prompt_ids(np.array([-1, 1])), [-1, 2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ("desk", "chair", "table")}, "prompt 0 is for class 1 'desk', which the features do not have"),
        ({"classes": (2, 0, 1)}, "candidates: prompt 0 is for class 2 'table'"),
        ({"sets": ("one", "two", "one")}, "candidates: none for class 0 'chair'"),
    ],
)
def test_candidates_for_other_classes_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        Candidates.from_prompts(prompts(**changes), prompt_sets=("one",), class_names=("chair", "table"))
