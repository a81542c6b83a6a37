"""CLIP models of open_clip by id: features of depth maps, patches and text, on a device that is chosen once."""

from stages.backbones.clip import ClipModel, choose_device, resize
from stages.backbones.loading import load
from stages.backbones.text_cache import encode_cached

__all__ = ["ClipModel", "choose_device", "encode_cached", "load", "resize"]
