"""Small data, and small estimators for it."""
