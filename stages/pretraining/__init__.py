"""The bundled backbone's training: captions, augmented depth maps, and the recipe."""

from stages.pretraining.recipe import RealShapes, top1, train

__all__ = ["RealShapes", "top1", "train"]
