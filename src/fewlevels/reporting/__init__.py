"""Reporting: results in words, as figures and as one page."""
