"""Features of patches: the spatial tokens of an image tower after its last projection, comparable with text features.

Three kinds of image tower are supported. A vision transformer's patch tokens go through its final norm and its
projection, as in PointCLIP V2's segmentation. Where attention pools the cells of a grid (ModifiedResNet, SigLIP), each
cell goes by itself through the pool's value path, without position embedding (MaskCLIP, arXiv 2112.01071, section 3.2).
"""

import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from timm.layers import AttentionPoolLatent
from torch.nn.functional import interpolate

from stages.core.errors import InputError

RESNET_STRIDE = 32


def patch_grid(visual: torch.nn.Module, resolution: int) -> int:
    """Rows (and columns) G of the grid of patches at `resolution` pixels; InputError where that is no whole number."""
    stride = _stride(visual)
    if resolution % stride:
        raise InputError(f"resolution {resolution}: patches need a multiple of {stride} pixels")
    fixed = visual.image_size[0] if isinstance(visual, TimmModel) else resolution
    if resolution != fixed:
        raise InputError(f"resolution {resolution}: this image tower takes {fixed} pixels alone")
    return resolution // stride


def patch_features(visual: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Features [B, G * G, D], not of unit norm, of the patches of pixels [B, 3, r, r], row by row."""
    if isinstance(visual, ModifiedResNet):
        return _resnet(visual, pixels)
    if isinstance(visual, TimmModel):
        return _attention_pooled(visual, pixels)
    return _vision_transformer(visual, pixels)


def _stride(visual: torch.nn.Module) -> int:
    if isinstance(visual, ModifiedResNet):
        return RESNET_STRIDE
    if isinstance(visual, VisionTransformer) and visual.attn_pool is None:
        return visual.patch_size[0]
    pool = getattr(visual.trunk, "attn_pool", None) if isinstance(visual, TimmModel) else None
    if isinstance(pool, AttentionPoolLatent) and pool.pos_embed is None:
        return visual.trunk.patch_embed.patch_size[0]
    raise InputError("no patch features for this architecture: expected a ViT, a ModifiedResNet or a SigLIP")


def _vision_transformer(visual: VisionTransformer, pixels: torch.Tensor) -> torch.Tensor:
    patches = visual.conv1(pixels).flatten(2).transpose(1, 2)
    first = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
    positions = resize_positions(visual.positional_embedding, pixels.shape[-1] // visual.patch_size[0])
    tokens = torch.cat([first, patches], dim=1) + positions.to(patches.dtype)
    return visual.ln_post(visual.transformer(visual.ln_pre(tokens)))[:, 1:] @ visual.proj


def resize_positions(positions: torch.Tensor, grid: int) -> torch.Tensor:
    """Position embedding [1 + g * g, W] (class token, grid) -> [1 + grid * grid, W], bicubic as in open_clip."""
    side = round((len(positions) - 1) ** 0.5)
    if side == grid:
        return positions
    first, cells = positions[:1], positions[1:]
    cells = cells.T.unflatten(1, (side, side))[None].float()
    resized = interpolate(cells, (grid, grid), mode="bicubic", antialias=True)[0].flatten(1).T
    return torch.cat([first, resized.to(positions.dtype)])


def _resnet(visual: ModifiedResNet, pixels: torch.Tensor) -> torch.Tensor:
    pixels = pixels.contiguous(memory_format=torch.channels_last)  # convolutions are faster in this order
    cells = visual.forward_intermediates(pixels, indices=1, intermediates_only=True)["image_intermediates"][0]
    pool = visual.attnpool
    return pool.c_proj(pool.v_proj(cells.flatten(2).transpose(1, 2)))


def _attention_pooled(visual: TimmModel, pixels: torch.Tensor) -> torch.Tensor:
    trunk, pool = visual.trunk, visual.trunk.attn_pool
    tokens = trunk.forward_features(pixels)[:, trunk.num_prefix_tokens :]
    values = pool.proj(pool.kv(tokens).chunk(2, dim=-1)[1])
    if pool.mlp is not None:
        values = values + pool.mlp(pool.norm(values))
    return visual.head(trunk.head(trunk.fc_norm(values)))
