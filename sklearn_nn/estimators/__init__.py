"""Estimators: the public classes by family, and the parts that they share."""
