"""Point clouds -> depth maps: constants in `presets`, methods in `methods`, functions in `rendering`, torch in `differentiable`."""
