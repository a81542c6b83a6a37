"""Metrics files and artifacts -> tables and figures."""

from stages.reporting.experiments import experiment_table
from stages.reporting.figures import (
    confusion_figure,
    example_figure,
    kernels_figure,
    one_per_class,
    projections_figure,
    save_figure,
    sheet_figure,
)
from stages.reporting.tables import classification_table

__all__ = [
    "classification_table",
    "confusion_figure",
    "example_figure",
    "experiment_table",
    "kernels_figure",
    "one_per_class",
    "projections_figure",
    "save_figure",
    "sheet_figure",
]
