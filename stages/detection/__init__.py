"""Boxes in a scan: proposals by 3DETR, overlap and suppression of boxes, average precision."""
