"""Parts that all estimators share: parameters, fit, fitted networks, files."""
