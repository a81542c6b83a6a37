"""The bundled backbones' training: captions, augmented depth maps, and the recipes."""
