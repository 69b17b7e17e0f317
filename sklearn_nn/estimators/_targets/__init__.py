"""Targets: class labels, numbers, and those of steps."""
