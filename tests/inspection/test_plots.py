"""All displays: matplotlib is asked for only when it is needed, and pictures can be saved."""

import subprocess
import sys

import numpy as np
import pytest

from sklearn_nn.inspection import (
    AttributionDisplay,
    ComplexityCurveDisplay,
    FeatureMapDisplay,
    FilterDisplay,
    LearningRateDisplay,
    LossCurveDisplay,
    MisclassifiedDisplay,
    SaliencyDisplay,
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
_IMAGES = np.linspace(0, 1, 384).reshape(6, 8, 8, 1)
#: Pictures of pictures: there is little paper.
GRIDS = {
    "filters": FilterDisplay(np.linspace(-1, 1, 360).reshape(3, 3, 1, 40), "conv1"),
    "kernels_of_signals": FilterDisplay(np.linspace(-1, 1, 280).reshape(7, 1, 40)),
    "feature_maps": FeatureMapDisplay(np.linspace(-1, 1, 1024).reshape(8, 8, 16), _IMAGES[0]),
    "saliency": SaliencyDisplay(
        _IMAGES[:2], {"gradient": _IMAGES[:2, ..., 0], "occlusion": _IMAGES[:2, ..., 0] - 0.5}
    ),
    "attribution": AttributionDisplay(_IMAGES[:2], _IMAGES[:2] - 0.5, [0.1, 0.2], [0.3, 0.4]),
    "attributions_of_columns": AttributionDisplay(
        np.array([[39, "State-gov", 13, None]], dtype=object),
        np.array([[0.5, -0.2, 0.1, -0.01]]),
        [-1.0],
        [2.0],
        feature_names=["age", "workclass", "education", "capital gain"],
        target=["more than 50,000"],
    ),
    "attributions_of_characters": AttributionDisplay(
        np.array([list("hello wor"), list("text.    ")]),
        np.linspace(-1, 1, 18).reshape(2, 9),
        in_order=True,
        target=["l", "a"],
    ),
    "misclassified": MisclassifiedDisplay(
        _IMAGES, [1, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6, 1], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    ),
}

every_display = pytest.mark.parametrize("name", [*DISPLAYS, *GRIDS])
DISPLAYS_AND_GRIDS = DISPLAYS | GRIDS


@pytest.mark.parametrize("name", GRIDS)
def test_grids(name, plt, tmp_path):
    """Nothing overlaps: neither pictures nor what stands above them."""
    display = GRIDS[name]
    assert display.plot() is display
    figure = display.figure_
    figure.savefig(tmp_path / f"{name}.png")
    height, width = plt.imread(tmp_path / f"{name}.png").shape[:2]
    assert 150 < height < 1500
    assert 300 < width < 1500
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    for k, box in enumerate(boxes):
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height
        assert not any(box.shrunk(0.98, 0.98).overlaps(other) for other in boxes[:k])


@pytest.mark.parametrize("name", DISPLAYS)
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
        DISPLAYS_AND_GRIDS[name].plot()


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
