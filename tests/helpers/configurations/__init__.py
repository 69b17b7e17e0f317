"""Random configurations of all estimators, and checks of what must hold for any."""
