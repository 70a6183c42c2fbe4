"""Solvers: one way to an operating point a file; `circuit/solve.py` chooses."""
