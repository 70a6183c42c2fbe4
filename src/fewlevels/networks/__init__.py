"""Networks: many of one shape, stacked, applied together."""
