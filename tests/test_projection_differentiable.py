"""The torch projection agrees with the compiled one and passes gradients to the smoothing weights."""

import dataclasses
from unittest import mock

import numpy as np
import pytest
import torch
from compiled_steps import project_quantised
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.errors import InputError
from stages.projection import differentiable, grids
from stages.projection.device import projection_device
from stages.projection.kernels import KERNELS, kernel_weights
from stages.projection.presets import PRESETS
from stages.projection.rendering import project, render
from stages.projection.visibility import render_with_visibility

WITHOUT_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
DEVICES = ["cpu", pytest.param("cuda", marks=WITHOUT_CUDA)]
CLASSIFICATION = PRESETS["v2_classification"]
SEGMENTATION = dataclasses.replace(PRESETS["v2_segmentation"], resolution=48, depth=24, lookup_depth=21, crop=(4, 44))


def clouds(count: int, points: int = 300) -> np.ndarray:
    generator = np.random.default_rng(0)
    shapes = generator.normal(size=(count, points, 3)) * generator.uniform(0.3, 2, (count, 1, 3))
    return shapes.astype(np.float32)


@pytest.mark.parametrize("projection", [CLASSIFICATION, SEGMENTATION], ids=["classification", "segmentation"])
@pytest.mark.parametrize("kernel", sorted(KERNELS))
@pytest.mark.parametrize("polarity", ["white_background", "black_background"])
def test_both_paths_agree(projection, kernel, polarity):
    projection = dataclasses.replace(projection, kernel=kernel, polarity=polarity)
    points = clouds(2)
    ours, theirs = project(points, projection), differentiable.project(torch.from_numpy(points), projection)
    moved = (ours.cells != theirs.cells.numpy()).any(-1)
    assert moved.mean() < 0.001
    same = ~moved.any(-1)  # views in which rounding moved no point
    assert same.any()
    np.testing.assert_allclose(theirs.depth.numpy()[same], ours.depth[same], atol=1e-5)
    np.testing.assert_allclose(theirs.depth_values.numpy(), ours.depth_values, atol=1e-4)
    np.testing.assert_allclose(theirs.surface.numpy()[same], ours.surface[same], atol=1e-5)
    np.testing.assert_array_equal(theirs.pixels.numpy()[same], ours.pixels[same])
    assert (theirs.visible.numpy()[same] == ours.visible[same]).mean() > 0.999


def test_maps_of_given_cells_agree():
    points = torch.from_numpy(clouds(1))
    cells, depth_values = differentiable.quantise(points, CLASSIFICATION)
    ours, _ = project_quantised(cells.numpy(), depth_values.numpy(), CLASSIFICATION)
    np.testing.assert_allclose(differentiable.render(points, CLASSIFICATION).numpy(), ours, atol=1e-5)


odd = st.sampled_from((1, 3, 5, 7))


@settings(max_examples=20, deadline=None)
@given(
    size=st.integers(9, 40),
    depth=st.integers(3, 12),
    scale=st.sampled_from((0.3, 0.7, 0.95, 1.0)),
    window=st.tuples(odd, odd, odd),
    missing=st.integers(0, 3),
    kernel=st.sampled_from(sorted(KERNELS)),
    smooth_window=st.tuples(odd, odd, odd),
    collision=st.sampled_from(("max", "last")),
)
def test_both_paths_agree_for_any_setting(size, depth, scale, window, missing, kernel, smooth_window, collision):
    missing = min(missing, window[1] // 2, window[2] // 2)
    projection = dataclasses.replace(
        CLASSIFICATION,
        resolution=size,
        depth=depth,
        lookup_depth=depth - 1,
        xy_scale=scale,
        collision=collision,
        densify_window=window,
        densify_padding=(window[0] // 2, window[1] // 2 - missing, window[2] // 2 - missing),
        kernel=kernel,
        smooth_window=smooth_window,
        sigma=(1.0, 2.0, 0.7),
    )
    points = torch.from_numpy(clouds(1, 60))
    theirs = differentiable.project(points, projection)
    with mock.patch.object(differentiable, "WORTH_A_BOX", 0):
        boxed = differentiable.project(points, projection)
    for name in theirs._fields:
        assert torch.equal(getattr(boxed, name), getattr(theirs, name)), name
    depth_maps, ours = project_quantised(theirs.cells.numpy(), theirs.depth_values.numpy(), projection)
    np.testing.assert_allclose(theirs.depth.numpy(), depth_maps, atol=1e-5)
    np.testing.assert_allclose(theirs.surface.numpy(), ours.surface, atol=1e-5)
    np.testing.assert_array_equal(theirs.pixels.numpy(), ours.pixels)


def test_clouds_of_different_length():
    points = [torch.from_numpy(clouds(1, count)[0]) for count in (100, 150)]
    depth = differentiable.render(points, CLASSIFICATION)
    torch.testing.assert_close(depth[1], differentiable.render(points[1][None], CLASSIFICATION)[0])


def test_given_weights_replace_the_kernel_and_need_not_sum_to_one():
    points = torch.from_numpy(clouds(1))
    weights = torch.from_numpy(kernel_weights("mish", window=(1, 3, 3), sigma=(1.0, 1.0, 1.0)))
    named = dataclasses.replace(CLASSIFICATION, kernel="mish", sigma=(1.0, 1.0, 1.0))
    expected = differentiable.render(points, named)
    torch.testing.assert_close(differentiable.render(points, CLASSIFICATION, weights=weights * 7), expected)


def test_gradient_of_the_weights_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    grid = torch.rand((2, 4, 9, 9), generator=generator, dtype=torch.float64)
    weights = torch.rand((1, 3, 3), generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: differentiable.squeeze(differentiable.smooth(grid, w))[0], weights)
    points = torch.from_numpy(clouds(1))
    small = torch.full((1, 3, 3), 1 / 9, requires_grad=True)
    differentiable.render(points, CLASSIFICATION, weights=small).mean().backward()
    assert small.grad.isfinite().all() and small.grad.abs().max() > 0


def test_what_it_does_not_do_is_said():
    points = torch.from_numpy(clouds(1))
    with pytest.raises(InputError, match="render.method 'contour': expected v2"):
        differentiable.render(points, dataclasses.replace(CLASSIFICATION, method="contour"))
    points[0, 3, 1] = float("nan")
    with pytest.raises(InputError, match="sample 0: expected finite"):
        differentiable.render(points, CLASSIFICATION)


@pytest.mark.parametrize("name", ["v2_classification", "v2_segmentation"])
def test_a_box_of_the_grid_gives_the_map_of_the_whole(name, monkeypatch):
    points = torch.from_numpy(clouds(2) * np.array([1, 0.2, 0.5], "f4"))
    whole = differentiable.render(points[:, :50], PRESETS[name], refine=lambda grid: grid)
    monkeypatch.setattr(differentiable, "WORTH_A_BOX", 0)
    assert torch.equal(differentiable.render(points[:, :50], PRESETS[name]), whole)


@pytest.mark.parametrize("length", [1, 2, 3, 9])
@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("taps", [(1.0,), (0.25, 0.5, 0.125), (0.1, 0.2, 0.4, 0.2, 0.3)])
def test_a_fixed_convolution_is_the_general_one(length, axis, taps):
    shape, kernel = [2, 4, 5, 6], [1, 1, 1]
    shape[axis], kernel[axis - 1] = length, len(taps)
    grid = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    expected = grids.smooth(grid, torch.tensor(taps).view(kernel))
    torch.testing.assert_close(grids.convolve(grid, axis, taps), expected)
    torch.testing.assert_close(grids.banded_product(grid, axis, taps), expected)


def test_of_the_points_in_a_voxel_the_last_is_kept():
    cells = torch.tensor([[[3, 3, 2], [5, 5, 2], [3, 3, 2], [3, 3, 2]]])
    values = torch.tensor([[3.0, 2.5, 4.0, 1.0]])
    alone = dataclasses.replace(SEGMENTATION, densify_window=(1, 1, 1), densify_padding=(0, 0, 0))
    grid = grids.densify(cells, values, alone)[0]
    assert grid[2, 3, 3] == 1.0 and grid[2, 5, 5] == 2.5 and (grid != 0).sum() == 2
    largest = grids.densify(cells, values, dataclasses.replace(alone, collision="max"))[0]
    assert largest[2, 3, 3] == 4.0


@pytest.mark.parametrize("projection", [CLASSIFICATION, SEGMENTATION], ids=["classification", "segmentation"])
@pytest.mark.parametrize("kind", DEVICES)
def test_what_a_device_renders_is_what_the_cpu_renders(projection, kind):
    points, device = clouds(3), torch.device(kind)
    ours, theirs = (render_with_visibility(points, projection, device=where) for where in (None, device))
    # compared in the views in which rounding moves no point into the next cell
    same = (ours.pixels == theirs.pixels).all((-1, -2))
    assert same.mean() > 0.8
    np.testing.assert_allclose(theirs.depth.cpu().numpy()[same], ours.depth[same], atol=1e-5)
    assert (ours.visible == theirs.visible)[same].mean() > 0.999
    assert (ours.visible_released == theirs.visible_released)[same].mean() > 0.999
    maps = render(points, projection, device=device)
    np.testing.assert_allclose(maps, theirs.depth.cpu().numpy(), atol=1e-6)
    different = [points[0], points[1, :200]]
    pairs = zip(render(different, projection, device=device), render(different, projection), strict=True)
    assert all((np.abs(ours - theirs) > 1e-5).mean() < 0.01 for ours, theirs in pairs)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_cloud_has_the_same_line_on_a_device(bad):
    points, device = clouds(2), torch.device("cpu")
    points[1, 7, 0] = bad
    for way in (render, render_with_visibility):
        with pytest.raises(InputError, match=r"^data/points: test: sample 6: expected finite coordinates"):
            way(points, CLASSIFICATION, device=device, source="data/points: test", first_sample=5)


def test_the_device_of_a_projection(monkeypatch):
    def chosen(name, method="v2"):
        return projection_device(name, method=method, key="render.device")

    assert chosen("cpu") is None and chosen("auto", "contour") is None
    monkeypatch.setattr("stages.projection.device._may_have_device", lambda: True)
    for cuda, mps, expected in ((True, False, "cuda"), (False, True, "mps"), (False, False, None)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=cuda: there)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=mps: there)
        assert chosen("auto") == (expected and torch.device(expected))
    with pytest.raises(InputError, match="params.yaml: render.device 'cuda': not available on this machine"):
        chosen("cuda")
    with pytest.raises(InputError, match="render.device 'cuda': method v1 runs on the CPU alone, expected one of v2"):
        chosen("cuda", "v1")


@WITHOUT_CUDA
def test_cuda_agrees_with_the_compiled_path():
    points = clouds(4)
    ours = project(points, CLASSIFICATION)
    theirs = differentiable.project(torch.from_numpy(points).cuda(), CLASSIFICATION)
    same = ~(ours.cells != theirs.cells.cpu().numpy()).any((-1, -2))
    assert same.mean() > 0.8
    np.testing.assert_allclose(theirs.depth.cpu().numpy()[same], ours.depth[same], atol=1e-5)
