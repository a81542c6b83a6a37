"""CLIP models of open_clip by the names in params.yaml: features of depth maps, of their patches, and of sentences."""
