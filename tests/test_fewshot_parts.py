"""Splits, recipes, the loss, augmentation and figures of few-shot training, by hand-checked cases."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from torch.nn.functional import normalize

from stages.config.params import load_params
from stages.core.errors import InputError
from stages.fewshot import recipes
from stages.fewshot.adapted_search import Searched
from stages.fewshot.augment import Augmentation, augment
from stages.fewshot.baselines import (
    ALPHAS,
    GAUSSIAN_ALPHAS,
    discriminant,
    gaussian_discriminant,
    tip_adapter,
    within_one_error,
)
from stages.fewshot.classifiers import CacheClassifier, ZeroShot
from stages.fewshot.evaluation import few_shot_figures
from stages.fewshot.splits import few_shot_split
from stages.fewshot.training import Labelled, smoothed_cross_entropy

PARAMS = load_params()
PAPER = dataclasses.replace(PARAMS.train.adapter, variant="paper")


@given(st.lists(st.integers(4, 12), min_size=2, max_size=5), st.integers(0, 5))
@examples(max_examples=20, deadline=None)
def test_splits_are_nested_and_share_nothing(counts, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    names = tuple(map(str, range(len(counts))))
    options = {"class_names": names, "seed": seed, "validation_fraction": 0.25, "short_classes": "error"}
    splits = [few_shot_split(labels, shots=k, **options) for k in (1, 2, 3)]
    for fewer, more in zip(splits, splits[1:], strict=False):
        assert set(fewer.support) < set(more.support) and set(fewer.validation) <= set(more.validation)
    for k, split in enumerate(splits, start=1):
        assert not set(split.support) & set(split.validation)
        np.testing.assert_array_equal(np.bincount(labels[split.support]), np.full(len(counts), k))
        assert np.bincount(labels[split.validation]).max() <= k


def test_a_class_with_too_few_samples_is_named_or_gives_all_it_has():
    labels, options = np.repeat([0, 1], [12, 4]), {"class_names": ("chair", "sofa"), "shots": 8, "seed": 0}
    with pytest.raises(InputError, match="train.shots 8: class 'sofa' has 3 samples"):
        few_shot_split(labels, **options, validation_fraction=0.25, short_classes="error")
    split = few_shot_split(labels, **options, validation_fraction=0.25, short_classes="use_all")
    np.testing.assert_array_equal(np.bincount(labels[split.support]), [8, 3])
    with pytest.raises(InputError, match="validation_fraction 0.0"):
        few_shot_split(labels, **options, validation_fraction=0.0, short_classes="use_all")


def test_the_simplest_model_within_one_standard_error_is_taken():
    simple, better = torch.tensor([1.0, 1.0, 1.0, 1.0]), torch.tensor([0.9, 0.9, 0.9, 0.9])
    lucky, worse = torch.tensor([0.0, 1.2, 1.2, 1.2]), torch.tensor([2.0, 2.0, 2.0, 2.0])
    assert within_one_error(torch.stack([simple, better])) == 1  # better on every sample
    # mean 0.9, 0.1 less than 1, by one sample: standard deviation 0.52 of the difference, error 0.26
    assert within_one_error(torch.stack([worse, simple, lucky])) == 1
    assert within_one_error(torch.tensor([[1.0], [0.5]])) == 1  # one sample has no error to speak of


def test_a_preset_is_overridden_and_a_value_out_of_range_is_named():
    pointclip, report = (
        recipes.resolve(dataclasses.replace(PARAMS.train, preset=name)) for name in ("pointclip", "report")
    )
    assert pointclip == recipes.POINTCLIP
    assert dataclasses.replace(report, batch_size=32, micro_batch_size=32) == pointclip and report.batch_size == 8
    assert recipes.resolve(dataclasses.replace(PARAMS.train, batch_size=3)).batch_size == 3
    with pytest.raises(InputError, match=r"params.yaml: train.epochs 1: expected more than warmup_epochs"):
        recipes.resolve(dataclasses.replace(PARAMS.train, epochs=1))


@pytest.mark.parametrize("warmup, expected", [
    (0, [1, (1 + 2**-0.5) / 2, 0.5, (1 - 2**-0.5) / 2]),
    (1, [0.5, 1, (1 + 2**-0.5) / 2, 0.5, (1 - 2**-0.5) / 2]),
    (3, [0.25, 0.5, 0.75, 1, (1 + 2**-0.5) / 2, 0.5, (1 - 2**-0.5) / 2]),
])  # fmt: skip
def test_the_learning_rate_rises_and_falls_along_a_cosine(warmup, expected):
    ours = recipes.PRESETS["ours"]
    recipe = dataclasses.replace(ours, learning_rate=1.0, warmup_epochs=warmup, epochs=4 + warmup)
    assert rates_of(recipe) == pytest.approx(expected)


def rates_of(recipe):
    """The learning rate of every epoch."""
    optimiser = recipe.optimiser_of(torch.nn.Linear(1, 1))
    schedule, rates = recipe.schedule_of(optimiser), []
    for _ in range(recipe.epochs):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return rates


def test_pointclips_rate_is_constant_in_the_warm_up_and_then_a_cosine_as_long_as_all_epochs():
    rates = rates_of(recipes.POINTCLIP)
    assert len(rates) == 250 and rates[:2] == pytest.approx([1e-5, 0.01])
    assert rates[126] == pytest.approx(0.005)  # half of 250 epochs after the cosine began
    assert rates[249] == pytest.approx(0.005 * (1 + math.cos(math.pi * 248 / 250)))
    short = dataclasses.replace(recipes.POINTCLIP, epochs=4, warmup_epochs=2)
    assert rates_of(short) == pytest.approx([1e-5, 1e-5, 0.01, 0.005 * (1 + 2**-0.5)])


def test_pointclips_recipe_is_its_released_configuration():
    settings = dataclasses.replace(PARAMS.train, preset="pointclip")
    recipe = recipes.resolve(settings)
    assert (recipe.optimiser, recipe.learning_rate, recipe.weight_decay) == ("sgd", 0.01, 0.0005)
    assert (recipe.batch_size, recipe.epochs, recipe.label_smoothing) == (32, 250, 0.2)
    assert recipe.optimiser_of(torch.nn.Linear(1, 1)).param_groups[0]["momentum"] == 0.9
    assert recipes.resolve_adapter(settings) == "released" and recipes.resolve_adapter(PARAMS.train) == "paper"
    assert recipes.resolve_adapter(dataclasses.replace(settings, adapter=PAPER)) == "paper"
    published = recipes.as_published(dataclasses.replace(PARAMS.train, learning_rate=3.0, adapter=PAPER))
    assert recipes.resolve(published).learning_rate == 0.01 and recipes.resolve_adapter(published) == "released"


def test_pointclips_augmentation_scales_every_axis_and_shifts_and_is_overridden():
    settings = dataclasses.replace(PARAMS.train, preset="pointclip")
    clouds = torch.randn(200, 6, 3)
    moved = augment(clouds, recipes.resolve_augmentation(settings))
    scale = (moved[:, 0] - moved[:, 1]) / (clouds[:, 0] - clouds[:, 1])
    assert 2 / 3 - 1e-3 <= scale.min() < 0.7 and 1.4 < scale.max() <= 1.5 + 1e-3
    shift = moved[:, 0] - scale * clouds[:, 0]
    assert -0.2 - 1e-3 <= shift.min() < -0.15 and 0.15 < shift.max() <= 0.2 + 1e-3
    torch.testing.assert_close(moved, clouds * scale[:, None] + shift[:, None], rtol=0, atol=1e-3)
    given = dataclasses.replace(settings, augment=dataclasses.replace(settings.augment, scale=0.25, jitter=0.5))
    found = recipes.resolve_augmentation(given)
    assert (found.scale, found.jitter, found.shift) == ((0.75, 1.25), 0.5, 0.2)


def test_the_smoothed_loss_is_the_one_counted_by_hand():
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    total = math.exp(2) + 2
    first = -0.8 * math.log(math.exp(2) / total) - 0.2 * math.log(1 / total)
    loss = smoothed_cross_entropy(logits, torch.tensor([0, 1]), smoothing=0.2)
    assert loss.item() == pytest.approx((first + math.log(3)) / 2)


@given(st.integers(2, 6), st.floats(0, 0.5))
@examples(max_examples=20, deadline=None)
def test_the_smoothed_loss_is_the_cross_entropy_to_the_smoothed_labels(classes, smoothing):
    logits, labels = torch.randn(5, classes), torch.arange(5) % classes
    targets = torch.full((5, classes), smoothing / (classes - 1))
    targets[torch.arange(5), labels] = 1 - smoothing
    expected = -(targets * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(smoothed_cross_entropy(logits, labels, smoothing=smoothing), expected)


def test_augmentation_turns_about_y_and_thins_out():
    clouds = torch.randn(4, 50, 3)
    still = Augmentation(turn=0.0, scale=(1.0, 1.0), shift=0.0, jitter=0.0, dropout=0.0)
    torch.testing.assert_close(augment(clouds, still), clouds)
    turned = augment(clouds, still._replace(turn=180.0))
    torch.testing.assert_close(turned.norm(dim=-1), clouds.norm(dim=-1))
    torch.testing.assert_close(turned[..., 1], clouds[..., 1])
    assert not torch.allclose(turned, clouds)
    thinned = augment(clouds, still._replace(dropout=0.9))
    kept = (thinned == clouds).all(-1)
    assert not kept.all() and (thinned[~kept] == clouds[:, :1].expand_as(clouds)[~kept]).all()


def test_a_cache_in_training_classifies_a_support_sample_without_its_own_key():
    support, labels = torch.eye(3)[:, None], torch.tensor([0, 1, 1])
    zero_shot = ZeroShot(torch.tensor([[1.0, 0, 0], [0, 1, 0]]), torch.ones(1), 10.0)
    model = CacheClassifier(support, labels, zero_shot, alpha=2.0, beta=1.0, trained=True)
    start, far = torch.tensor([[10.0, 0], [0, 10], [0, 0]]), 2 * math.exp(-1)  # of keys at right angles
    cache = torch.tensor([[2, 2 * far], [far, 2 + far], [far, 2 + far]])
    torch.testing.assert_close(model.eval()(support), start + cache)
    without = torch.tensor([[0, 2 * far], [far, far], [far, far]])
    torch.testing.assert_close(model.train()(support), start + without)
    new = normalize(torch.tensor([[[1.0, 1, 0]]]), dim=2)  # a sample that is in no cache
    torch.testing.assert_close(model.train()(new), model.eval()(new))
    assert set(model.state_dict()) == {"keys", "values", "alpha", "beta"}


def test_the_cache_takes_the_best_accuracy_and_of_equals_the_lowest_loss():
    first, second, third = torch.eye(3)[:, None].unbind()
    zero_shot = ZeroShot(torch.tensor([[0.8, 0.6, 0], [0.6, 0.8, 0]]), torch.ones(1), 20.0)
    support = Labelled(torch.stack([first] + [third] * 5), torch.tensor([1, 0, 0, 0, 0, 0]))
    validation = Labelled(torch.stack([first, first, third]), torch.tensor([1, 1, 1]))
    # Of alpha / 20 = a, the margins are 20 (a (1 - 5 exp(-beta)) - 0.2), twice, and 20 a (exp(-beta) - 5). The loss is
    # least at the smallest a. Two samples are right for a of 0.436 from beta 4 on, which has the lowest loss of these,
    # and for a of 1, whose loss is larger.
    model = tip_adapter(support, validation, zero_shot)
    assert model.alpha.item() == pytest.approx(20 * ALPHAS[6]) and ALPHAS[6] == pytest.approx(0.436, abs=1e-3)
    assert model.beta.item() == 4


def test_the_gaussian_discriminant_of_four_points():
    """Class means (1, 0) and (0, 1), every point 1 off its own along one axis."""
    points, labels = np.array([[2.0, 0], [0, 0], [0, 2], [0, 0]]), np.array([0, 0, 1, 1])
    coefficients, bias = discriminant(points, labels)
    # scatter diag(2, 2) = 3 K, trace of K 4/3: the precision is 2 / (2 + 4/3) = 0.6 times I
    np.testing.assert_allclose(coefficients, 0.6 * np.eye(2), rtol=1e-12)
    np.testing.assert_allclose(bias, [-0.3, -0.3], rtol=1e-12)


@given(seed=st.integers(0, 999), shots=st.integers(1, 4), classes=st.integers(2, 4), width=st.integers(2, 9))
@examples(deadline=None, max_examples=20)
def test_the_gaussian_discriminant_is_the_published_formula(seed, shots, classes, width):
    """Wang et al. 2024: W and b from the class means and D ((S - 1) K + tr(K) I)^-1, K unbiased by S - 1."""
    samples = np.random.default_rng(seed).normal(size=(2 * shots * classes, width))
    labels = np.arange(len(samples)) % classes
    means = np.stack([samples[labels == label].mean(0) for label in range(classes)])
    covariance = np.cov((samples - means[labels]).T)
    precision = width * np.linalg.pinv((len(samples) - 1) * covariance + np.trace(covariance) * np.eye(width))
    coefficients, bias = discriminant(samples, labels)
    np.testing.assert_allclose(coefficients, means @ precision, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(bias, -np.einsum("cd,de,ce->c", means, precision, means) / 2, rtol=1e-7, atol=1e-9)


def test_the_log_odds_of_an_object_are_the_weighted_mean_over_its_views():
    generator = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(6, 3, 5, generator=generator), torch.arange(6) % 2
    zero_shot = ZeroShot(torch.zeros(2, 5), torch.tensor([0.5, 0.3, 0.2]), 10.0)
    model = gaussian_discriminant(Labelled(inputs, labels), Labelled(inputs, labels), zero_shot)
    coefficients, bias = discriminant(inputs.flatten(0, 1).double().numpy(), labels.repeat_interleave(3).numpy())
    expected = np.einsum("nvd,v,cd->nc", inputs.numpy(), [0.5, 0.3, 0.2], coefficients) + bias
    ratio = model(inputs).detach().numpy() / expected
    assert ratio.std() < 1e-3 * ratio.mean() and min(abs(ratio.mean() / alpha - 1) for alpha in GAUSSIAN_ALPHAS) < 1e-3


def test_one_view_of_one_shot_leaves_the_zero_shot_classifier():
    inputs, labels = torch.eye(2)[:, None], torch.arange(2)
    zero_shot = ZeroShot(torch.eye(2), torch.ones(1), 10.0)
    model = gaussian_discriminant(Labelled(inputs, labels), Labelled(inputs, labels), zero_shot)
    torch.testing.assert_close(model(inputs), zero_shot.logits(inputs))


def test_the_figures_are_those_counted_by_hand():
    runs = {("zero_shot", 0, 0): [0, 0, 0, 0], ("adapter", 2, 0): [0, 1, 0, 0], ("adapter", 2, 1): [0, 1, 1, 0]}
    runs |= {("adapter_as_published_before", 2, 0): [0, 0, 0, 1]}
    rows = [
        (i, label, *known, rank, predicted if rank == 0 else 1, 0.5)
        for known, classes in runs.items()
        for i, (label, predicted) in enumerate(zip([0, 1, 1, 0], classes, strict=True))
        for rank in (0, 1)
    ]
    names = ("sample", "label", "method", "shots", "seed", "rank", "predicted", "score")
    columns = {name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
    predictions = [("adapter", 2, 0, np.array([[0, 0, 0, 0], [0, 1, 1, 0], [1, 0, 0, 1]]))]
    searches = [
        Searched("adapter_search_train", 2, 0, "train", np.array([0, 1, 1, 0]), {}),
        Searched("adapter_as_published_after", 2, 0, "test", np.array([0, 1, 0, 1]), {}),
    ]
    found = few_shot_figures(columns, predictions, config=PARAMS.evaluate, searched=searches)
    assert found["adapter"][0].top1_mean == 50 and found["adapter"][0].seeds == ()
    assert found["adapter"][2].top1_mean == 87.5 and found["adapter"][2].top1_std == 12.5
    # one of four samples wrong before and right with both seeds, one with one seed: a redraw gains 0 to 100 points
    assert 0 <= found["adapter"][2].gain_low < 37.5 < found["adapter"][2].gain_high <= 100
    assert (found["adapter"][0].gain_low, found["adapter"][0].gain_high) == (0, 0)
    assert found["adapter"][2].seeds == (0, 1) and found["adapter"][2].labels_read == "train"
    marked = found["adapter_best_on_test"][2]
    assert marked.top1_mean == 100 and marked.oracle
    assert found["adapter_search_train"][2].top1_mean == 100 and not found["adapter_search_train"][2].oracle
    assert found["adapter_as_published_after"][2].top1_mean == 50 and found["adapter_as_published_after"][2].oracle
    assert found["adapter_as_published_before"][2].oracle and found["adapter_as_published_before"][2].top1_mean == 25
    assert all(list(found[f"adapter_as_published_{end}"]) == [2] for end in ("before", "after"))  # none of 0 shots
