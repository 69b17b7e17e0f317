import joblib
from dask.distributed import Client
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier

if __name__ == "__main__":
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=50, random_state=0))
    grid = {
        "mlpclassifier__hidden_layer_sizes": [(8,), (16,), (16, 8)],
        "mlpclassifier__alpha": [1e-4, 1e-2, 1],
    }
    search = GridSearchCV(model, grid, cv=5)

    client = Client()  # processes of this machine; Client("scheduler:8786") for a cluster
    with joblib.parallel_config(backend="dask"):
        search.fit(X, y)
    print(search.best_params_, search.best_score_)
