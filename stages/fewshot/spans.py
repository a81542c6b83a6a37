"""The same training of the inter-view adapter at a fraction of its cost: W1 is written in the support set's features.

N rows of a table (support, validation and test samples), S support samples, V views, D embedding.

The gradient of W1 is a sum of support features, so SGD with momentum and weight decay never leaves
W1 = c W1_0 + Aᵀ X, with X [S, V·D] the support set: c and A [S, D] take W1's own steps in that basis.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function

from stages.fewshot.adapter import PaperAdapter
from stages.fewshot.classifiers import AdapterClassifier


class Table(NamedTuple):
    """Every sample that is looked at: features [N, V, D] and their products with the support set, its first rows."""

    features: Tensor
    products: Tensor

    @classmethod
    def of(cls, support: Tensor, *others: Tensor) -> "Table":
        """Support features [S, V, D], then all others."""
        features = torch.cat([support, *others])
        return cls(features, features.flatten(1) @ support.flatten(1).T)


class SpanClassifier(nn.Module):
    """An AdapterClassifier of rows i8 [B] of a table, whose W1 is learnt as c and A; for SGD alone."""

    def __init__(self, classifier: AdapterClassifier, table: Table):
        super().__init__()
        if not isinstance(classifier.adapter, PaperAdapter):
            raise TypeError("only W1 of the paper's adapter sees the features as they are stored")
        self.mix, self.to_views = classifier.adapter.mix, classifier.adapter.to_views
        self.kept = nn.Parameter(torch.ones(1))
        self.added = nn.Parameter(torch.zeros(table.products.shape[1], len(self.mix.weight)))
        self._of = (classifier, table)  # not this module's to train or to save
        with torch.no_grad():
            self._start = classifier.adapter.to_global(table.features.flatten(1))

    def forward(self, rows: Tensor) -> Tensor:
        """Logits [B, C]."""
        classifier, table = self._of
        first = _FirstLayer.apply(self.added, self.kept, table.products[rows], self._start[rows], rows)
        return classifier.judge(classifier.adapter.moved(table.features[rows], first))

    @torch.no_grad()
    def classifier(self) -> AdapterClassifier:
        """The classifier of features that has been trained."""
        classifier, table = self._of
        weight = classifier.adapter.to_global.weight
        support = table.features[: len(self.added)].flatten(1)
        weight.copy_(self.kept * weight + self.added.T @ support)
        return classifier


class _FirstLayer(Function):
    """c X W1_0ᵀ + X Xᵀ A; back goes W1's gradient in the basis of the support set: that of its sample in each row."""

    @staticmethod
    def forward(context, added: Tensor, kept: Tensor, products: Tensor, start: Tensor, rows: Tensor) -> Tensor:
        context.save_for_backward(added, kept, rows)
        return torch.addmm(kept * start, products, added)

    @staticmethod
    def backward(context, gradient: Tensor) -> tuple:
        added, kept, rows = context.saved_tensors
        return torch.zeros_like(added).index_add_(0, rows, gradient), torch.zeros_like(kept), None, None, None
