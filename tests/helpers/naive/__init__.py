"""Slow, obvious twins of every kernel: the oracles of the tests."""
