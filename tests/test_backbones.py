"""Backbones: unit features, batches that do not matter, weights as files, and clear refusals."""

import hashlib
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from stages.backbones.clip import ClipModel
from stages.backbones.compiling import CompiledWhereItPays, break_even
from stages.backbones.device import choose_device
from stages.backbones.folding import fold
from stages.backbones.loading import _WithoutDrawing, build, load_backbone, register
from stages.backbones.patches import resize_positions
from stages.backbones.precision import arithmetic, precision_on
from stages.backbones.text_cache import encode_cached
from stages.backbones.weights import OPENAI_MARKS, read_weights, write_weights
from stages.config.backbone import Backbone
from stages.core.errors import InputError

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
BUNDLED = Backbone(
    architecture=str(ROOT / "data/bundled/bundled.json"),
    pretrained=str(ROOT / "data/bundled/bundled.safetensors"),
    normalise="none",
)
SMALL_RESNET = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64, "patch_size": None},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
SMALL_SIGLIP = {
    "embed_dim": 192,
    "custom_text": True,
    "vision_cfg": {
        "image_size": 224,
        "timm_model_name": "vit_tiny_patch16_224",
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": "none",
    },
    "text_cfg": {"context_length": 8, "vocab_size": 100, "width": 16, "heads": 2, "layers": 1},
}
SMALL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def bundled():
    return load_backbone("bundled", BUNDLED, device=CPU)


@pytest.fixture
def depth():
    return np.random.default_rng(0).random((3, 2, 20, 20), dtype="f4")


def test_features_have_unit_norm_and_do_not_depend_on_the_batch(bundled, depth):
    features = bundled.encode_depth(depth, batch_size=6)
    assert (features.shape, features.dtype) == ((3, 2, 128), np.float32)
    np.testing.assert_allclose(np.linalg.norm(features, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(bundled.encode_depth(depth, batch_size=1), features, atol=1e-5)
    texts = ["a chair.", "a depth map of a table.", "a chair."]
    text = bundled.encode_text(texts, batch_size=2)
    assert text.shape == (3, 128)
    np.testing.assert_array_equal(text[0], text[2])
    np.testing.assert_allclose(bundled.encode_text(texts, batch_size=3), text, atol=1e-5)


def test_a_local_checkpoint_gives_the_features_of_the_model_it_came_from(depth, tmp_path):
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    torch.manual_seed(0)
    model = build(register(tmp_path / "small.json")).eval()
    save_file(model.state_dict(), tmp_path / "small.safetensors")
    torch.save({"state_dict": model.state_dict()}, tmp_path / "small.pt")
    pixels = torch.nn.functional.interpolate(
        torch.from_numpy(depth).flatten(0, 1)[:, None], (32, 32), mode="bilinear", align_corners=True
    ).expand(-1, 3, -1, -1)
    mean, std = (
        torch.tensor(values).view(3, 1, 1) for values in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    for normalise, seen in (("none", pixels), ("clip", (pixels - mean) / std)):
        with torch.no_grad():
            expected = model.encode_image(seen, normalize=True).view(3, 2, -1).numpy()
        for file in ("small.safetensors", "small.pt"):
            entry = Backbone(
                architecture=str(tmp_path / "small.json"), pretrained=str(tmp_path / file), normalise=normalise
            )
            loaded = load_backbone("small", entry, device=CPU)
            np.testing.assert_allclose(loaded.encode_depth(depth, batch_size=4), expected, atol=1e-5)
            assert loaded.logit_scale == pytest.approx(model.logit_scale.exp().item())


def test_compact_weights_come_back_with_zero_rows_for_other_tokens(tmp_path):
    state = {"token_embedding.weight": torch.arange(12.0).view(6, 2), "logit_scale": torch.tensor(1.0)}
    write_weights(tmp_path / "w.safetensors", state, token_ids=torch.tensor([1, 4]))
    back = read_weights(tmp_path / "w.safetensors").state
    expected = torch.zeros(6, 2)
    expected[[1, 4]] = state["token_embedding.weight"][[1, 4]]
    assert torch.equal(back["token_embedding.weight"], expected)
    assert back["logit_scale"] == 1


def test_only_open_clips_own_warnings_are_dropped_while_a_model_is_built(tmp_path, monkeypatch, caplog):
    create, filters = open_clip.create_model, list(logging.getLogger().filters)

    def warn_and_create(*arguments, **options):
        logging.warning("of somebody else")
        return create(*arguments, **options)

    monkeypatch.setattr(open_clip, "create_model", warn_and_create)
    small_model(tmp_path, SMALL)
    assert caplog.messages == ["of somebody else"]
    assert logging.getLogger().filters == filters and logging.getLogger().manager.disable == logging.NOTSET


def test_unknown_words_say_nothing(bundled):
    plain, wordy, other = bundled.encode_text(
        ["a depth map of a chair.", "a sturdy quokka depth map of a chair.", "a depth map of a table."], batch_size=3
    )
    assert plain @ wordy > 0.8 > plain @ other


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "ViT-Q"}, r"backbone.mine.architecture 'ViT-Q': not an open_clip model name"),
        ({"architecture": "none.json"}, r"none.json: no such file, expected an open_clip model configuration"),
        ({"pretrained": "none.pt"}, r"none.pt: no such file \(params.yaml: backbone.mine.pretrained\)"),
        ({"pretrained": str(ROOT / "README.md")}, r"README.md: not a checkpoint of tensors alone"),
    ],
)
def test_a_wrong_entry_is_one_line(changes, message):
    values = {"architecture": BUNDLED.architecture, "pretrained": BUNDLED.pretrained, "normalise": "none"} | changes
    with pytest.raises(InputError, match=message) as error:
        load_backbone("mine", Backbone(**values), device=CPU)
    assert "\n" not in str(error.value)


def test_weights_of_another_architecture_do_not_load(tmp_path):
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    entry = Backbone(architecture=str(tmp_path / "small.json"), pretrained=BUNDLED.pretrained, normalise="none")
    with pytest.raises(InputError, match="do not load"):
        load_backbone("small", entry, device=CPU)


def test_a_device_that_is_absent_is_refused():
    assert choose_device("cpu") == CPU
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="device 'cuda': not available"):
            choose_device("cuda")


def small_model(folder, config, *, seed=0):
    """A model of random weights from a configuration, in evaluation mode."""
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(seed)
    return build(register(folder / "config.json")).eval()


def wrapped(model):
    return ClipModel(model, open_clip.tokenize, normalisation="none", device=CPU)


def raw_patches(model, pixels):
    with torch.inference_mode():
        return wrapped(model).encode_pixel_patches(pixels)


def test_patches_have_unit_norm_whatever_the_batch_and_resolution(bundled, depth):
    patches = bundled.encode_patches(depth, batch_size=6)
    assert (patches.shape, patches.dtype, bundled.patch_grid()) == ((3, 2, 4, 128), np.float32, 2)
    np.testing.assert_allclose(np.linalg.norm(patches, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(bundled.encode_patches(depth, batch_size=1), patches, atol=1e-5)
    assert bundled.encode_patches(depth, batch_size=6, resolution=96).shape == (3, 2, 9, 128)


def test_patches_are_in_row_major_order(tmp_path):
    """Without blocks a token sees its own patch alone, so a change in one patch is a change in its row alone."""
    config = json.loads(json.dumps(SMALL))
    config["vision_cfg"] |= {"image_size": 48, "layers": 0}
    model = small_model(tmp_path, config)
    pixels = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    changed = pixels.clone()
    changed[:, :, 16:32, 32:] = 0  # second row, third column
    differ = (raw_patches(model, pixels) != raw_patches(model, changed)).any(-1)[0]
    assert differ.nonzero().flatten().tolist() == [5]


def test_the_patches_of_a_vision_transformer_average_to_its_average_pool(tmp_path):
    """With pool type avg the tower averages normed patch tokens before the projection, which is linear."""
    config = json.loads(json.dumps(SMALL))
    config["vision_cfg"]["pool_type"] = "avg"
    model = small_model(tmp_path, config)
    pixels = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        pooled = model.encode_image(pixels)
    torch.testing.assert_close(raw_patches(model, pixels).mean(1), pooled, atol=1e-6, rtol=0)


def test_uniform_attention_pools_a_resnet_to_the_mean_of_its_patches(tmp_path):
    """Queries of zero attend to all cells alike; the pool's first cell is the mean of the others, and values affine."""
    model = small_model(tmp_path, SMALL_RESNET)
    pool = model.visual.attnpool
    with torch.no_grad():
        for tensor in (pool.q_proj.weight, pool.q_proj.bias, pool.positional_embedding):
            tensor.zero_()
    pixels = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        pooled = model.encode_image(pixels)
    patches = raw_patches(model, pixels)
    assert patches.std(dim=1).min() > 0
    torch.testing.assert_close(patches.mean(1), pooled, atol=1e-6, rtol=1e-4)


def test_uniform_attention_pools_a_siglip_to_the_mean_of_its_patches(tmp_path):
    """A value goes through projection and MLP cell by cell, so the pool's output is their mean where the MLP is off."""
    model = small_model(tmp_path, SMALL_SIGLIP)
    pool = model.visual.trunk.attn_pool
    with torch.no_grad():
        for tensor in (pool.q.weight, pool.q.bias, pool.mlp.fc2.weight, pool.mlp.fc2.bias):
            tensor.zero_()
    pixels = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        pooled = model.encode_image(pixels)
    patches = raw_patches(model, pixels)
    assert patches.shape[1] == wrapped(model).patch_grid() ** 2
    torch.testing.assert_close(patches.mean(1), pooled, atol=1e-5, rtol=1e-4)


def test_interpolated_positions_keep_a_plane_and_the_class_token():
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(6.0), indexing="ij")
    positions = torch.cat([torch.tensor([[7.0, 9.0]]), torch.stack([rows, columns], -1).flatten(0, 1)])
    assert resize_positions(positions, 6) is positions
    resized = resize_positions(positions, 12)
    torch.testing.assert_close(resized[0], positions[0])
    inner = resized[1:].unflatten(0, (12, 12))[4:-4, 4:-4]
    expected = (torch.arange(4.0, 8.0) + 0.5) / 2 - 0.5
    torch.testing.assert_close(inner[..., 0], expected[:, None].expand(4, 4))
    torch.testing.assert_close(inner[..., 1], expected.expand(4, 4))


def test_a_vision_transformer_sees_larger_maps(tmp_path, depth):
    model = wrapped(small_model(tmp_path, SMALL))
    assert model.patch_grid(64) == 4
    assert model.encode_patches(depth, batch_size=6, resolution=64).shape == (3, 2, 16, 16)


def test_patches_that_an_architecture_has_not_are_refused(bundled, tmp_path, depth):
    with pytest.raises(InputError, match="backbone.bundled: resolution 80: patches need a multiple of 32"):
        bundled.encode_patches(depth, batch_size=6, resolution=80)
    config = json.loads(json.dumps(SMALL))
    config["vision_cfg"]["attentional_pool"] = True
    with pytest.raises(InputError, match="backbone.clip: no patch features for this architecture"):
        wrapped(small_model(tmp_path, config)).encode_patches(depth, batch_size=6)


def test_maps_are_encoded_as_depth_is(bundled, depth):
    features = bundled.encode_maps(torch.from_numpy(depth[0]))
    assert features.shape == (2, 128)
    np.testing.assert_allclose(features, bundled.encode_depth(depth[:1], batch_size=2)[0], atol=1e-6)


def test_the_gradient_of_maps_is_the_slope_of_their_features(tmp_path, depth):
    model = small_model(tmp_path, SMALL)
    maps = torch.from_numpy(depth[0]).requires_grad_()
    generator = torch.Generator().manual_seed(1)
    target, direction = torch.randn(16, generator=generator), torch.rand(maps.shape, generator=generator) - 0.5
    (gradient,) = torch.autograd.grad((wrapped(model).encode_maps(maps) @ target).sum(), maps)
    ahead, behind = (wrapped(model).encode_maps(maps.detach() + s * direction) @ target for s in (0.01, -0.01))
    slope = (ahead - behind).sum() / 0.02
    assert (gradient * direction).sum().item() == pytest.approx(slope.item(), rel=0.01)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_checkpointed_maps_have_the_same_features_and_gradient(bundled, depth):
    maps = torch.from_numpy(depth[:, 0]).requires_grad_()
    outcomes = []
    for batch in (None, 2):
        features = bundled.encode_maps(maps[:, None], checkpoint_batch=batch)
        outcomes.append((features.detach(), *torch.autograd.grad(features.sum(), maps)))
    for plain, recomputed in zip(*outcomes, strict=True):
        torch.testing.assert_close(recomputed, plain, atol=1e-6, rtol=1e-4)


def entry_of(folder, config, file, **changes):
    """An entry of a local checkpoint; `config` is written beside it."""
    (folder / "mine.json").write_text(json.dumps(config))
    values = {"architecture": str(folder / "mine.json"), "pretrained": str(folder / file), "normalise": "none"}
    return Backbone(**values | changes)


def torchscript(state, path):
    """An archive of TorchScript that holds `state` under its names, as OpenAI's files do."""
    root = torch.nn.Module()
    for key, value in state.items():
        *names, last = key.split(".")
        owner = root
        for name in names:
            if not hasattr(owner, name):
                owner.add_module(name, torch.nn.Module())
            owner = getattr(owner, name)
        owner.register_buffer(last, value)
    torch.jit.script(root).save(path)


def openai_file(folder, kind):
    """A checkpoint of a small model as OpenAI publishes them (`archive`) or as their code saves them (`marked`)."""
    state = small_model(folder, SMALL | {"quick_gelu": True}).state_dict()
    marks = {name: torch.tensor(number) for name, number in zip(OPENAI_MARKS, (32, 77, 49408), strict=True)}
    if kind == "archive":
        torchscript(state | marks, folder / "openai.pt")
    else:
        torch.save(state | marks, folder / "openai.pt")
    return state


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")
@pytest.mark.parametrize("kind", ["archive", "marked"])
def test_weights_of_openai_load_as_they_are_and_with_quickgelu_alone(tmp_path, kind):
    state = openai_file(tmp_path, kind)
    loaded = load_backbone("mine", entry_of(tmp_path, SMALL | {"quick_gelu": True}, "openai.pt"), device=CPU)
    for key, value in loaded._model.state_dict().items():
        assert torch.equal(value, state[key]), key
    with pytest.raises(InputError, match=r"backbone.mine.architecture '.*mine.json': .*openai.pt has OpenAI's weights"):
        load_backbone("mine", entry_of(tmp_path, SMALL, "openai.pt"), device=CPU)


def test_a_checkpoint_of_parallel_training_loads(tmp_path):
    state = small_model(tmp_path, SMALL).state_dict()
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "epoch_1.pt")
    loaded = load_backbone("mine", entry_of(tmp_path, SMALL, "epoch_1.pt"), device=CPU)
    assert torch.equal(loaded._model.visual.proj, state["visual.proj"])


@pytest.mark.parametrize(
    ("architecture", "tag", "expected"),
    [
        ("RN50", "openai", "with QuickGELU, expected 'RN50-quickgelu'"),
        ("ViT-L-14", "openai", "with QuickGELU, expected 'ViT-L-14-quickgelu'"),
        ("ViT-H-14-quickgelu", "laion2b_s32b_b79k", "without QuickGELU, expected 'ViT-H-14'"),
        ("ViT-B-16-quickgelu", "datacomp_xl_s13b_b90k", "without QuickGELU, expected 'ViT-B-16'"),
    ],
)
def test_another_activation_than_the_weights_were_trained_with_is_refused(architecture, tag, expected):
    with pytest.raises(InputError, match=f"backbone.mine.architecture '{architecture}': .* '{tag}' .*{expected}"):
        load_backbone("mine", Backbone(architecture=architecture, pretrained=tag, normalise="none"), device=CPU)


def test_a_pickle_is_not_executed(tmp_path):
    class Payload:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    torch.save({"state_dict": Payload()}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match="evil.pt: not a checkpoint of tensors alone"):
        load_backbone("mine", entry_of(tmp_path, SMALL, "evil.pt"), device=CPU)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [[torch.ones(1)], {"state_dict": {}}, {"epoch": 3}])
def test_a_file_without_a_state_dict_is_one_line(tmp_path, content):
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(InputError, match="odd.pt: not a state dict"):
        load_backbone("mine", entry_of(tmp_path, SMALL, "odd.pt"), device=CPU)


def test_offline_every_entry_says_which_file_is_missing_and_where_to_put_it(tmp_path):
    """In a process of its own, because huggingface_hub reads its variables when it is imported."""
    code = (
        "import torch\n"
        "from stages.config.params import load_params\n"
        "from stages.backbones.loading import load_backbone\n"
        "from stages.core.errors import InputError\n"
        "for name, entry in load_params().backbone.items():\n"
        "    try:\n"
        "        load_backbone(name, entry, device=torch.device('cpu'))\n"
        "        print(name, 'loads')\n"
        "    except InputError as error:\n"
        "        print(name, error)\n"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment.pop("HF_HUB_CACHE", None)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    names = {"rn50", "rn101", "vit_b32", "vit_b16", "vit_l14", "vit_h14_laion2b", "vit_b16_datacomp", "siglip_b16"}
    assert lines.pop("bundled") == lines.pop("bundled_parts") == "loads"
    assert names <= lines.keys()
    for name, line in lines.items():
        assert re.match(
            rf"params.yaml: backbone.{name}: open_clip_model.safetensors of huggingface.co/\S+ is not cached and does "
            rf"not download; put it at data/weights/{name}.safetensors and that path in backbone.{name}.pretrained",
            line,
        ), line


def test_a_tokenizer_that_is_absent_is_one_line(tmp_path, monkeypatch):
    def absent(architecture):
        raise ModuleNotFoundError("No module named 'transformers'")

    torch.save(small_model(tmp_path, SMALL).state_dict(), tmp_path / "small.pt")
    model = load_backbone("mine", entry_of(tmp_path, SMALL, "small.pt"), device=CPU)
    monkeypatch.setattr(open_clip, "get_tokenizer", absent)
    with pytest.raises(InputError, match="backbone.mine: the tokenizer of 'mine' does not load: No module named"):
        model.encode_text(["a chair."], batch_size=8)


@pytest.mark.parametrize("config", [SMALL, SMALL_RESNET])
def test_half_precision_is_close_and_leaves_as_f4(tmp_path, depth, config):
    torch.save(small_model(tmp_path, config).state_dict(), tmp_path / "small.pt")
    full = load_backbone("mine", entry_of(tmp_path, config, "small.pt"), device=CPU)
    half = load_backbone("mine", entry_of(tmp_path, config, "small.pt", precision="bf16"), device=CPU)
    for encode in (
        lambda model: model.encode_depth(depth, batch_size=6),
        lambda model: model.encode_patches(depth, batch_size=6),
        lambda model: model.encode_text(["a chair.", "a table."], batch_size=8),
    ):
        found, exact = encode(half), encode(full)
        assert found.dtype == np.float32
        assert not np.array_equal(found, exact)
        np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-5)
        assert (found * exact).sum(-1).min() > 0.99


@pytest.mark.parametrize("quick_gelu", [False, True])
def test_folded_blocks_do_the_same_arithmetic(tmp_path, quick_gelu):
    path = tmp_path / "folded.json"
    path.write_text(json.dumps(SMALL | {"quick_gelu": quick_gelu}))
    plain, folded = build(register(path)).eval(), build(register(path)).eval()
    for name, values in plain.named_parameters():
        if "ln_" in name:
            torch.nn.init.normal_(values, mean=1, std=0.3)
    before = set(plain.state_dict())
    folded.load_state_dict(fold(folded, plain.state_dict()))
    assert {key.rpartition(".")[0] for key in before - set(folded.state_dict())} == {
        f"{tower}transformer.resblocks.0.{norm}" for tower in ("", "visual.") for norm in ("ln_1", "ln_2")
    }
    pixels, tokens = torch.rand(3, 3, 32, 32), torch.randint(1, 100, (3, 77))
    with torch.no_grad():
        for encode, given in (("encode_image", pixels), ("encode_text", tokens)):
            exact = getattr(plain, encode)(given)
            torch.testing.assert_close(getattr(folded, encode)(given), exact, rtol=1e-4, atol=1e-5)


def test_precision_is_bf16_on_cuda_alone_unless_it_is_said(tmp_path):
    torch.save(small_model(tmp_path, SMALL).state_dict(), tmp_path / "small.pt")
    loaded = load_backbone("mine", entry_of(tmp_path, SMALL, "small.pt"), device=CPU)
    assert loaded._model.visual.conv1.weight.dtype == torch.float32
    chosen = [precision_on(torch.device(name), "auto") for name in ("cpu", "mps", "cuda")]
    assert chosen == ["fp32", "fp32", "bf16"]
    assert [precision_on(torch.device("cuda"), wanted) for wanted in ("fp32", "tf32", "bf16")] == [
        "fp32",
        "tf32",
        "bf16",
    ]


def test_only_tf32_rounds_products_and_what_was_set_before_is_set_again():
    def flags():
        return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    before = flags()
    for precision in ("fp32", "tf32", "bf16"):
        with arithmetic(precision):
            assert flags() == (precision == "tf32",) * 2
        assert flags() == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("config", [SMALL, SMALL_RESNET])
@pytest.mark.parametrize(("precision", "cosine"), [("fp32", 0.99999), ("tf32", 0.9999), ("bf16", 0.99), ("auto", 0.99)])
def test_features_of_cuda_are_those_of_the_cpu(tmp_path, depth, config, precision, cosine):
    torch.save(small_model(tmp_path, config).state_dict(), tmp_path / "small.pt")
    exact = load_backbone("mine", entry_of(tmp_path, config, "small.pt"), device=CPU)
    entry = entry_of(tmp_path, config, "small.pt", precision=precision)
    found = load_backbone("mine", entry, device=choose_device("cuda"))
    for encode in ("encode_depth", "encode_patches"):
        ours, theirs = (getattr(model, encode)(depth, batch_size=4) for model in (found, exact))
        assert (ours * theirs).sum(-1).min() > cosine


def counting_compiler(monkeypatch, *, error=None):
    """torch.compile without a compiler: it notes the shape of every batch that a compiled tower sees."""
    shapes = []

    def compile(encode, *, dynamic):
        assert dynamic is False

        def compiled(pixels):
            if error is not None:
                raise error
            shapes.append(len(pixels))
            return encode(pixels)

        return compiled

    monkeypatch.setattr(torch, "compile", compile)
    return shapes


def test_a_tower_is_compiled_where_the_batches_that_are_left_pay_for_it(bundled, monkeypatch):
    shapes = counting_compiler(monkeypatch)
    maps = np.random.default_rng(0).random((16, 2, 20, 20), np.float32)
    plain = bundled.encode_depth(maps, batch_size=2)
    for pays_from, expected in ((0.0, [2] * 6), (1e9, [])):
        monkeypatch.setattr("stages.backbones.clip.break_even", lambda *_, seconds=pays_from: seconds)
        shapes.clear()
        tower = bundled.image_tower(batch_size=2, maps=32)
        pieces = [maps[start : start + 1] for start in range(16)]
        found = bundled.encode_pieces(pieces, maps.shape[:2], batch_size=2, tower=tower)
        assert shapes == expected  # one to compile, then the five that are left of sixteen
        np.testing.assert_allclose(found, plain, atol=1e-6)


def test_a_smaller_last_batch_is_padded_to_the_shape_that_was_compiled(monkeypatch):
    shapes = counting_compiler(monkeypatch)
    encode = CompiledWhereItPays(lambda pixels: pixels.mean((1, 2, 3)), batches=13, pays_from=0.0)
    batches = [torch.rand(4, 3, 2, 2) for _ in range(12)] + [torch.rand(3, 3, 2, 2)]
    for batch in batches:
        torch.testing.assert_close(encode(batch), batch.mean((1, 2, 3)))
    assert shapes == [4, 4, 4]  # the eleven before were encoded to take the time; then one to compile, two to encode


def test_without_a_compiler_one_line_says_so_and_the_work_goes_on(monkeypatch, capsys):
    counting_compiler(monkeypatch, error=RuntimeError("Failed to find\nC compiler"))
    encode = CompiledWhereItPays(lambda pixels: pixels.mean((1, 2, 3)), batches=20, pays_from=0.0)
    for batch in torch.rand(20, 4, 3, 2, 2):
        torch.testing.assert_close(encode(batch), batch.mean((1, 2, 3)))
    said = capsys.readouterr().err
    assert said == "warning: torch.compile does not work here, going on without it: Failed to find C compiler\n"


def test_compiling_pays_for_a_resnet_on_cuda_alone(tmp_path):
    transformer, resnet = (small_model(tmp_path, config).visual for config in (SMALL, SMALL_RESNET))
    assert 10 < break_even(resnet, torch.device("cuda")) < 600
    assert break_even(resnet, CPU) == break_even(transformer, torch.device("cuda")) == float("inf")


@pytest.mark.parametrize("config", [SMALL, SMALL_RESNET, SMALL_SIGLIP])
def test_a_model_to_load_is_as_any_other_once_it_is_loaded(tmp_path, config):
    path = tmp_path / "small.json"
    path.write_text(json.dumps(config))
    drawn, shell = build(register(path)).eval(), build(register(path), to_load=True).eval()
    shell.load_state_dict(drawn.state_dict())
    pixels = torch.rand(2, 3, *np.broadcast_to(drawn.visual.image_size, 2).tolist())
    tokens = torch.randint(1, 100, (2, drawn.context_length))
    for encode, given in (("encode_image", pixels), ("encode_text", tokens)):
        torch.testing.assert_close(*(getattr(model, encode)(given) for model in (shell, drawn)), rtol=0, atol=0)
    fill = (torch.Tensor.normal_, torch.nn.init.uniform_, torch.nn.init.kaiming_uniform_, torch.nn.init.trunc_normal_)
    with _WithoutDrawing():
        assert all(draw(torch.zeros(2, 2)).eq(0).all() for draw in fill)
    assert all(draw(torch.zeros(2, 2)).ne(0).all() for draw in fill)


def test_maps_in_pieces_have_the_features_of_all_at_once(bundled, depth):
    together = bundled.encode_depth(depth, batch_size=6)
    pieces = (torch.from_numpy(piece) for piece in np.array_split(depth, 2))
    tower = bundled.image_tower(batch_size=3, maps=6)
    found = bundled.encode_pieces(pieces, depth.shape[:2], batch_size=3, tower=tower)
    np.testing.assert_allclose(found, together, atol=1e-6)


def test_gradients_are_the_same_encoded_again_in_parts(bundled):
    maps = torch.rand(5, 20, 20, generator=torch.Generator().manual_seed(0))
    gradients = []
    for checkpoint_batch in (None, 2, 8):
        variable = maps.clone().requires_grad_()
        bundled.encode_maps(variable, checkpoint_batch=checkpoint_batch)[:, 0].sum().backward()
        gradients.append(variable.grad)
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(gradients[2], gradients[0])


@pytest.mark.parametrize("batch_size", [1, 8, 13])
def test_a_sentence_has_the_same_bits_in_any_company(bundled, batch_size):
    texts = [f"a depth map of a chair with {number} legs." for number in range(21)]
    together = bundled.encode_text(texts, batch_size=batch_size)
    for chosen in ([4], [20, 3, 11], list(range(20, -1, -1))):
        found = bundled.encode_text([texts[i] for i in chosen], batch_size=batch_size)
        np.testing.assert_array_equal(found, together[chosen])


def test_a_cache_gives_what_encoding_gives_and_takes_up_what_is_new(bundled):
    texts = ["a chair.", "a table.", "a chair.", "a bed."]
    plain = bundled.encode_text(texts, batch_size=8)
    cache = {}
    encode_cached(bundled, texts[1:3], cache=cache, batch_size=8)
    assert cache.keys() == {hashlib.sha256(text.encode()).hexdigest() for text in texts[1:3]}
    np.testing.assert_array_equal(encode_cached(bundled, texts, cache=cache, batch_size=8), plain)
    assert len(cache) == 3


def test_the_fingerprint_knows_whatever_changes_a_feature(tmp_path):
    def fingerprint(*, seed=0, batch_size=8, config=SMALL, precision="fp32", **options):
        model = small_model(tmp_path, SMALL, seed=seed)
        torch.save(model.state_dict(), tmp_path / "small.pt")
        entry = entry_of(tmp_path, config, "small.pt", precision=precision)
        return load_backbone("mine", entry, device=CPU, **options).text_fingerprint(batch_size=batch_size)

    plain = fingerprint()
    assert fingerprint() == plain
    assert fingerprint(batch_size=5) == plain  # both are filled up to eight rows
    quick = SMALL | {"quick_gelu": True}
    others = (
        {"seed": 1},
        {"batch_size": 16},
        {"config": quick},
        {"precision": "bf16"},
        {"precision": "tf32"},
    )
    assert len({plain, *(fingerprint(**other) for other in others)}) == 1 + len(others)
