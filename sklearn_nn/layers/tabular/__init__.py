"""Layers for tables: embeddings of numbers and categories, members of ensembles."""
