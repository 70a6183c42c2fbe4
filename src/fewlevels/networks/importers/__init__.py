"""Importers: networks from files and from frameworks, a file a kind."""
