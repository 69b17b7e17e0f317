"""Readers of X: rows, images, sequences, tables and text."""
