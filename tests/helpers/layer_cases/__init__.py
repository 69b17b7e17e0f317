"""The table of all layers, with their naive twins."""
