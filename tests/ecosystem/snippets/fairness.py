import numpy as np
from fairlearn.metrics import demographic_parity_difference
from fairlearn.reductions import DemographicParity, ExponentiatedGradient

from sklearn_nn import MLPClassifier

rng = np.random.default_rng(0)
group = rng.integers(2, size=1000)
X = np.c_[rng.normal(size=(1000, 3)), group + rng.normal(size=1000)]
y = (X[:, 0] + X[:, 3] + rng.normal(size=1000) > 0.5).astype(int)

network = MLPClassifier((8,), learning_rate_init=0.01, max_iter=30, random_state=0)
plain = network.fit(X, y).predict(X)
fair = ExponentiatedGradient(network, DemographicParity(), max_iter=5)
fair.fit(X, y, sensitive_features=group)
differences = [
    demographic_parity_difference(y, predicted, sensitive_features=group)
    for predicted in (plain, fair.predict(X, random_state=0))
]
