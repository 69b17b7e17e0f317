"""All displays: matplotlib is asked for only when it is needed, and pictures can be saved."""

import subprocess
import sys

import numpy as np
import pytest

from sklearn_nn.inspection import (
    ComplexityCurveDisplay,
    LearningRateDisplay,
    LossCurveDisplay,
    WeightHistogramDisplay,
)

DISPLAYS = {
    "loss": LossCurveDisplay({"loss": [2, 1], "val_score": [0.1, 0.2]}, 2),
    "complexity": ComplexityCurveDisplay(
        param_name="hidden_layer_sizes",
        param_range=[(1,), (2, 2), (3,)],
        train_scores=[[0.5], [0.6], [0.7]],
        test_scores=[[0.4], [0.5], [0.3]],
    ),
    "weights": WeightHistogramDisplay({"dense1": {"kernel": np.arange(9.0)}}),
    "learning_rate": LearningRateDisplay([0.01, 0.1, 1.0], [2, 1, 3]),
}

every_display = pytest.mark.parametrize("name", DISPLAYS)


@every_display
def test_pictures(name, plt, tmp_path):
    display = DISPLAYS[name]
    assert display.plot() is display
    path = tmp_path / f"{name}.png"
    display.figure_.savefig(path)
    picture = plt.imread(path)
    height, width = picture.shape[:2]
    assert 250 < height < width < 1500
    # Something is drawn, and most of it is paper.
    paper = (picture[..., :3] > 0.85).all(axis=2).mean()
    assert 0.5 < paper < 0.99


@every_display
def test_an_error_names_the_extra(name, without):
    without("matplotlib")
    with pytest.raises(ImportError, match=r'Display.plot needs .* "sklearn_nn\[plot\]"'):
        DISPLAYS[name].plot()


def test_no_fit_before_matplotlib_is_found(without):
    without("matplotlib")
    with pytest.raises(ImportError, match="from_estimator"):
        ComplexityCurveDisplay.from_estimator(
            None, None, None, param_name="alpha", param_range=[1, 2]
        )


def test_importing_asks_for_nothing():
    told = (
        "import sys, sklearn.pipeline;"  # from 1.9 on scikit-learn's callbacks import rich
        "before = set(sys.modules);"
        "import sklearn_nn.inspection;"
        "print([n for n in ('matplotlib', 'rich') if n in set(sys.modules) - before])"
    )
    run = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
