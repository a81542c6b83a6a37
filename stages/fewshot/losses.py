"""The loss that few-shot models are trained with."""

from torch import Tensor
from torch.nn.functional import log_softmax


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, *, smoothing: float) -> Tensor:
    """Mean over logits [N, C] of the cross entropy to 1 - smoothing on the label, smoothing / (C - 1) on each other.

    PointCLIP's released loss has smoothing 0.2; torch's `label_smoothing` shares it out over all C classes instead.
    """
    logs = log_softmax(logits, dim=1)
    of_label = logs.gather(1, labels[:, None])[:, 0]
    others = (logs.sum(1) - of_label) / (logits.shape[1] - 1)
    return -((1 - smoothing) * of_label + smoothing * others).mean()
