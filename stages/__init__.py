"""PointCLIP V2 as a DVC pipeline: one module per stage, one package per part of the method."""
