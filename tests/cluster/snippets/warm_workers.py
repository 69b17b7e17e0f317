from dask.distributed import Client
from sklearn.datasets import load_breast_cancer

from sklearn_nn import MLPClassifier


def fit_a_little(model, X, y):
    """Compile or load the kernels of a fit."""
    model.fit(X, y).predict(X)


if __name__ == "__main__":
    X, y = load_breast_cancer(return_X_y=True)
    model = MLPClassifier(early_stopping=True, max_iter=1)
    client = Client()
    client.run(fit_a_little, model, X[:50], y[:50])
