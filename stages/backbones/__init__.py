"""CLIP models of open_clip by id: features of depth maps and of text, on a device that is chosen once."""

from stages.backbones.clip import ClipModel, choose_device, load, resize

__all__ = ["ClipModel", "choose_device", "load", "resize"]
