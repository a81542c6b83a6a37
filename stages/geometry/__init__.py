"""Shape of a surface from its points alone: normals, descriptors of neighbourhoods, and regions of like points."""
