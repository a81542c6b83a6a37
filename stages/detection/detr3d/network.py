"""3DETR and 3DETR-m (Misra et al., 2021, arXiv 2109.08141) for inference, under the official names of the weights.

B scans, M points, E encoder points, Q queries, D width, L decoder layers, C classes. Features are [B, points, D] in the
transformers and [B, D, points] in the point networks.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import relu, scaled_dot_product_attention

from stages.detection.detr3d.operators import gather, query_ball, sample_farthest

MASK_RADII = (0.4**2, 0.8**2, 1.2**2)  # metres: the released code squares the paper's radii and not the distances
SMALLEST_SCAN = 0.1  # metres: extent that box sizes are at least scaled by
SAMPLES_AT_ONCE = 256  # through a shared network, so that its hidden features stay small


@dataclass(frozen=True)
class Architecture:
    """What a checkpoint says of its network."""

    masked: bool  # 3DETR-m: attention within a radius and half the points after the first layer
    sampled_points: int  # kept by the first set aggregation
    queries: int
    classes: int
    encoder_width: int
    encoder_heads: int
    encoder_hidden: int
    encoder_layers: int
    decoder_width: int
    decoder_heads: int
    decoder_hidden: int
    decoder_layers: int


class Sampled(NamedTuple):
    """Points that a set aggregation or an encoder keeps."""

    xyz: torch.Tensor  # f4 [B, S, 3]
    features: torch.Tensor  # f4 [B, D, S]
    indices: torch.Tensor  # i8 [B, S] into the points before


class Boxes(NamedTuple):
    """What the heads read from box features."""

    logits: torch.Tensor  # f4 [B, Q, C + 1], background last
    centre: torch.Tensor  # f4 [B, Q, 3] metres
    relative_size: torch.Tensor  # f4 [B, Q, 3] of the scan's extent
    size: torch.Tensor  # f4 [B, Q, 3] metres


class Network(nn.Module):
    """Set aggregation, encoder, queries, decoder and box heads."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.queries = architecture.queries
        width, decoder_width = architecture.encoder_width, architecture.decoder_width
        self.pre_encoder = SetAggregation(
            [0, 64, 128, width], samples=architecture.sampled_points, radius=0.2, neighbours=64
        )
        self.encoder = Encoder(architecture)
        hidden = [width] if architecture.masked else [width, width]
        self.encoder_to_decoder_projection = PointMlp([width, *hidden, decoder_width], normed=True)
        self.pos_embedding = FourierPositions(decoder_width)
        self.query_projection = PointMlp([decoder_width] * 3, normed=False)
        self.decoder = Decoder(architecture)
        outputs = {"sem_cls": architecture.classes + 1, "center": 3, "size": 3, "angle_cls": 1, "angle_residual": 1}
        self.mlp_heads = nn.ModuleDict({f"{name}_head": Head(decoder_width, width) for name, width in outputs.items()})

    def encode(self, points: torch.Tensor) -> Sampled:
        """Encoder points and features of scans f4 [B, M, 3]; the indices are into the first set aggregation's points
        (3DETR-m) or into the scan."""
        return self.encoder(self.pre_encoder(points, None))

    def choose_queries(self, encoded: Sampled) -> torch.Tensor:
        """Indices i8 [B, Q] of the encoder points that queries start from."""
        return sample_farthest(encoded.xyz, self.queries)

    def decode(self, encoded: Sampled, query_xyz: torch.Tensor, *, low: torch.Tensor, high: torch.Tensor):
        """Box features f4 [L, B, Q, D] after every decoder layer; low and high f4 [B, 1, 3] are the scans' bounds."""
        memory = self.encoder_to_decoder_projection(encoded.features)
        positions = self.pos_embedding((encoded.xyz - low) / (high - low))
        query = self.query_projection(self.pos_embedding((query_xyz - low) / (high - low)).mT)
        return self.decoder(memory.mT, positions, query.mT)

    def read_boxes(self, features: torch.Tensor, query_xyz: torch.Tensor, *, extent: torch.Tensor) -> Boxes:
        """Boxes of features f4 [B, Q, D] from one decoder layer; `extent` f4 [B, 1, 3] of the scans in metres.

        The two angle heads have one bin each on ScanNet and turn no box, so they are not read.
        """
        logits, offset, size = (
            self.mlp_heads[f"{name}_head"](features.mT).mT for name in ("sem_cls", "center", "size")
        )
        centre = query_xyz + offset.sigmoid() - 0.5
        relative_size = size.sigmoid()
        return Boxes(logits, centre, relative_size, relative_size * extent.clamp(min=SMALLEST_SCAN))

    def forward(self, points: torch.Tensor) -> Boxes:
        """Boxes of scans f4 [B, M, 3] in metres, up axis z."""
        low, high = points.amin(1, keepdim=True), points.amax(1, keepdim=True)
        encoded = self.encode(points)
        query_xyz = gather(encoded.xyz.mT, self.choose_queries(encoded)).mT
        features = self.decode(encoded, query_xyz, low=low, high=high)
        return self.read_boxes(features[-1], query_xyz, extent=high - low)


class SetAggregation(nn.Module):
    """PointNet++'s: farthest points, their neighbours' offsets and features through a shared network, the maximum."""

    def __init__(self, widths: list[int], *, samples: int, radius: float, neighbours: int):
        super().__init__()
        self.samples, self.radius, self.neighbours = samples, radius, neighbours
        inputs = [3 + widths[0], *widths[1:-1]]
        self.mlp_module = nn.Sequential()
        for i, (before, after) in enumerate(zip(inputs, widths[1:], strict=True)):
            self.mlp_module.add_module(f"layer{i}", SharedLayer(before, after))

    def forward(self, xyz: torch.Tensor, features: torch.Tensor | None) -> Sampled:
        """Features [B, D', S] at S of the points xyz [B, N, 3] with features [B, D, N] or none."""
        indices = sample_farthest(xyz, self.samples)
        centres = gather(xyz.mT, indices)
        near = query_ball(xyz, centres.mT, radius=self.radius, count=self.neighbours)
        grouped = (gather(xyz.mT, near) - centres[..., None]) / self.radius
        if features is not None:
            grouped = torch.cat([grouped, gather(features, near)], dim=1)
        pieces = [self.mlp_module(piece).amax(-1) for piece in grouped.split(SAMPLES_AT_ONCE, dim=2)]
        return Sampled(centres.mT, torch.cat(pieces, dim=2), indices)


class SharedLayer(nn.Module):
    """The same linear map, batch norm and ReLU at every neighbour of every sample."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn = nn.ModuleDict({"bn": nn.BatchNorm2d(outputs)})

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return relu(self.bn["bn"](self.conv(features)), inplace=True)


class PointMlp(nn.Module):
    """Linear maps at every point of [B, D, N], each with ReLU; batch norm and no bias where `normed`."""

    def __init__(self, widths: list[int], *, normed: bool):
        super().__init__()
        self.layers = nn.Sequential()
        for inputs, outputs in zip(widths, widths[1:], strict=False):
            self.layers.append(nn.Conv1d(inputs, outputs, 1, bias=not normed))
            if normed:
                self.layers.append(nn.BatchNorm1d(outputs))
            self.layers.append(nn.ReLU())

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.layers(features)


class Head(nn.Module):
    """Two hidden layers with batch norm, then a linear map, at every query of [B, D, Q]."""

    def __init__(self, width: int, outputs: int):
        super().__init__()
        hidden = [
            layer
            for _ in range(2)
            for layer in (nn.Conv1d(width, width, 1, bias=False), nn.BatchNorm1d(width), nn.ReLU(), nn.Identity())
        ]  # the Identity is where training has dropout
        self.layers = nn.Sequential(*hidden, nn.Conv1d(width, outputs, 1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.layers(features)


class FourierPositions(nn.Module):
    """Sine and cosine of random projections of points in the scan's unit cube."""

    def __init__(self, width: int):
        super().__init__()
        self.register_buffer("gauss_B", torch.randn(3, width // 2))

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        """Embedding [B, N, D] of points [B, N, 3] in 0..1."""
        phase = (2 * math.pi * points) @ self.gauss_B
        return torch.cat([phase.sin(), phase.cos()], dim=-1)


class Attention(nn.Module):
    """Multi-head attention with the weights of torch's, and a mask of what a point may look at."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(3 * width, width)))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, allowed: torch.Tensor | None = None):
        """[B, Q, D] of query [B, Q, D], key and value [B, N, D]; `allowed` is bool [B, Q, N]."""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        split = [
            nn.functional.linear(*arguments).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for arguments in zip((query, key, value), weights, biases, strict=True)
        ]
        mask = None if allowed is None else allowed[:, None]
        attended = scaled_dot_product_attention(*split, attn_mask=mask)
        return self.out_proj(attended.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward network, each after its layer norm."""

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, features: torch.Tensor, allowed: torch.Tensor | None) -> torch.Tensor:
        normed = self.norm1(features)
        features = features + self.self_attn(normed, normed, normed, allowed)
        return features + self.linear2(relu(self.linear1(self.norm2(features))))


class Encoder(nn.Module):
    """Encoder layers; 3DETR-m sees only within a radius a layer and halves the points after the first."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        width = architecture.encoder_width
        self.layers = nn.ModuleList(
            EncoderLayer(width, architecture.encoder_heads, architecture.encoder_hidden)
            for _ in range(architecture.encoder_layers)
        )
        self.masked = architecture.masked
        if self.masked:
            self.interim_downsampling = SetAggregation(
                [width, 256, 256, width], samples=architecture.sampled_points // 2, radius=0.4, neighbours=32
            )

    def forward(self, points: Sampled) -> Sampled:
        for i, layer in enumerate(self.layers):
            allowed = _within(points.xyz, MASK_RADII[i]) if self.masked else None
            points = points._replace(features=layer(points.features.mT, allowed).mT)
            if self.masked and i == 0:
                points = self.interim_downsampling(points.xyz, points.features)
        return points


class DecoderLayer(nn.Module):
    """Attention among queries, from queries to the encoder's points, and a feed-forward network."""

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.self_attn, self.multihead_attn = Attention(width, heads), Attention(width, heads)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, boxes: torch.Tensor, *, memory: torch.Tensor, positions: torch.Tensor, query: torch.Tensor):
        normed = self.norm1(boxes)
        boxes = boxes + self.self_attn(normed + query, normed + query, normed)
        boxes = boxes + self.multihead_attn(self.norm2(boxes) + query, memory + positions, memory)
        return boxes + self.linear2(relu(self.linear1(self.norm3(boxes))))


class Decoder(nn.Module):
    """Decoder layers and the layer norm that every one of them is read through."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        width = architecture.decoder_width
        self.layers = nn.ModuleList(
            DecoderLayer(width, architecture.decoder_heads, architecture.decoder_hidden)
            for _ in range(architecture.decoder_layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, memory: torch.Tensor, positions: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        """Box features [L, B, Q, D] from memory and its positions [B, E, D] and query embeddings [B, Q, D]."""
        boxes, states = torch.zeros_like(query), []
        for layer in self.layers:
            boxes = layer(boxes, memory=memory, positions=positions, query=query)
            states.append(self.norm(boxes))
        return torch.stack(states)


def _within(xyz: torch.Tensor, radius: float) -> torch.Tensor:
    """bool [B, N, N]: points [B, N, 3] nearer than `radius` to each other."""
    return torch.cdist(xyz, xyz, compute_mode="donot_use_mm_for_euclid_dist") < radius
