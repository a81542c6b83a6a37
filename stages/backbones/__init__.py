"""CLIP models of open_clip by id: features of depth maps, patches and text, on a device that is chosen once."""
