"""Figures: a result drawn; each function returns a figure or a dict of them by name."""
