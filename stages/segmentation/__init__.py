"""Parts of shapes by CLIP: features of depth map patches, given back to the points (PointCLIP V2, section 3.3)."""
