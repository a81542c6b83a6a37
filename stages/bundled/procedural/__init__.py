"""Generators of the procedural training shapes, a module a group of classes; `generator` draws from all of them."""
