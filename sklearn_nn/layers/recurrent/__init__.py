"""Recurrent layers, and layers around them."""
