"""SPICE: circuits as decks, and ngspice, which solves them, too."""
