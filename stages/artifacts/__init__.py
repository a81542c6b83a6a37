"""The data contract: path, keys, dtype and shape of every artifact, and the only code that reads or writes them.

N samples, P points, V views, R resolution, D embedding, C classes, T prompts. Every file is written under a temporary
name and renamed when it is complete. The same content gives the same bytes.
"""
