"""Networks for tables: TabularClassifier and TabularRegressor."""
