"""Layers for tables: linear layers, embeddings of numbers, members of ensembles."""
