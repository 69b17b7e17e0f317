import numpy as np
import pandas as pd
from category_encoders import TargetEncoder
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier

rng = np.random.default_rng(0)
city, size = rng.integers(40, size=1500), rng.normal(50, 15, 1500)
table = pd.DataFrame({"city": [f"city {number}" for number in city], "size": size})
dear = (city % 3 == 0) ^ (size > 60)

network = MLPClassifier((16,), learning_rate_init=0.01, max_iter=100, random_state=0)
model = make_pipeline(TargetEncoder(cols=["city"]), StandardScaler(), network)
scores = cross_val_score(model, table, dear, cv=3)
