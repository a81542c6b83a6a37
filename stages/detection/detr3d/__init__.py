"""3DETR in plain PyTorch: official checkpoints, the network, its operators and proposals."""
