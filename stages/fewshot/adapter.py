"""The inter-view adapter: one feature of all views together changes the feature of every view.

N samples, V views, D embedding. Depth-map features go in and come out as [N, V, D].
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from stages.config.train import Adapter
from stages.fewshot.recipes import AdapterVariant

W3_SCALE = 0.1  # of the usual first weights of W3


class PaperAdapter(nn.Module):
    """f_global = ReLU(concat(f_1..f_V) W1ᵀ) W2ᵀ; f_iᵃ = f_i + ReLU(f_global W3iᵀ) (PointCLIP, eq. 5 and 6).

    W1 [D, V·D], W2 [D, D], W3 [V·D, D]. W3 starts near 0 so that training starts near the zero-shot classifier; at 0
    itself ReLU would pass no gradient.
    """

    def __init__(self, *, views: int, width: int):
        super().__init__()
        self.to_global = nn.Linear(views * width, width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        self.to_views = nn.Linear(width, views * width, bias=False)
        with torch.no_grad():
            self.to_views.weight *= W3_SCALE

    def forward(self, features: Tensor) -> Tensor:
        """Adapted features [N, V, D]."""
        shared = self.mix(relu(self.to_global(features.flatten(1))))
        return features + relu(self.to_views(shared)).view_as(features)


class ReleasedAdapter(nn.Module):
    """The adapter of PointCLIP's released code: fusion ratios, batch norm, dropout, a fixed residual ratio.

    The fused views are normalised over channels, flattened, and brought to D; two further layers lead back to V·D.
    Dropout follows the first normalisation and the layer to D. The result is `residual` of that and the rest of the
    features as they came, without the fusion ratios.
    """

    def __init__(self, *, views: int, width: int, residual: float, dropout: float):
        super().__init__()
        self.residual = residual
        self.fusion = nn.Parameter(torch.full((views,), 0.5))
        self.channels = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout(dropout)
        self.to_global = nn.Sequential(
            nn.Linear(views * width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)
        )
        self.to_views = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, views * width), nn.ReLU())

    def forward(self, features: Tensor) -> Tensor:
        """Adapted features [N, V, D]."""
        fused = self.channels((features * self.fusion[:, None]).flatten(0, 1)).view_as(features)
        added = self.to_views(self.to_global(self.dropout(fused.flatten(1))))
        return self.residual * added.view_as(features) + (1 - self.residual) * features


def new_adapter(variant: AdapterVariant, settings: Adapter, *, views: int, width: int) -> nn.Module:
    """That variant with fresh weights; `settings` has what the released one takes."""
    if variant == "paper":
        return PaperAdapter(views=views, width=width)
    return ReleasedAdapter(views=views, width=width, residual=settings.residual, dropout=settings.dropout)
