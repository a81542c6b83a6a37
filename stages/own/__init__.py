"""Objects of one's own, from Python: what they are, their parts, what stands in a scan, features to search by."""
