"""
=========================
A table model in one file
=========================

A fitted :class:`~sklearn_nn.TabularClassifier` becomes one ONNX file that takes raw columns: text,
numbers and missing values. A program without Python, scikit-learn or this package can run it.
"""

# %%
# Fit
# ---
# Applications for a loan. The data are generated; a tenth of the incomes is missing.
import tempfile
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import pandas as pd

from sklearn_nn import TabularClassifier, to_onnx

rng = np.random.default_rng(0)
n = 2000
table = pd.DataFrame(
    {
        "income": rng.lognormal(8, 0.5, n).round(2),
        "age": rng.integers(18, 80, n),
        "purpose": rng.choice(["car", "house", "travel", "other"], n),
        "branch": rng.choice([f"branch {k}" for k in range(30)], n),
    }
)
score = np.log(table["income"]) - 8 + 0.02 * (table["age"] - 40)
score += 0.8 * (table["purpose"] == "house") - 0.5 * (table["purpose"] == "travel")
paid = np.where(score + rng.logistic(0, 0.3, n) > 0, "paid", "late")
table.loc[rng.random(n) < 0.1, "income"] = np.nan

model = TabularClassifier(max_iter=16, random_state=0).fit(table[:1500], paid[:1500])
print(f"accuracy: {model.score(table[1500:], paid[1500:]):.3f}")

# %%
# Export
# ------
# The file has an input for each column. The model, its four networks, the categories and the
# scaling of numbers are all in it.
file = Path(tempfile.mkdtemp()) / "loans.onnx"
file.write_bytes(to_onnx(model).SerializeToString())
print(f"{file.stat().st_size / 1e6:.1f} MB")

session = onnxruntime.InferenceSession(file)
for column in session.get_inputs():
    print(column.name, column.type, column.shape)

# %%
# Run
# ---
# What a server has is one row of raw values. "harbour" is a branch that the model has not seen, and
# the income is unknown.
row = {
    "income": np.array([[np.nan]]),
    "age": np.array([[52.0]]),
    "purpose": np.array([["house"]], dtype=object),
    "branch": np.array([["harbour"]], dtype=object),
}
label, probabilities = session.run(None, row)
print(label[0], dict(zip(model.classes_.tolist(), probabilities[0].round(3).tolist(), strict=True)))

# %%
# Compare
# -------
# A table gives the same probabilities as ``predict_proba``, up to rounding.
columns = {
    column.name: table[[column.name]].to_numpy(
        dtype=object if column.type == "tensor(string)" else np.float64
    )
    for column in session.get_inputs()
}
begin = perf_counter()
_, exported = session.run(None, columns)
middle = perf_counter()
own = model.predict_proba(table)
end = perf_counter()
print(f"{n} rows: onnxruntime {middle - begin:.3f} s, predict_proba {end - middle:.3f} s")

_, ax = plt.subplots(figsize=(5, 4), layout="constrained")
ax.plot(own[:, 1], np.abs(exported - own)[:, 1], ".", markersize=3)
ax.set(xlabel='probability of "paid"', ylabel="difference in the ONNX file")
ax.set_ylim(0, 1e-6)
plt.show()
