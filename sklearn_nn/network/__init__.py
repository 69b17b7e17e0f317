"""From a list of layers to a table of instructions, and the machine that executes it."""
