from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from sklearn.datasets import make_classification
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier

X, y = make_classification(2000, weights=[0.95], class_sep=0.8, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

network = MLPClassifier((16,), learning_rate_init=0.01, early_stopping="best", random_state=0)
model = make_pipeline(StandardScaler(), SMOTE(random_state=0), network).fit(X_train, y_train)
score = balanced_accuracy_score(y_test, model.predict(X_test))
