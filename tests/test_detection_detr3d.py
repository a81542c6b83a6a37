"""3DETR: its operators by hand-checked cases, its checkpoint from file to boxes, and what it refuses."""

from argparse import Namespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.errors import InputError
from stages.detection.detr3d import operators
from stages.detection.detr3d.model import load_detr3d
from stages.detection.detr3d.network import Architecture, Network

CPU = torch.device("cpu")
HEADS = ("sem_cls", "center", "size", "angle_cls", "angle_residual")


def architecture(*, masked=True):
    return Architecture(
        masked=masked,
        sampled_points=64,
        queries=8,
        classes=5,
        encoder_width=16,
        encoder_heads=2,
        encoder_hidden=24,
        encoder_layers=3,
        decoder_width=32,
        decoder_heads=4,
        decoder_hidden=40,
        decoder_layers=2,
    )


def official(*, masked=True):
    """A checkpoint of the official layout with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = Network(architecture(masked=masked)).state_dict()
    args = Namespace(
        model_name="3detr",
        enc_type="masked" if masked else "vanilla",
        use_color=False,
        enc_activation="relu",
        pos_embed="fourier",
        enc_nhead=2,
        dec_nhead=4,
        preenc_npoints=64,
        nqueries=8,
    )
    return {"model": state, "args": args, "epoch": 1080, "best_val_metrics": {0.25: {"mAP": np.float32(0.65)}}}


def saved(path, checkpoint):
    torch.save(checkpoint, path / "checkpoint.pth")
    return path / "checkpoint.pth"


def scans(batch=2, points=500):
    return np.random.default_rng(0).uniform(0, [4, 3, 2], (batch, points, 3)).astype(np.float32)


@pytest.mark.parametrize("masked", [True, False])
def test_an_official_checkpoint_gives_boxes(masked, tmp_path):
    detr3d = load_detr3d(saved(tmp_path, official(masked=masked)), device=CPU)
    points = scans()
    found = detr3d(points)
    assert found.boxes.shape == (2, 8, 6) and found.boxes.dtype == np.float32
    assert found.class_probabilities.shape == (2, 8, 5) and (found.angle == 0).all()
    np.testing.assert_allclose(found.class_probabilities.sum(-1), found.objectness, atol=1e-5)
    assert (found.boxes[..., 3:] > 0).all() and (found.boxes[..., 3:] <= np.ptp(points, axis=1)[:, None]).all()
    for b in range(2):  # a scan's boxes do not depend on the others in the batch
        alone = detr3d(points[b : b + 1])
        np.testing.assert_allclose(alone.boxes[0], found.boxes[b], atol=1e-5)


def test_the_weights_have_the_official_names():
    keys = set(official()["model"])
    assert {
        "pre_encoder.mlp_module.layer0.bn.bn.running_var",
        "encoder.interim_downsampling.mlp_module.layer2.conv.weight",
        "encoder.layers.2.self_attn.in_proj_weight",
        "encoder_to_decoder_projection.layers.3.weight",
        "pos_embedding.gauss_B",
        "query_projection.layers.2.bias",
        "decoder.layers.1.multihead_attn.out_proj.bias",
        "decoder.norm.weight",
        *(f"mlp_heads.{head}_head.layers.8.bias" for head in HEADS),
    } <= keys


def drop(checkpoint, key):
    del checkpoint["model"][key]


def add(checkpoint, key):
    checkpoint["model"][key] = torch.zeros(1)


def resize(checkpoint, key):
    checkpoint["model"][key] = torch.zeros(7)


def turn(checkpoint, key):
    checkpoint["model"][key] = torch.zeros(12)


def argument(checkpoint, key):
    setattr(checkpoint["args"], *{"args.use_color": ("use_color", True), "args.dec_nhead": ("dec_nhead", 3)}[key])


def forget(checkpoint, key):
    delattr(checkpoint["args"], key.removeprefix("args."))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (drop, "decoder.norm.bias"),
        (drop, "encoder.layers.0.linear1.weight"),
        (add, "encoder.norm.bias"),
        (resize, "mlp_heads.size_head.layers.8.bias"),
        (turn, "mlp_heads.angle_cls_head.layers.8.bias"),
        (drop, "encoder.layers.1.norm1.bias"),
        (argument, "args.use_color"),
        (argument, "args.dec_nhead"),
        (forget, "args.nqueries"),
    ],
)
def test_another_configuration_is_named_in_one_line(change, key, tmp_path):
    checkpoint = official()
    change(checkpoint, key)
    path = saved(tmp_path, checkpoint)
    with pytest.raises(InputError) as error:
        load_detr3d(path, device=CPU)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and key in message and "\n" not in message


@pytest.mark.parametrize("content", [{"model": {}}, [1, 2], {"state_dict": {}}])
def test_another_file_is_refused_in_one_line(content, tmp_path):
    with pytest.raises(InputError, match=r"^[^\n]*checkpoint.pth: key '(model|args)' missing[^\n]*$"):
        load_detr3d(saved(tmp_path, content), device=CPU)


def test_damage_and_absence_are_told_in_one_line(tmp_path):
    path = tmp_path / "broken.pth"
    with pytest.raises(InputError, match="no such file"):
        load_detr3d(path, device=CPU)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="not a 3DETR checkpoint"):
        load_detr3d(path, device=CPU)


@pytest.mark.parametrize("points", [np.zeros((1, 0, 3)), np.full((1, 9, 3), np.nan), np.zeros((1, 9, 3)), scans()[0]])
def test_a_scan_without_usable_points_is_refused(points, tmp_path):
    detr3d = load_detr3d(saved(tmp_path, official()), device=CPU)
    with pytest.raises(InputError, match="^3DETR: scan[^\n]*expected"):
        detr3d(points)


def test_sampling_goes_to_the_far_end_and_shuns_the_origin():
    line = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [10, 0, 0], [4, 0, 0], [0.01, 0, 0]]])
    assert operators.sample_farthest(line, 4).tolist() == [[0, 2, 3, 1]]  # then the last would be 0.01, near the origin
    assert operators.sample_farthest(torch.zeros(1, 6, 3), 3).tolist() == [[0, 0, 0]]


def test_equally_far_points_are_taken_as_cuda_takes_them():
    ring = torch.tensor([[[5.0, 5, 5]] + [[5 + s, 5, 5] for s in (1.0, -1.0)] + [[5, 5 + s, 5] for s in (1.0, -1.0)]])
    # block of 4 threads: the points 1, 2, 3 lie in threads 1, 2, 3, bit-reversed 2, 1, 3; point 4 is thread 0's second
    assert operators.sample_farthest(ring, 2).tolist() == [[0, 4]]
    assert operators.sample_farthest(ring[:, :4], 2).tolist() == [[0, 2]]


def test_neighbours_come_in_index_order_and_repeat_the_first():
    xyz = torch.tensor([[[9.0, 0, 0], [1, 0, 0], [0.5, 0, 0], [2, 0, 0]]])
    centres = torch.tensor([[[0.0, 0, 0], [50, 0, 0]]])
    found = operators.query_ball(xyz, centres, radius=2.0, count=3)  # exactly at the radius is outside
    assert found.tolist() == [[[1, 2, 1], [0, 0, 0]]]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), points=st.integers(1, 80), levels=st.sampled_from([3, 1000]))
def test_the_operators_for_other_devices_agree(seed, points, levels):
    generator = np.random.default_rng(seed)
    xyz = torch.from_numpy(generator.integers(0, levels, (2, points, 3)).astype(np.float32) / levels)  # 3: many ties
    torch.testing.assert_close(
        operators._sample_in_torch(xyz, 9), torch.from_numpy(operators._sample(xyz.numpy(), 9)), rtol=0, atol=0
    )
    plain = operators._query_in_torch(xyz, xyz[:, :5], float(np.float32(0.4) * np.float32(0.4)), 6)
    torch.testing.assert_close(plain, operators.query_ball(xyz, xyz[:, :5], radius=0.4, count=6), rtol=0, atol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_the_boxes_of_the_cpu(tmp_path):
    path = saved(tmp_path, official())
    on_cpu, on_cuda = (load_detr3d(path, device=torch.device(name))(scans()) for name in ("cpu", "cuda"))
    for ours, theirs in zip(on_cpu, on_cuda, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
