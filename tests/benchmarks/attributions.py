"""Attributions: their time and errors on adult, beside shap's KernelExplainer.

Run as ``python tests/benchmarks/attributions.py [--rows 1000] [--background 100]``. Data is read
from $SKLEARN_NN_DATA or ../shared/data; shap must be installed. A TabularClassifier with its
defaults is fitted to 10,000 rows. `attributions` explains the log-odds of 1,000 other rows,
KernelExplainer those of the first ten of them with its own defaults, both with the same background
and one thread; times are those of the processor. Errors are those of the sums of attributions,
relative to the difference of predictions. The correlation is that of both attributions of the ten
rows.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd
import shap
from tables import adult

from sklearn_nn import TabularClassifier
from sklearn_nn.inspection import attributions

N_TRAINED, N_KERNEL = 10_000, 10


def kernel_explainer(model, background):
    """Return a KernelExplainer of the log-odds; text is codes, as it reads numbers only."""
    is_text = [not pd.api.types.is_numeric_dtype(kind) for kind in background.dtypes]
    words = {
        c: [*model.encoder_.categories_[k], None] for k, c in enumerate(background) if is_text[k]
    }

    def coded(table):
        columns = [
            table[c].map(words[c].index, na_action="ignore").fillna(len(words[c]) - 1)
            if c in words
            else table[c]
            for c in table
        ]
        return np.column_stack(columns).astype(np.float64)

    def log_odds(codes):
        table = pd.DataFrame(codes, columns=list(background))
        for column, own in words.items():
            table[column] = np.array(own, dtype=object)[table[column].astype(int)]
        p = model.predict_proba(table)[:, 1].astype(np.float64)
        return np.log(p) - np.log1p(-p)

    return shap.KernelExplainer(log_odds, coded(background)), coded


def main():
    """Print the times and errors."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--background", type=int, default=100)
    options = parser.parse_args()
    table, y, _ = adult()
    order = np.random.default_rng(0).permutation(len(table))
    table, y = table.iloc[order], y.iloc[order]
    model = TabularClassifier(random_state=0).fit(table[:N_TRAINED], y[:N_TRAINED])
    background = table[:N_TRAINED].sample(options.background, random_state=0)
    X = table[N_TRAINED : N_TRAINED + options.rows]
    attributions(model, X[:2], background[:2])  # compiles
    begin = time.process_time()
    found = attributions(model, X, background)
    ours = time.process_time() - begin
    errors = np.abs(found.errors / (found.outputs - found.base_values))
    print(f"attributions: {len(X)} rows, {ours:.1f} s, {1e3 * ours / len(X):.1f} ms a row")
    shown = np.quantile(errors, [0.5, 0.99, 1])
    print("relative errors of sums, median, 99% and largest:", *(f"{x:.1e}" for x in shown))
    explainer, coded = kernel_explainer(model, background)
    rows = coded(X[:N_KERNEL])
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = explainer.shap_values(rows, silent=True)
    theirs = time.process_time() - begin
    print(f"KernelExplainer: {N_KERNEL} rows, {theirs:.1f} s, {theirs / N_KERNEL:.2f} s a row")
    correlation = np.corrcoef(values.ravel(), found.values[:N_KERNEL].ravel())[0, 1]
    print(f"time a row, KernelExplainer / attributions: {theirs / N_KERNEL / (ours / len(X)):.0f}")
    print(f"correlation of attributions: {correlation:.3f}")


if __name__ == "__main__":
    main()
