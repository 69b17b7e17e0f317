"""Normalization by sample and by batch."""
