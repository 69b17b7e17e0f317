from mapie.regression import CrossConformalRegressor
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from sklearn_nn import TabularRegressor

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

network = TabularRegressor(n_networks=1, max_iter=16, random_state=0)
intervals = CrossConformalRegressor(network, confidence_level=0.9, cv=5, random_state=0)
intervals.fit_conformalize(X_train, y_train)
middle, bounds = intervals.predict_interval(X_test)  # bounds: (rows, 2, levels)
