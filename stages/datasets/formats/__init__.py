"""What the files of one object hold, a module a format family: `read(content, path)` each, behind datasets/objects.py."""
