"""What all estimators have in common: parameters, fit, fitted networks, files."""
