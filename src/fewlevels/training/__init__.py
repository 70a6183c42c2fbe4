"""Training: networks from random starts, many at once."""
