"""Classes by cosine similarity of depth-map features and text features, without 3D training."""

from stages.zeroshot.alternating import Choice, search
from stages.zeroshot.candidates import Candidates, candidates_of
from stages.zeroshot.classifier import average_prompts, class_features, class_logits, rank_classes
from stages.zeroshot.cross_fit import CrossFitChoice, search_cross_fitted
from stages.zeroshot.label_free import LabelFreeChoice, choose_label_free
from stages.zeroshot.prompt_search import PromptChoice, Step, search_prompts
from stages.zeroshot.scores import (
    bootstrap_interval,
    confusion_matrix,
    mcnemar,
    mean_class_accuracy,
    negative_log_likelihood,
    top_k_accuracy,
)
from stages.zeroshot.view_weights import CoordinateChoice, GridChoice, coordinate_view_weights, grid_view_weights

__all__ = [
    "Candidates",
    "Choice",
    "CoordinateChoice",
    "CrossFitChoice",
    "GridChoice",
    "LabelFreeChoice",
    "PromptChoice",
    "Step",
    "average_prompts",
    "bootstrap_interval",
    "candidates_of",
    "choose_label_free",
    "class_features",
    "class_logits",
    "confusion_matrix",
    "coordinate_view_weights",
    "grid_view_weights",
    "mcnemar",
    "mean_class_accuracy",
    "negative_log_likelihood",
    "rank_classes",
    "search",
    "search_cross_fitted",
    "search_prompts",
    "top_k_accuracy",
]
