"""Placeholder until the stage is merged."""
