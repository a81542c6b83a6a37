"""A transformer whose blocks do the same arithmetic in fewer passes over their values, for towers in bf16.

A block of CLIP's towers spends a third of its time on an H100 outside of its matrix products: open_clip's norm of bf16
values goes through fp32 copies of them, and QuickGELU is three operations. What these multiply and add by constants
goes into the weights of the next matrix instead, while the weights are still fp32:

- a norm's scale and shift, so that what is left is torch's own norm without either, which sums in fp32;
- the factors of QuickGELU(h) = h sigmoid(1.702 h) = SiLU(1.702 h) / 1.702.
"""

from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from torch import Tensor, nn

QUICK = 1.702


def fold(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Simplify the blocks of `model`, in place, and give the weights to load into it: `state`, its f4 ones, folded."""
    state = dict(state)
    for name, block in model.named_modules():
        if isinstance(block, ResidualAttentionBlock) and not hasattr(block, "ln_1_kv"):
            _fold_norm(block, "ln_1", state, name, weight="attn.in_proj_weight", bias="attn.in_proj_bias")
            _fold_norm(block, "ln_2", state, name, weight="mlp.c_fc.weight", bias="mlp.c_fc.bias")
            if isinstance(block.mlp.gelu, QuickGELU):
                block.mlp.gelu = nn.SiLU()
                for key, factor in (("c_fc.weight", QUICK), ("c_fc.bias", QUICK), ("c_proj.weight", 1 / QUICK)):
                    state[f"{name}.mlp.{key}"] = state[f"{name}.mlp.{key}"].float() * factor
    return state


def _fold_norm(block: nn.Module, norm: str, state: dict[str, Tensor], name: str, *, weight: str, bias: str) -> None:
    """(x g + s) W' + b = x (W g)' + (b + W s), for a norm's scale g and shift s."""
    before = getattr(block, norm)
    setattr(block, norm, nn.LayerNorm(before.normalized_shape, eps=before.eps, elementwise_affine=False))
    scale, shift = (state.pop(f"{name}.{norm}.{key}").float() for key in ("weight", "bias"))
    matrix = state[f"{name}.{weight}"].float()
    state[f"{name}.{weight}"] = matrix * scale
    state[f"{name}.{bias}"] = state[f"{name}.{bias}"].float() + matrix @ shift
