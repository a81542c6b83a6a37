"""Parts of shapes by CLIP: features of depth map patches, given back to the points (PointCLIP V2, section 3.3)."""

from stages.segmentation.back_projection import back_project, released_layout, smooth_patches
from stages.segmentation.evaluation import Segmented, judge, readings, segment, whole_split
from stages.segmentation.part_search import PartChoice, search_parts, search_view_weights
from stages.segmentation.protocols import Choice, Sentences, protocols
from stages.segmentation.scores import Scores, percent, score, summarise
from stages.segmentation.shapes import Reading, Shapes
from stages.segmentation.views import Views, look_at

__all__ = [
    "Choice",
    "PartChoice",
    "Reading",
    "Scores",
    "Segmented",
    "Sentences",
    "Shapes",
    "Views",
    "back_project",
    "judge",
    "look_at",
    "percent",
    "protocols",
    "readings",
    "released_layout",
    "score",
    "search_parts",
    "search_view_weights",
    "segment",
    "smooth_patches",
    "summarise",
    "whole_split",
]
