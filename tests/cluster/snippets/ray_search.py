import joblib
import ray
from ray.util.joblib import register_ray
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier

X, y = load_breast_cancer(return_X_y=True)
model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=50, random_state=0))
grid = {
    "mlpclassifier__hidden_layer_sizes": [(8,), (16,), (16, 8)],
    "mlpclassifier__alpha": [1e-4, 1e-2, 1],
}
search = RandomizedSearchCV(model, grid, n_iter=4, cv=5, random_state=0)

ray.init()  # processes of this machine, or the cluster at RAY_ADDRESS
register_ray()
with joblib.parallel_config(backend="ray", n_jobs=-1):  # without n_jobs it runs here
    search.fit(X, y)
print(search.best_params_, search.best_score_)
