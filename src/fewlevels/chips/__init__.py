"""Chips: devices that hold a network's weights, each chip with its own luck, and how many of them recognise."""
