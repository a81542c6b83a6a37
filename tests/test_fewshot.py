"""Few-shot methods on small made-up features and clouds: what they start at, what they learn, how they stop."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.functional import conv3d, normalize
from torch.utils._python_dispatch import TorchDispatchMode

from stages.config.params import load_params
from stages.core.errors import InputError
from stages.fewshot import methods, recipes
from stages.fewshot.adapter import PaperAdapter
from stages.fewshot.augment import augment
from stages.fewshot.baselines import tip_adapter_f, weigh_cache
from stages.fewshot.classifiers import AdapterClassifier, CloudClassifier, ZeroShot
from stages.fewshot.runs import run, run_specs, split_of
from stages.fewshot.smoothing import LearnableSmoothing, ShallowConv3d, VoxelNorm
from stages.fewshot.specs import RunSpec
from stages.fewshot.tasks import CloudTask, Published, Task
from stages.fewshot.training import FitConfig, Labelled, _Trainer, fit, predict
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
    """A checkpoint in memory that can be made to fail like a process that is killed."""

    def __init__(self, writes=1000):
        self.content, self.writes = None, writes

    def read(self):
        return self.content

    def write(self, content):
        if self.writes == 0:
            raise KeyboardInterrupt
        self.content, self.writes = content, self.writes - 1


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


@pytest.mark.parametrize("depth", [1, 2, 8])
def test_the_shallow_convolution_is_a_convolution(depth):
    layer, grid = ShallowConv3d(2, 3), torch.randn(2, 2, depth, 9, 7)
    torch.testing.assert_close(layer(grid), conv3d(grid, layer.weight, padding=1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_learnable_smoothing_starts_at_the_fixed_filter(training):
    clouds = torch.randn(2, 100, 3)
    smoothing = LearnableSmoothing(channels=2).train(training)
    torch.testing.assert_close(render(clouds, SMALL, refine=smoothing), render(clouds, SMALL), rtol=0, atol=0)


def test_the_written_out_batch_norm_is_torchs():
    generator = torch.Generator().manual_seed(0)
    grids = [torch.randn(3, 2, 4, 5, 5, generator=generator).double().requires_grad_() for _ in range(2)]
    grids[1].data.copy_(grids[0].data)
    norms = [VoxelNorm(2).double(), torch.nn.BatchNorm3d(2).double()]
    for norm in norms:
        torch.nn.init.constant_(norm.weight, 1.5)
        torch.nn.init.constant_(norm.bias, 0.3)
    weights = torch.randn(3, 2, 4, 5, 5, generator=generator).double()
    found = [norms[0].written_out(grids[0] + 2), norms[1](grids[1] + 2)]
    torch.testing.assert_close(*found)
    for values in found:
        (values * weights).sum().backward()
    torch.testing.assert_close(grids[0].grad, grids[1].grad)
    torch.testing.assert_close(*(dict(norm.state_dict()) for norm in norms))
    for name, parameter in norms[0].named_parameters():
        torch.testing.assert_close(parameter.grad, dict(norms[1].named_parameters())[name].grad)


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


def test_eight_clouds_are_classified_without_error_after_training_on_them():
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
    recipe = dataclasses.replace(recipes.TIP_ADAPTER_F, epochs=80, patience=80, batch_size=8, micro_batch_size=4)
    recipe = dataclasses.replace(recipe, learning_rate=0.02)
    config = FitConfig(recipe=recipe, seed=0, name="eight")
    model, history = fit(build, examples, examples, config, checkpoint=Memory())
    assert history.epochs[0].validation_accuracy < 1
    assert accuracy(predict(model, clouds, batch_size=8), examples.labels) == 1
    assert model.smoothing.second[1].weight.abs() > 0


@pytest.mark.parametrize("method", ["adapter", "tip_adapter", "tip_adapter_f", "linear_probe", "gaussian_discriminant"])
def test_every_method_beats_zero_shot_and_permuted_labels_do_not(method):
    task, truth = made_up(80)
    start = accuracy(task.zero_shot.logits(task.test), truth)
    learnt = run(task, RunSpec(method, 12, 0), TRAIN_FROM_ZERO, lambda name: Memory())
    assert accuracy(learnt.logits, truth) > start
    wrong, truth = made_up(80, permuted=True)
    learnt = run(wrong, RunSpec(method, 12, 0), TRAIN_FROM_ZERO, lambda name: Memory())
    assert accuracy(learnt.logits, truth) <= start + 0.02


def test_alpha_and_beta_of_a_trained_cache_are_chosen_after_the_training():
    task, _ = made_up(80)
    spec = RunSpec("tip_adapter_f", 12, 0)
    learnt = run(task, spec, TRAIN, lambda name: Memory())
    assert learnt.epochs[-1].loss < 0.9 * learnt.epochs[1].loss  # no sample has its label from its own key
    support, validation = (Labelled(task.train[rows], task.labels[rows]) for rows in split_of(task, spec, TRAIN))
    model = tip_adapter_f(support, task.zero_shot)
    started = predict(model, validation.inputs, batch_size=64)
    model.load_state_dict(learnt.state)
    weigh_cache(model, validation)
    assert (model.alpha.item(), model.beta.item()) == (learnt.state["alpha"].item(), learnt.state["beta"].item())
    chosen = accuracy(predict(model, validation.inputs, batch_size=64), validation.labels)
    assert chosen > accuracy(started, validation.labels)
    assert torch.equal(learnt.epoch_predictions[-1].long(), learnt.logits.argmax(1))  # counts as an epoch


def test_permuted_labels_leave_a_linear_probe_from_zero_at_chance():
    found = []
    for seed in range(8):
        task, truth = made_up(160, seed=seed, permuted=True)
        learnt = run(task, RunSpec("linear_probe", 12, seed), TRAIN_FROM_ZERO, lambda name: Memory())
        found.append(accuracy(learnt.logits, truth))
    assert np.mean(found) == pytest.approx(1 / CLASSES, abs=0.07)
    task, truth = made_up(160)
    learnt = run(task, RunSpec("linear_probe", 12, 0), TRAIN_FROM_ZERO, lambda name: Memory())
    assert accuracy(learnt.logits, truth) > 2 / CLASSES


def test_a_linear_probe_from_text_stays_the_zero_shot_classifier_where_nothing_can_be_learnt():
    task, _ = made_up(80, permuted=True)
    flat = dataclasses.replace(task, zero_shot=task.zero_shot._replace(logit_scale=1.0))
    logits = run(flat, RunSpec("linear_probe", 4, 0), TRAIN, lambda name: Memory()).logits
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
    task, truth = made_up(40)
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
    checkpoints = {}
    both = run(task, RunSpec("smooth_adapter", 4, 0), options, lambda name: checkpoints.setdefault(name, Memory()))
    adapter = run(task, RunSpec("adapter", 4, 0), options, lambda name: checkpoints[name])  # as it was stored
    least = min(epoch.validation_loss for epoch in adapter.epochs)
    assert both.epochs[0].validation_loss == pytest.approx(least, rel=1e-4)
    assert {"smoothing.first.0.weight", "classify.adapter.mix.weight"} <= set(both.state)
    logits = 20 * both.adapted["test_features"] @ zero_shot.text.T
    torch.testing.assert_close(logits, both.logits, rtol=0, atol=1e-4)
    task, short = as_published(task, truth), dataclasses.replace(options.as_published, epochs=2)
    options, own = dataclasses.replace(options, as_published=short), {}
    spec = RunSpec("smooth_adapter", 4, 0, published=True)
    published = run(task, spec, options, lambda name: own.setdefault(name, Memory()))
    assert set(own) == {str(spec), f"{spec}.unfinished"}  # no adapter was trained first
    assert {"smoothing.first.0.weight", "classify.adapter.fusion"} <= set(published.state)


def as_published(task, truth):
    """The task with what runs as published get: a start of their own and the test labels."""
    other = normalize(task.zero_shot.text + 0.5 * torch.randn(CLASSES, WIDTH), dim=-1)
    return dataclasses.replace(task, published=Published(task.zero_shot._replace(text=other), truth))


def test_a_run_as_published_takes_its_epoch_by_the_accuracy_on_the_test_split():
    task, truth = made_up(80)
    task = as_published(task, truth)
    published = dataclasses.replace(TRAIN.as_published, epochs=12, preset="pointclip")
    options = dataclasses.replace(TRAIN, as_published=published, learning_rate=100.0)  # of our runs alone
    result = run(task, RunSpec("adapter", 8, 0, published=True), options, lambda name: Memory())
    reached = [epoch.validation_accuracy for epoch in result.epochs]
    assert len(reached) == 13 and len(set(reached)) > 1
    assert accuracy(result.logits, truth) == pytest.approx(max(reached))
    assert result.epoch_predictions is None and set(result.adapted) == {"test_features"}
    logits = 20 * result.adapted["test_features"] @ task.published.zero_shot.text.T
    torch.testing.assert_close(logits, result.logits, rtol=0, atol=1e-4)
    assert "adapter.fusion" in result.state  # the released adapter


def test_a_run_as_published_learns_from_the_whole_train_split():
    task, truth = made_up(40)
    spec = RunSpec("adapter", 10, 0, published=True)  # all ten samples of each class
    support, validation = split_of(task, spec, TRAIN)
    np.testing.assert_array_equal(support, np.arange(40))
    assert len(validation) == 0
    with pytest.raises(InputError, match=r"train.shots 11: class 'a' has 10 samples in the train split;"):
        split_of(task, spec._replace(shots=11), TRAIN)
    names = {task.fingerprint(TRAIN), as_published(task, truth).fingerprint(TRAIN)}
    assert len(names | {as_published(task, 3 - truth).fingerprint(TRAIN)}) == 3


def test_samples_that_do_not_fill_a_last_batch_are_left_out_of_an_epoch():
    class Counting(torch.nn.Linear):
        rows = 0

        def forward(self, inputs):
            self.rows += len(inputs) if self.training else 0
            return super().forward(inputs)

    samples, seen = Labelled(torch.randn(7, 5), torch.arange(7) % 2), {}
    for drop_last, batch_size in ((True, 3), (False, 3), (True, 7), (True, 8)):
        recipe = dataclasses.replace(recipes.POINTCLIP, epochs=3, batch_size=batch_size, drop_last=drop_last)
        config = FitConfig(recipe=recipe, seed=0, name="counted")
        model, _ = fit(lambda: Counting(5, 2), samples, samples, config, checkpoint=Memory())
        seen[drop_last, batch_size] = model.rows
    assert seen == {(True, 3): 3 * 6, (False, 3): 3 * 7, (True, 7): 3 * 7, (True, 8): 3 * 7}


@pytest.mark.parametrize("variant, noise", [("paper", 0.0), ("paper", 3.0), ("released", 3.0)])
@pytest.mark.parametrize("writes", [0, 5])
def test_training_that_is_interrupted_ends_in_the_same_weights(writes, variant, noise):
    task, _ = made_up(40)
    options = dataclasses.replace(
        TRAIN,
        adapter=dataclasses.replace(TRAIN.adapter, variant=variant),
        feature_noise=noise,
        checkpoint_seconds=0.0,
    )
    whole = run(task, RunSpec("adapter", 4, 0), options, lambda name: Memory())
    checkpoints = {"adapter-4-0": Memory(), "adapter-4-0.unfinished": Memory()}
    for more in (writes, 3):  # killed, continued, and killed again
        checkpoints["adapter-4-0.unfinished"].writes = more
        with pytest.raises(KeyboardInterrupt):
            run(task, RunSpec("adapter", 4, 0), options, checkpoints.__getitem__)
    checkpoints["adapter-4-0.unfinished"].writes = 1000
    again = run(task, RunSpec("adapter", 4, 0), options, checkpoints.__getitem__)
    assert torch.equal(again.logits, whole.logits) and torch.equal(again.epoch_predictions, whole.epoch_predictions)
    assert all(torch.equal(again.state[name], whole.state[name]) for name in whole.state)
    read = run(task, RunSpec("adapter", 4, 0), options, checkpoints.__getitem__)
    assert torch.equal(read.logits, whole.logits) and read.epochs[1:] == whole.epochs[1:]


def test_training_leaves_torchs_generator_as_it_was():
    task, _ = made_up(40)
    before = torch.get_rng_state()
    run(task, RunSpec("adapter", 4, 0), TRAIN, lambda name: Memory())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_loss_that_is_not_finite_names_the_step_and_keeps_the_checkpoint():
    task, _ = made_up(40)
    options = dataclasses.replace(TRAIN, learning_rate=1e30, checkpoint_seconds=0.0)
    checkpoints = {"adapter-4-0": Memory(), "adapter-4-0.unfinished": Memory()}
    with pytest.raises(InputError, match=r"adapter-4-0: the loss is (nan|inf) at epoch \d+, step"):
        run(task, RunSpec("adapter", 4, 0), options, checkpoints.__getitem__)
    assert checkpoints["adapter-4-0"].content is None


class WithoutWaiting(TorchDispatchMode):
    """Fails where a value is asked for on the host, for which a device would have to finish its work."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        assert operation not in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default), operation
        return operation(*args, **(kwargs or {}))


def steps_of(device):
    """Steps of smooth_adapter's training on `device`, not begun."""
    zero_shot = ZeroShot(torch.randn(CLASSES, 144), torch.full((SMALL.views,), 1 / SMALL.views), 20.0)
    zero_shot = ZeroShot(zero_shot.text.to(device), zero_shot.view_weights.to(device), 20.0)
    classify = AdapterClassifier(PaperAdapter(views=SMALL.views, width=144), zero_shot, noise=1.0)
    model = CloudClassifier(classify, SMALL, lambda maps: normalize(maps[:, ::2, ::2].flatten(1), dim=1), channels=2)
    support = Labelled(torch.randn(6, 50, 3, device=device), torch.arange(6, device=device) % CLASSES)
    recipe = dataclasses.replace(recipes.resolve_smoothing(PARAMS.train), batch_size=6, micro_batch_size=3)
    moved = partial(augment, settings=recipes.resolve_augmentation(PARAMS.train))
    config = FitConfig(recipe=recipe, seed=0, name="steps", augment=moved)
    trainer = _Trainer(model.to(device), support, support, config)
    return lambda: trainer._step(torch.arange(6, device=device))


def test_a_step_asks_for_nothing_on_the_host():
    step = steps_of(torch.device("cpu"))
    with WithoutWaiting():
        parts = step()
    assert [part.size for part in parts] == [3, 3]
    with WithoutWaiting(), pytest.raises(AssertionError, match="_local_scalar_dense"):
        parts[0].loss.item()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_step_on_cuda_does_not_wait():
    step = steps_of(torch.device("cuda"))
    step()  # constants are sent to the device once
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_heads_on_cuda_are_fp32():
    task, _ = made_up(40)
    zero_shot = task.zero_shot
    there = ZeroShot(zero_shot.text.cuda(), zero_shot.view_weights.cuda(), zero_shot.logit_scale)
    adapter = PaperAdapter(views=VIEWS, width=WIDTH)
    ours = predict(AdapterClassifier(adapter, zero_shot), task.test, batch_size=16)
    theirs = predict(AdapterClassifier(adapter, there).cuda(), task.test.cuda(), batch_size=16)
    torch.testing.assert_close(theirs.cpu(), ours, rtol=1e-4, atol=1e-4)


def test_clouds_are_checked_when_the_task_is_made():
    task, _ = made_up(8)
    zero_shot = task.zero_shot._replace(view_weights=torch.full((SMALL.views,), 0.1))
    features, clouds = torch.randn(8, SMALL.views, WIDTH), torch.randn(8, 20, 3)
    clouds[5] = 1.0
    pair = CloudTask(torch.randn(8, 20, 3), clouds, SMALL, lambda maps: maps, "made up")
    with pytest.raises(InputError, match="points: sample 5: expected finite points 1e-30 to 1e30 apart"):
        dataclasses.replace(task, train=features, test=features, zero_shot=zero_shot, clouds=pair)


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


@pytest.fixture
def registry(monkeypatch):
    """The registry of methods; what a test registers is gone after it."""
    monkeypatch.setattr(methods, "METHODS", dict(methods.METHODS))
    return methods


def test_a_registered_method_is_trained_by_its_recipe_from_the_method_it_starts_from(registry):
    starts = []

    def build(inputs):
        starts.append(inputs.start)
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(VIEWS * WIDTH, CLASSES))

    registry.register("linear", registry.Method(build=build, recipe=recipes.resolve))
    registry.register("linear_again", registry.Method(build=build, recipe=recipes.resolve, starts_from="linear"))
    task, _ = made_up(40)
    result = run(task, RunSpec("linear_again", 4, 0), TRAIN, lambda name: Memory())
    first = run(task, RunSpec("linear", 4, 0), TRAIN, lambda name: Memory())
    assert starts[0] is None and all(torch.equal(starts[1][name], first.state[name]) for name in first.state)
    assert first.epochs[-1].loss < first.epochs[1].loss
    for trained in (first, result):  # the epoch that is best on the test split is watched for whatever has epochs
        assert trained.epoch_predictions.shape == (len(trained.epochs), len(task.test))


def test_methods_that_cannot_be_registered_or_are_unknown_are_named(registry):
    method = registry.Method(build=lambda inputs: torch.nn.Identity())
    with pytest.raises(ValueError, match="'adapter' is registered already"):
        registry.register("adapter", method)
    with pytest.raises(ValueError, match="starts from 'adaptor', which is not registered"):
        registry.register("mine", dataclasses.replace(method, starts_from="adaptor"))
    with pytest.raises(InputError, match=r"params.yaml: train.methods 'adaptor': expected one of adapter, gaussian"):
        run_specs(dataclasses.replace(TRAIN, methods=("adaptor",)), dataset="modelnet40", backbone="rn50")
    published = dataclasses.replace(TRAIN.as_published, runs={"modelnet40/rn50/adaptor": (1,)})
    with pytest.raises(
        InputError, match=r"train.as_published.runs.modelnet40/rn50 'adaptor': expected one of adapter, "
    ):
        run_specs(dataclasses.replace(TRAIN, as_published=published), dataset="modelnet40", backbone="rn50")
    assert methods.learning_from_clouds(("adapter", "smooth_adapter", "linear_probe")) == ["smooth_adapter"]


def test_methods_that_learn_from_clouds_have_shots_of_their_own():
    options = dataclasses.replace(TRAIN, methods=("adapter", "smooth"), shots=(1, 2), cloud_shots=(8,), seeds=(0,))
    wanted = {"modelnet40/rn50/smooth_adapter": (4, 16), "modelnet40/rn101/smooth": (8,)}
    options = dataclasses.replace(options, as_published=dataclasses.replace(options.as_published, runs=wanted))
    specs = [str(spec) for spec in run_specs(options, dataset="modelnet40", backbone="rn50")]
    assert specs[:3] == ["adapter-1-0", "adapter-2-0", "smooth-8-0"]
    assert specs[3:] == ["smooth_adapter_as_published_before-4-0", "smooth_adapter_as_published_before-16-0"]
