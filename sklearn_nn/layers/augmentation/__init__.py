"""Layers that change images while a network is trained."""
