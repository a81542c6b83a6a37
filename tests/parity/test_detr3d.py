"""3DETR and 3DETR-m give what the released code recorded: operators, encoders, every output."""

import json
from argparse import Namespace

import numpy as np
import pytest
import torch
from box_geometry import corners_of

from stages.detection.detr3d import operators
from stages.detection.detr3d.checkpoint import load_network
from stages.detection.detr3d.model import load_detr3d

TOLERANCE = 1e-4
MODELS = ("masked", "vanilla")


@pytest.fixture(scope="module")
def recorded(golden):
    return golden("detr3d")


@pytest.fixture(scope="module", params=MODELS)
def checkpoint(request, recorded, tmp_path_factory):
    """Name of a recorded model and its weights in a file of the official layout."""
    prefix = f"{request.param}.sd."
    state = {key.removeprefix(prefix): torch.tensor(a) for key, a in recorded.items() if key.startswith(prefix)}
    path = tmp_path_factory.mktemp("detr3d") / f"{request.param}.pth"
    torch.save({"model": state, "args": Namespace(**json.loads(str(recorded["args_json"])))}, path)
    return request.param, path


@pytest.fixture(scope="module")
def network(checkpoint):
    return load_network(checkpoint[1])


def close(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=0, atol=TOLERANCE)


def test_sampling_takes_the_recorded_points(recorded):
    for case in ("fps", "fps_tie"):
        expected = recorded[f"ops.{case}_inds"]
        found = operators.sample_farthest(torch.from_numpy(recorded[f"ops.{case}_xyz"]), expected.shape[1])
        np.testing.assert_array_equal(found, expected)


def test_neighbours_and_gathered_features_are_the_recorded_ones(recorded):
    xyz, centres = (torch.from_numpy(recorded[f"ops.ball_{name}"]) for name in ("xyz", "centres"))
    expected = recorded["ops.ball_inds"]
    found = operators.query_ball(xyz, centres, radius=float(recorded["ops.ball_radius"]), count=expected.shape[2])
    np.testing.assert_array_equal(found, expected)
    gathered = operators.gather(torch.from_numpy(recorded["ops.group_features"]), found)
    np.testing.assert_array_equal(gathered, recorded["ops.group_out"])


@torch.inference_mode()
def test_encoder_and_queries_are_the_recorded_ones(recorded, checkpoint, network):
    name, points = checkpoint[0], torch.from_numpy(recorded["point_clouds"])
    sampled = network.pre_encoder(points, None)
    np.testing.assert_array_equal(sampled.indices, recorded[f"{name}.pre_encoder_inds"])
    close(sampled.features, recorded[f"{name}.pre_encoder_features"])
    encoded = network.encode(points)
    np.testing.assert_array_equal(encoded.xyz, recorded[f"{name}.encoder_xyz"])
    close(encoded.features.permute(2, 0, 1), recorded[f"{name}.encoder_features"])
    if name == "masked":
        np.testing.assert_array_equal(encoded.indices, recorded["masked.encoder_inds"])
    np.testing.assert_array_equal(network.choose_queries(encoded), recorded[f"{name}.query_inds"])


@torch.inference_mode()
def test_boxes_after_the_first_and_last_layer_are_the_recorded_ones(recorded, checkpoint, network):
    name, points = checkpoint[0], torch.from_numpy(recorded["point_clouds"])
    low, high = (torch.from_numpy(recorded[f"point_cloud_dims_{end}"])[:, None] for end in ("min", "max"))
    encoded = network.encode(points)
    query_xyz = operators.gather(encoded.xyz.mT, network.choose_queries(encoded)).mT
    features = network.decode(encoded, query_xyz, low=low, high=high)
    first, last = (network.read_boxes(features[layer], query_xyz, extent=high - low) for layer in (0, -1))
    close(first.logits.softmax(-1)[..., :-1], recorded[f"{name}.aux0.sem_cls_prob"])
    close(first.centre, recorded[f"{name}.aux0.center_unnormalized"])
    close(last.logits, recorded[f"{name}.out.sem_cls_logits"])
    close((last.centre - low) / (high - low), recorded[f"{name}.out.center_normalized"])
    close(last.relative_size, recorded[f"{name}.out.size_normalized"])


def test_proposals_are_the_recorded_ones(recorded, checkpoint):
    name, path = checkpoint
    found = load_detr3d(path, device=torch.device("cpu"))(recorded["point_clouds"])
    close(found.class_probabilities, recorded[f"{name}.out.sem_cls_prob"])
    close(found.objectness, recorded[f"{name}.out.objectness_prob"])
    close(found.boxes[..., :3], recorded[f"{name}.out.center_unnormalized"])
    close(found.boxes[..., 3:], recorded[f"{name}.out.size_unnormalized"])
    close(found.angle, recorded[f"{name}.out.angle_continuous"])
    corners = corners_of(found.boxes.reshape(-1, 6)).reshape(*found.angle.shape, 8, 3)
    close(corners[..., [0, 2, 1]] * [1, -1, 1], recorded[f"{name}.out.box_corners"])
