"""Prompts and view weights chosen by search (PointCLIP V2, section 3.2), with labels and without."""
