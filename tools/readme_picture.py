"""Draw README's chart of speed from the tables of README.md and docs/performance.md.

python tools/readme_picture.py    # writes docs/speed.svg
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "speed.svg"
COLORS = {"scikit-learn's MLP": "#3499cd", "PyTorch on the CPU": "#ee4c2c"}
#: Compared with, label, file, beginning of the table row, index of the ratio's cell.
BARS = (
    ("scikit-learn's MLP", "train 20-64-64-2", "README.md", "train 20-64-64-2", 3),
    ("scikit-learn's MLP", "train 64-100-10", "README.md", "train 64-100-10", 3),
    ("scikit-learn's MLP", "train 784-256-128-10", "README.md", "train 784-256-128-10", 3),
    ("scikit-learn's MLP", "grid search, 120 fits", "README.md", "GridSearchCV", 3),
    ("scikit-learn's MLP", "predict 100,000 rows", "README.md", "predict_proba, 100,000", 3),
    ("PyTorch on the CPU", "train 784-256-128-10", "docs/performance.md", "784-256-128-10, 128", 7),
    ("PyTorch on the CPU", "CNN, 28x28 images", "docs/performance.md", "28x28x1: conv 32", 4),
    ("PyTorch on the CPU", "CNN, 8x8 images", "docs/performance.md", "8x8x1 (digits)", 4),
    ("PyTorch on the CPU", "GRU, 50 time steps", "docs/performance.md", "GRU 64", 4),
    ("PyTorch on the CPU", "LSTM, 50 time steps", "docs/performance.md", "LSTM 64, 50", 4),
)


def ratio(file, beginning, index):
    """Return the ratio in a cell of the first table row that begins with a text."""
    text = (ROOT / file).read_text(encoding="utf-8")
    row = re.search(rf"^\| {re.escape(beginning)}.*$", text, re.MULTILINE)
    if row is None:
        raise ValueError(f"{file} has no table row that begins with {beginning!r}.")
    return float(row[0].strip("| ").split(" | ")[index])


def bars():
    """Return a list of (compared with, label, ratio), in the order of the chart."""
    return [(other, label, ratio(*place)) for other, label, *place in BARS]


def figure():
    """Return the chart."""
    chart = Figure(figsize=(8, 3.9), layout="constrained")
    axes = chart.subplots()
    seen = []
    for i, (other, label, value) in enumerate(bars()):
        name = "_" if other in seen else f"compared with {other}"
        seen += [] if other in seen else [other]
        height = i + 0.7 * len(seen)
        axes.barh(height, value, height=0.75, color=COLORS[other], label=name)
        axes.text(value + 0.15, height, f"{value:.1f}x", va="center")
        axes.text(-0.2, height, label, va="center", ha="right")
    axes.axvline(1, color="black", linewidth=1)
    axes.invert_yaxis()
    axes.set(yticks=[], xlim=(0, 20), xticks=[1, 5, 10, 15, 20], xlabel="times as fast (1: equal)")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False)
    return chart


def main():
    """Write the chart."""
    settings = {"svg.fonttype": "none", "svg.hashsalt": "sklearn_nn", "font.size": 11}
    with mpl.rc_context(settings):
        figure().savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
