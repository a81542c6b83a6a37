"""Metrics files and artifacts -> tables, figures and the page."""
