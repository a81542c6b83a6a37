"""The released adapter and loss give the recorded numbers, for any recorded instance."""

import numpy as np
import pytest
import torch

from stages.fewshot.adapter import ReleasedAdapter
from stages.fewshot.training import smoothed_cross_entropy

RESIDUAL, DROPOUT, SMOOTHING = 0.6, 0.075, 0.2  # documented beside the recorded arrays
OUR_NAMES = {
    "fusion": "fusion_ratio",
    "channels": "global_f.0.bn",
    "to_global.0": "global_f.3",
    "to_global.1": "global_f.4",
    "to_views.0": "view_f.0",
    "to_views.2": "view_f.2",
}


@pytest.fixture(scope="module")
def recorded(golden):
    return golden("interview_adapter")


def recorded_name(name):
    """The recorded name of one of our parameters or buffers."""
    part = next(part for part in OUR_NAMES if name == part or name.startswith(f"{part}."))
    return OUR_NAMES[part] + name.removeprefix(part)


@pytest.fixture
def adapter(recorded):
    def build(dropout):
        views, width = len(recorded["sd.fusion_ratio"]), recorded["input"].shape[1]
        module = ReleasedAdapter(views=views, width=width, residual=RESIDUAL, dropout=dropout)
        state = {
            name: torch.from_numpy(np.asarray(recorded[f"sd.{recorded_name(name)}"])) for name in module.state_dict()
        }
        assert len(state) == sum(key.startswith("sd.") for key in recorded)
        module.load_state_dict(state)
        return module

    return build


@pytest.fixture
def features(recorded):
    views = len(recorded["sd.fusion_ratio"])
    return torch.from_numpy(recorded["input"]).unflatten(0, (-1, views))


def test_evaluation(recorded, adapter, features):
    with torch.inference_mode():
        output = adapter(DROPOUT).eval()(features).flatten(1)
    np.testing.assert_allclose(output, recorded["output"], rtol=0, atol=1e-5)


def test_one_pass_in_training_mode_and_the_running_statistics_after_it(recorded, adapter, features):
    module = adapter(0.0).train()
    output = module(features).flatten(1).detach()
    np.testing.assert_allclose(output, recorded["train_nodropout_output"], rtol=0, atol=1e-5)
    after = {key.removeprefix("train_nodropout_after."): recorded[key] for key in recorded if "_after." in key}
    ours = {recorded_name(name): value.numpy() for name, value in module.state_dict().items()}
    assert len(after) == 4
    for name, expected in after.items():
        np.testing.assert_allclose(ours[name], expected, rtol=0, atol=1e-5, err_msg=name)


def test_dropout_is_idle_in_evaluation_and_not_in_training(adapter, features):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = adapter(0.5)
        in_training, again = module.train()(features), module(features)
    assert not torch.equal(in_training, again)
    assert torch.equal(module.eval()(features), module(features))


def test_both_dropouts_of_the_released_code_drop(adapter, features):
    module, seen = adapter(0.5).train(), {}
    for name in ("dropout", "to_global.3"):
        module.get_submodule(name).register_forward_hook(
            lambda _, inputs, output, name=name: seen.update({name: (inputs[0], output)})
        )
    module(features)
    for before, after in seen.values():
        dropped = (after == 0) & (before != 0)
        assert 0.2 < dropped.sum() / (before != 0).sum() < 0.8
        np.testing.assert_allclose(after.detach()[~dropped], 2 * before.detach()[~dropped], rtol=1e-5)
    assert set(seen) == {"dropout", "to_global.3"}


def test_the_smoothed_loss_and_its_gradient(recorded):
    logits = torch.from_numpy(recorded["loss_logits"]).requires_grad_()
    labels = torch.from_numpy(recorded["loss_labels"])
    loss = smoothed_cross_entropy(logits, labels, smoothing=SMOOTHING)
    loss.backward()
    each = [smoothed_cross_entropy(logits[[i]], labels[[i]], smoothing=SMOOTHING).item() for i in range(len(labels))]
    np.testing.assert_allclose(loss.item(), recorded["loss_value"], rtol=1e-5)
    np.testing.assert_allclose(each, recorded["loss_each"], rtol=1e-5)
    np.testing.assert_allclose(logits.grad, recorded["loss_grad"], rtol=0, atol=1e-6)
