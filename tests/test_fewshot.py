"""Few-shot methods on small made-up features and clouds: what they start at, what they learn, how they stop."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from torch.nn.functional import conv3d, normalize

from stages.config.params import load_params
from stages.config.train import Augment
from stages.core.errors import InputError
from stages.fewshot import recipes
from stages.fewshot.adapter import PaperAdapter
from stages.fewshot.augment import augment
from stages.fewshot.baselines import within_one_error
from stages.fewshot.classifiers import AdapterClassifier, CloudClassifier, ZeroShot
from stages.fewshot.draws import draw
from stages.fewshot.evaluation import few_shot_figures
from stages.fewshot.methods import CloudTask, Plan, Task, run
from stages.fewshot.smoothing import LearnableSmoothing, ShallowConv3d
from stages.fewshot.spans import SpanClassifier, Table
from stages.fewshot.training import Labelled, fit, predict
from stages.projection.differentiable import render, squeeze
from stages.projection.presets import PRESETS

VIEWS, WIDTH, CLASSES = 3, 16, 4
SMALL = dataclasses.replace(
    PRESETS["v2_classification"], resolution=24, depth=5, lookup_depth=4, densify_window=(1, 3, 3),
    densify_padding=(0, 1, 1),
)  # fmt: skip
PARAMS = load_params()
TRAIN = dataclasses.replace(PARAMS.train, shots=(4,), seeds=(0,), epochs=12, learning_rate=0.1, short_classes="error")
TRAIN_FROM_ZERO = dataclasses.replace(TRAIN, probe_start="zero")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The arrays are too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Memory:
    """A storage that can be made to fail like a process that is killed."""

    def __init__(self, puts=1000):
        self.content, self.puts = None, puts

    def get(self):
        return self.content

    def put(self, content):
        if self.puts == 0:
            raise KeyboardInterrupt
        self.content, self.puts = content, self.puts - 1


def made_up(samples, *, seed=0, permuted=False):
    """A task whose text is off the true class centres, and its test labels."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(CLASSES, VIEWS, WIDTH, generator=generator)
    labels = torch.arange(2 * samples) % CLASSES
    noise = torch.randn(2 * samples, VIEWS, WIDTH, generator=generator)
    features = normalize(centres[labels] + noise, dim=-1)
    text = normalize(centres.mean(1) + torch.randn(CLASSES, WIDTH, generator=generator), dim=-1)
    known = labels[:samples]
    if permuted:
        known = known[torch.randperm(samples, generator=generator)]
    zero_shot = ZeroShot(text, torch.full((VIEWS,), 1 / VIEWS), 20.0)
    task = Task(features[:samples], known, features[samples:], ("a", "b", "c", "d"), zero_shot)
    return task, labels[samples:]


def accuracy(logits, labels):
    return (logits.argmax(1) == labels).float().mean().item()


@given(st.lists(st.integers(4, 12), min_size=2, max_size=5), st.integers(0, 5))
@examples(max_examples=20, deadline=None)
def test_draws_are_nested_and_share_nothing(counts, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    names = tuple(map(str, range(len(counts))))
    drawn = [
        draw(labels, class_names=names, shots=k, seed=seed, validation_fraction=0.25, short_classes="error")
        for k in (1, 2, 3)
    ]
    for fewer, more in zip(drawn, drawn[1:], strict=False):
        assert set(fewer.support) < set(more.support) and set(fewer.validation) <= set(more.validation)
    for k, one in enumerate(drawn, start=1):
        assert not set(one.support) & set(one.validation)
        np.testing.assert_array_equal(np.bincount(labels[one.support]), np.full(len(counts), k))
        assert np.bincount(labels[one.validation]).max() <= k


def test_a_class_with_too_few_samples_is_named_or_gives_all_it_has():
    labels, options = np.repeat([0, 1], [12, 4]), {"class_names": ("chair", "sofa"), "shots": 8, "seed": 0}
    with pytest.raises(InputError, match="train.shots 8: class 'sofa' has 3 samples"):
        draw(labels, **options, validation_fraction=0.25, short_classes="error")
    drawn = draw(labels, **options, validation_fraction=0.25, short_classes="use_all")
    np.testing.assert_array_equal(np.bincount(labels[drawn.support]), [8, 3])
    with pytest.raises(InputError, match="validation_fraction 0.0"):
        draw(labels, **options, validation_fraction=0.0, short_classes="use_all")


@pytest.mark.parametrize("depth", [1, 2, 8])
def test_the_shallow_convolution_is_a_convolution(depth):
    layer, grid = ShallowConv3d(2, 3), torch.randn(2, 2, depth, 9, 7)
    torch.testing.assert_close(layer(grid), conv3d(grid, layer.weight, padding=1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_learnable_smoothing_starts_at_the_fixed_filter(training):
    clouds = torch.randn(2, 100, 3)
    smoothing = LearnableSmoothing(channels=2).train(training)
    torch.testing.assert_close(render(clouds, SMALL, refine=smoothing), render(clouds, SMALL), rtol=0, atol=0)


def test_the_gradient_of_learnable_smoothing_is_that_of_finite_differences():
    torch.manual_seed(0)
    smoothing = LearnableSmoothing(channels=2).double()
    torch.nn.init.constant_(smoothing.second[1].weight, 0.3)
    grid, weights = torch.rand(3, 4, 6, 6).double() + 0.5, torch.rand(3, 6, 6).double()

    def loss():
        return (squeeze(smoothing(grid))[0] * weights).sum()

    loss().backward()
    for parameter in smoothing.parameters():
        direction, step = torch.randn_like(parameter), 1e-6
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter += sign * step * direction
                sides.append(loss().item())
                parameter -= sign * step * direction
        numeric = (sides[0] - sides[1]) / (2 * step)
        assert (parameter.grad * direction).sum().item() == pytest.approx(numeric, rel=1e-4, abs=1e-6)


def test_an_adapter_that_adds_nothing_is_the_zero_shot_classifier():
    task, _ = made_up(8)
    adapter = PaperAdapter(views=VIEWS, width=WIDTH)
    torch.nn.init.zeros_(adapter.to_views.weight)
    logits = AdapterClassifier(adapter, task.zero_shot)(task.test)
    torch.testing.assert_close(logits, task.zero_shot.logits(task.test))


def test_eight_clouds_are_learnt_by_heart():
    generator = torch.Generator().manual_seed(0)
    clouds = torch.randn(8, 60, 3, generator=generator) * torch.rand(8, 1, 3, generator=generator) ** 2
    tower = torch.randn(12 * 12, WIDTH, generator=generator)
    views = SMALL.views
    zero_shot = ZeroShot(normalize(torch.randn(8, WIDTH, generator=generator)), torch.full((views,), 1 / views), 20.0)

    def encode(maps):
        seen = maps[:, ::2, ::2].flatten(1)
        return normalize((seen - seen.mean(1, keepdim=True)) @ tower, dim=-1)

    def build():
        adapted = AdapterClassifier(PaperAdapter(views=views, width=WIDTH), zero_shot)
        return CloudClassifier(adapted, SMALL, encode, channels=2)

    examples = Labelled(clouds, torch.arange(8))
    recipe = dataclasses.replace(recipes.TIP_ADAPTER_F, epochs=80, patience=80, batch_size=8, at_once=4)
    recipe = dataclasses.replace(recipe, learning_rate=0.02)
    model, course = fit(build, examples, examples, recipe, seed=0, name="eight", storage=Memory())
    assert course.epochs[0].validation_accuracy < 1
    assert accuracy(predict(model, clouds, at_once=8), examples.labels) == 1
    assert model.smoothing.second[1].weight.abs() > 0


@pytest.mark.parametrize("method", ["adapter", "tip_adapter", "tip_adapter_f", "linear_probe"])
def test_every_method_beats_zero_shot_and_permuted_labels_do_not(method):
    task, truth = made_up(80)
    start = accuracy(task.zero_shot.logits(task.test), truth)
    learnt = run(task, Plan(method, 12, 0), TRAIN_FROM_ZERO, lambda name: Memory())
    assert accuracy(learnt.logits, truth) > start
    wrong, truth = made_up(80, permuted=True)
    learnt = run(wrong, Plan(method, 12, 0), TRAIN_FROM_ZERO, lambda name: Memory())
    assert accuracy(learnt.logits, truth) <= start + 0.02


def test_permuted_labels_leave_a_linear_probe_from_zero_at_chance():
    found = []
    for seed in range(8):
        task, truth = made_up(160, seed=seed, permuted=True)
        learnt = run(task, Plan("linear_probe", 12, seed), TRAIN_FROM_ZERO, lambda name: Memory())
        found.append(accuracy(learnt.logits, truth))
    assert np.mean(found) == pytest.approx(1 / CLASSES, abs=0.07)
    task, truth = made_up(160)
    learnt = run(task, Plan("linear_probe", 12, 0), TRAIN_FROM_ZERO, lambda name: Memory())
    assert accuracy(learnt.logits, truth) > 2 / CLASSES


def test_the_simplest_model_within_one_standard_error_is_taken():
    simple, better = torch.tensor([1.0, 1.0, 1.0, 1.0]), torch.tensor([0.9, 0.9, 0.9, 0.9])
    lucky, worse = torch.tensor([0.0, 1.2, 1.2, 1.2]), torch.tensor([2.0, 2.0, 2.0, 2.0])
    assert within_one_error(torch.stack([simple, better])) == 1  # better on every sample
    # mean 0.9, 0.1 less than 1, by one sample: standard deviation 0.52 of the difference, error 0.26
    assert within_one_error(torch.stack([worse, simple, lucky])) == 1
    assert within_one_error(torch.tensor([[1.0], [0.5]])) == 1  # one sample has no error to speak of


def test_a_linear_probe_from_text_stays_the_zero_shot_classifier_where_nothing_can_be_learnt():
    task, _ = made_up(80, permuted=True)
    flat = dataclasses.replace(task, zero_shot=task.zero_shot._replace(logit_scale=1.0))
    logits = run(flat, Plan("linear_probe", 4, 0), TRAIN, lambda name: Memory()).logits
    torch.testing.assert_close(logits, flat.zero_shot.logits(task.test), atol=0.02, rtol=0)


def test_feature_noise_is_of_the_training_alone_and_keeps_the_length():
    task, _ = made_up(8)
    noisy = AdapterClassifier(PaperAdapter(views=VIEWS, width=WIDTH), task.zero_shot, noise=2.0)
    plain = AdapterClassifier(noisy.adapter, task.zero_shot)
    assert torch.equal(noisy.eval()(task.test), plain(task.test))
    seen = []
    noisy.adapter.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    noisy.train()(task.test)
    torch.testing.assert_close(seen[0].norm(dim=2), torch.ones(len(task.test), VIEWS))
    cosine = (seen[0] * task.test).sum(2).mean().item()
    assert cosine == pytest.approx(1 / 5**0.5, abs=0.15)  # 1 along the feature, 2 across it


def test_smoothing_with_an_adapter_starts_where_the_adapter_ended():
    task, _ = made_up(40)
    generator = torch.Generator().manual_seed(0)
    clouds = torch.randn(80, 50, 3, generator=generator) * (1 + torch.arange(80) % CLASSES)[:, None, None] ** 0.5
    clouds[:, :, 1] *= (1.0 + torch.arange(80) % CLASSES)[:, None]
    views, tower = SMALL.views, torch.randn(12 * 12, WIDTH, generator=generator)

    def encode(maps):
        seen = maps[:, ::2, ::2].flatten(1)
        return normalize((seen - seen.mean(1, keepdim=True)) @ tower, dim=-1)

    with torch.no_grad():
        features = encode(render(clouds, SMALL).flatten(0, 1)).unflatten(0, (80, views))
    zero_shot = task.zero_shot._replace(view_weights=torch.full((views,), 1 / views))
    task = dataclasses.replace(
        task,
        train=features[:40],
        test=features[40:],
        zero_shot=zero_shot,
        clouds=CloudTask(clouds[:40], clouds[40:], SMALL, encode, "made up"),
    )
    options = dataclasses.replace(TRAIN, epochs=3, learning_rate=0.01, smooth_channels=2)
    places = {}
    both = run(task, Plan("smooth_adapter", 4, 0), options, lambda name: places.setdefault(name, Memory()))
    adapter = run(task, Plan("adapter", 4, 0), options, lambda name: places[name])  # as it was stored
    least = min(epoch.validation_loss for epoch in adapter.epochs)
    assert both.epochs[0].validation_loss == pytest.approx(least, rel=1e-4)
    assert {"smoothing.first.0.weight", "classify.adapter.mix.weight"} <= set(both.state)


@pytest.mark.parametrize("variant, noise", [("paper", 0.0), ("paper", 3.0), ("released", 3.0)])
@pytest.mark.parametrize("puts", [0, 5])
def test_training_that_is_interrupted_ends_in_the_same_weights(puts, variant, noise):
    task, _ = made_up(40)
    options = dataclasses.replace(
        TRAIN,
        adapter=dataclasses.replace(TRAIN.adapter, variant=variant),
        feature_noise=noise,
        checkpoint_seconds=0.0,
    )
    whole = run(task, Plan("adapter", 4, 0), options, lambda name: Memory())
    places = {"adapter-4-0": Memory(), "adapter-4-0.unfinished": Memory(puts)}
    with pytest.raises(KeyboardInterrupt):
        run(task, Plan("adapter", 4, 0), options, places.__getitem__)
    places["adapter-4-0.unfinished"].puts = 1000
    again = run(task, Plan("adapter", 4, 0), options, places.__getitem__)
    assert torch.equal(again.logits, whole.logits) and torch.equal(again.watched, whole.watched)
    assert all(torch.equal(again.state[name], whole.state[name]) for name in whole.state)
    read = run(task, Plan("adapter", 4, 0), options, places.__getitem__)
    assert torch.equal(read.logits, whole.logits) and read.epochs[1:] == whole.epochs[1:]


def test_training_leaves_torchs_generator_as_it_was():
    task, _ = made_up(40)
    before = torch.get_rng_state()
    run(task, Plan("adapter", 4, 0), TRAIN, lambda name: Memory())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_loss_that_is_not_finite_names_the_step_and_keeps_the_checkpoint():
    task, _ = made_up(40)
    options = dataclasses.replace(TRAIN, learning_rate=1e30, checkpoint_seconds=0.0)
    places = {"adapter-4-0": Memory(), "adapter-4-0.unfinished": Memory()}
    with pytest.raises(InputError, match=r"adapter-4-0: the loss is (nan|inf) at epoch \d+, step"):
        run(task, Plan("adapter", 4, 0), options, places.__getitem__)
    assert places["adapter-4-0"].content is None


def test_features_of_another_backbone_are_one_line():
    task, _ = made_up(8)
    other = task.zero_shot._replace(text=torch.zeros(CLASSES, WIDTH + 1))
    with pytest.raises(InputError, match=r"another backbone: text \[4, 17\], expected \[4, 16\]"):
        dataclasses.replace(task, zero_shot=other)


def test_other_inputs_or_settings_have_another_fingerprint():
    task, _ = made_up(8)
    other, _ = made_up(8, seed=1)
    names = {task.fingerprint(TRAIN), other.fingerprint(TRAIN), task.fingerprint(PARAMS.train)}
    assert len(names) == 3 and task.fingerprint(TRAIN) in names


def test_a_preset_is_overridden_and_a_value_out_of_range_is_named():
    assert recipes.resolve(dataclasses.replace(PARAMS.train, preset="pointclip")) == recipes.POINTCLIP
    assert recipes.resolve(dataclasses.replace(PARAMS.train, batch_size=3)).batch_size == 3
    with pytest.raises(InputError, match=r"params.yaml: train.epochs 1: expected more than warmup_epochs"):
        recipes.resolve(dataclasses.replace(PARAMS.train, epochs=1))


def test_the_learning_rate_rises_and_falls_along_a_cosine():
    recipe = dataclasses.replace(recipes.POINTCLIP, learning_rate=1.0, warmup_epochs=1, epochs=5)
    assert [recipe.rate(epoch) for epoch in range(5)] == pytest.approx(
        [0.5, 1, (1 + 2**-0.5) / 2, 0.5, (1 - 2**-0.5) / 2]
    )


def test_augmentation_turns_about_y_and_thins_out():
    clouds = torch.randn(4, 50, 3)
    still = Augment(turn=0.0, scale=0.0, shift=0.0, jitter=0.0, dropout=0.0)
    torch.testing.assert_close(augment(clouds, still), clouds)
    turned = augment(clouds, dataclasses.replace(still, turn=180.0))
    torch.testing.assert_close(turned.norm(dim=-1), clouds.norm(dim=-1))
    torch.testing.assert_close(turned[..., 1], clouds[..., 1])
    assert not torch.allclose(turned, clouds)
    thinned = augment(clouds, dataclasses.replace(still, dropout=0.9))
    kept = (thinned == clouds).all(-1)
    assert not kept.all() and (thinned[~kept] == clouds[:, :1].expand_as(clouds)[~kept]).all()


def test_the_figures_are_those_counted_by_hand():
    runs = {("zero_shot", 0, 0): [0, 0, 0, 0], ("adapter", 2, 0): [0, 1, 0, 0], ("adapter", 2, 1): [0, 1, 1, 0]}
    rows = [
        (i, label, *known, rank, predicted if rank == 0 else 1, 0.5)
        for known, classes in runs.items()
        for i, (label, predicted) in enumerate(zip([0, 1, 1, 0], classes, strict=True))
        for rank in (0, 1)
    ]
    names = ("sample", "label", "method", "shots", "seed", "rank", "predicted", "score")
    columns = {name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
    watched = [("adapter", 2, 0, np.array([[0, 0, 0, 0], [0, 1, 1, 0], [1, 0, 0, 1]]))]
    found = few_shot_figures(columns, watched, config=PARAMS.evaluate)
    assert found["adapter"][0].top1_mean == 50 and found["adapter"][0].seeds == ()
    assert found["adapter"][2].top1_mean == 87.5 and found["adapter"][2].top1_std == 12.5
    assert found["adapter"][2].seeds == (0, 1) and found["adapter"][2].labels_read == "train"
    marked = found["adapter_best_on_test"][2]
    assert marked.top1_mean == 100 and marked.oracle


def test_training_in_the_span_of_the_support_set_is_the_same_training():
    task, _ = made_up(40)
    recipe = dataclasses.replace(recipes.POINTCLIP, epochs=8, batch_size=8, learning_rate=0.05, weight_decay=0.01)
    rows = torch.arange(40)
    support = Labelled(task.train[:24], task.labels[:24])
    validation = Labelled(task.train[24:], task.labels[24:])
    table = Table.of(support.inputs, validation.inputs)

    def build():
        return AdapterClassifier(PaperAdapter(views=VIEWS, width=WIDTH), task.zero_shot)

    plain, slow = fit(build, support, validation, recipe, seed=0, name="plain", storage=Memory())
    spanned, fast = fit(
        lambda: SpanClassifier(build(), table),
        support._replace(inputs=rows[:24]),
        validation._replace(inputs=rows[24:]),
        recipe,
        seed=0,
        name="span",
        storage=Memory(),
    )
    torch.testing.assert_close(torch.tensor(fast.epochs[1:]), torch.tensor(slow.epochs[1:]), rtol=1e-4, atol=1e-4)
    assert fast.epochs[-1].loss < fast.epochs[1].loss
    found = spanned.classifier().state_dict()
    for name, expected in plain.state_dict().items():
        torch.testing.assert_close(found[name], expected, rtol=1e-3, atol=1e-4)
