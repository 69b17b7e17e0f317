import mlflow
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_nn
from sklearn_nn import MLPClassifier
from sklearn_nn.training import MLflowLogger

X, y = load_iris(return_X_y=True, as_frame=True)
network = MLPClassifier((16,), learning_rate_init=0.01, callbacks=[MLflowLogger()], random_state=0)
model = make_pipeline(StandardScaler(), network)
with mlflow.start_run() as run:
    model.fit(X, y)  # the loss of each epoch becomes a metric of the run
    logged = mlflow.sklearn.log_model(
        model,
        name="iris",
        serialization_format="skops",
        skops_trusted_types=[*sklearn_nn.TRUSTED_TYPES],
        pip_requirements=[f"sklearn_nn=={sklearn_nn.__version__}", "skops"],
    )
loaded = mlflow.sklearn.load_model(logged.model_uri)
