"""A page in the browser for objects of one's own: a small server on this computer and what it sends."""
