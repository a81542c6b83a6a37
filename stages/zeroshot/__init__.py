"""Classes by cosine similarity of depth-map features and text features, without 3D training."""
