"""Few labelled shapes a class: learnable smoothing, inter-view adapter, cache adapter, linear probe; CLIP is frozen."""
