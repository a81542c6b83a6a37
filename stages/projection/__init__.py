"""Point clouds -> depth maps: compiled for the CPU in `rendering`, in torch in `differentiable`."""
