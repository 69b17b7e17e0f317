"""How Python becomes machine code. Knows nothing of neural networks."""
