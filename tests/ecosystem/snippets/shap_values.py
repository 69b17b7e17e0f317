import shap
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier

X, y = load_wine(return_X_y=True)
model = make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=500, random_state=0))
model.fit(X, y)

explainer = shap.KernelExplainer(model.predict_proba, shap.kmeans(X, 5))
values = explainer.shap_values(X[:3], nsamples=200)  # (rows, columns, classes)
