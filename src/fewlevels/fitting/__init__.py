"""Fitting: a network and a device in; feasible or not, states, mapping, yield and what limits it out."""
