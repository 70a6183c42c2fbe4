"""A network as a circuit: a crossbar a layer, and what stands between them."""
