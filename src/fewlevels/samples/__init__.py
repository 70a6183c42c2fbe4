"""Samples: what networks are to recognise."""
