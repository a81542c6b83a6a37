"""The arithmetic of the towers: fp32, TF32 products of fp32 values, or bf16 weights and values.

Whatever a tower computes in, its features come out as fp32, and logits, affinities and trained heads stay fp32.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def precision_on(device: torch.device, wanted: str) -> str:
    """fp32, tf32 or bf16: `wanted`, where auto is bf16 on CUDA and fp32 elsewhere."""
    if wanted != "auto":
        return wanted
    return "bf16" if device.type == "cuda" else "fp32"


@contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Within the block CUDA rounds the factors of fp32 products to TF32 where `precision` is tf32, and only there."""
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    convolutions.allow_tf32 = products.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before
