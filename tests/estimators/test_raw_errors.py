"""Values that came to raw errors of other libraries, or were taken silently."""

import datetime

import numpy as np
import pytest

from sklearn_nn import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    RNNClassifier,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).standard_normal((20, 3))
Y = np.arange(20) % 2
KINDS = [MLPClassifier, CNNClassifier, NeuralNetworkClassifier, RNNClassifier]


def assert_refused(kind, bad, message):
    model = kind(max_iter=1, random_state=0).fit(X, Y)
    for call in (
        lambda: kind(max_iter=1).fit(bad, Y),
        lambda: kind(max_iter=1).fit(X, Y, X_val=bad, y_val=Y),
        lambda: model.predict(bad),
        lambda: model.partial_fit(bad, Y),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("kind", KINDS)
def test_missing_values_among_objects(kind):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X).astype(object)
    frame.iloc[3, 1] = pd.NA
    for bad in (frame, frame.to_numpy(), frame.to_numpy().tolist()):
        assert_refused(kind, bad, r"contains missing values \(pd.NA\); fill or drop them first")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "date",
    [np.datetime64("2020-01-01"), np.timedelta64(3, "D"), datetime.datetime(2020, 1, 1)],
)
def test_dates_in_lists(kind, date):
    message = r"contains dates \(.*\); turn dates into numbers first, such as year, month"
    for row in ([date] * 3, [1.0, 2.0, date], (date, 1, 2)):
        assert_refused(kind, [row] * 20, message)
    objects = np.empty((20, 3), dtype=object)
    objects[:] = 1.0
    objects[4, 2] = date
    assert_refused(kind, objects, message)


@pytest.mark.parametrize("weight", ["a", None, [1], 1j, -1, np.nan, np.inf, True])
def test_weights_of_classes(weight):
    message = rf"class_weight=.* must hold finite weights >= 0; that of class 0 is {weight!r}"
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        MLPClassifier(class_weight={0: weight, 1: 1.0}).fit(X, Y)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_validation_sets_without_samples(kind):
    for share in (0.0, 0):
        model = kind(early_stopping=True, validation_fraction=share)
        with pytest.raises(ValueError, match=rf"validation_fraction={share} holds out nothing"):
            model.fit(X, Y)
    model = MLPClassifier(early_stopping=True, validation_fraction=0.01)
    with pytest.raises(ValueError, match=r"validation_fraction=0.01 does not suit 20 samples: "):
        model.fit(X, Y)
