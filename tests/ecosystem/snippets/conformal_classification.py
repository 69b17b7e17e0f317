from mapie.classification import SplitConformalClassifier
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_nn import CNNClassifier

X, y = load_digits(return_X_y=True)
X = X / 16
X_train, X_rest, y_train, y_rest = train_test_split(X, y, test_size=0.5, random_state=0)
X_held, X_test, y_held, y_test = train_test_split(X_rest, y_rest, test_size=0.5, random_state=0)

network = CNNClassifier((8,), input_shape=(8, 8), max_iter=5, random_state=0).fit(X_train, y_train)
sets = SplitConformalClassifier(network, confidence_level=0.9, prefit=True)
sets.conformalize(X_held, y_held)
classes, in_set = sets.predict_set(X_test)  # in_set: (rows, classes, levels)
