from sklearn.datasets import load_digits

from sklearn_nn import MLPClassifier
from sklearn_nn.training import TensorBoard

X, y = load_digits(return_X_y=True)
for rate in (0.001, 0.01):
    board = TensorBoard(f"runs/rate {rate}")
    model = MLPClassifier((32,), learning_rate_init=rate, max_iter=5, callbacks=[board])
    model.fit(X[:1000] / 16, y[:1000], X_val=X[1000:] / 16, y_val=y[1000:])
