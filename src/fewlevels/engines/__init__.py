"""Engines: where tasks that do not depend on each other are computed."""
