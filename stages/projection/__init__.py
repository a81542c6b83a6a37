"""Points to depth maps: `presets` hold the constants, `rendering` renders, `differentiable` does the same in torch."""
