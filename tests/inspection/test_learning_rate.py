"""The range test on networks: rates, their losses, and what it leaves alone."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.learning import learning, median, seeds
from sklearn_nn import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    RNNClassifier,
    TabularClassifier,
    TabularRegressor,
    find_learning_rate,
)
from sklearn_nn.inspection import LearningRateDisplay, suggest_rate
from sklearn_nn.layers import BatchNorm, Dense
from sklearn_nn.training import EarlyStopping, Lion, ModelCheckpoint

X, Y = load_digits(return_X_y=True)
X, Y = X[:600] / 16, Y[:600]
LENGTH = X @ np.linspace(-1, 1, 64)


def make(Estimator=MLPClassifier, **parameters):
    return Estimator(
        **{"hidden_layer_sizes": 20, "random_state": 0, "batch_size": 50, **parameters}
    )


def test_rates_and_losses():
    """One loss for each of the geometric rates."""
    found = find_learning_rate(make(), X, Y, n_steps=20)
    assert isinstance(found, LearningRateDisplay)
    np.testing.assert_allclose(found.rates, np.geomspace(1e-5, 1, 11))
    assert found.losses.shape == (11,)
    assert np.isfinite(found.losses).all()
    assert found.losses[0] == pytest.approx(np.log(10), abs=0.5)
    assert found.suggestion == suggest_rate(found.rates, found.losses)


def test_the_losses_are_those_of_training():
    """The second of two epochs is the last half of the batches; all rates begin alike."""
    found = find_learning_rate(make(), X, Y, min_rate=0.001, max_rate=0.01, n_rates=2, n_steps=24)
    for rate, loss in zip(found.rates, found.losses, strict=True):
        fitted = make(learning_rate_init=rate, max_iter=2, tol=0.0, n_iter_no_change=np.inf)
        with pytest.warns(match="Maximum iterations"):
            fitted.fit(X, Y)
        assert loss == pytest.approx(fitted.loss_, rel=1e-9)


def test_a_part_of_large_data_is_enough():
    """Of a hundred batches, five are drawn for five steps."""
    found = find_learning_rate(make(batch_size=6, shuffle=False), X, np.sort(Y), n_steps=5)
    # The first thirty rows alone, all of one class, would soon be learnt.
    assert found.losses.min() > 0.5


@pytest.mark.parametrize(
    "parameters",
    [
        {"solver": "sgd"}, {"solver": "rmsprop"}, {"solver": Lion()},
        {"dropout": 0.2, "batch_norm": True, "ema_momentum": 0.9}, {"dtype": "float32"},
        {"early_stopping": True}, {"learning_rate": "onecycle"}, {"n_jobs": 2},
    ],
    ids=str,
)  # fmt: skip
@learning
@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
def test_the_suggestion_learns(Estimator, parameters):
    y = Y if Estimator is MLPClassifier else LENGTH

    def share(seed):
        model = make(Estimator, random_state=seed, **parameters)
        found = find_learning_rate(model, X, y)
        assert 1e-5 < found.suggestion <= 1
        model.set_params(
            learning_rate_init=found.suggestion, learning_rate="constant", early_stopping="best",
            max_iter=10,
        ).fit(X, y)  # fmt: skip
        return model.loss_curve_[-1] / model.loss_curve_[0]

    assert median(share) < 0.8
    model = make(Estimator, **parameters)
    one, other = (find_learning_rate(model, X, y, n_steps=20).losses for _ in range(2))
    np.testing.assert_array_equal(one, other)


@learning
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_the_luck_of_a_batch_is_not_taken_for_learning(loss, solver):
    """Losses of small batches differ by more than a step improves them."""
    y = np.random.default_rng(0).poisson(np.exp(LENGTH / 2)) if loss == "poisson" else LENGTH
    found = [
        find_learning_rate(
            make(MLPRegressor, loss=loss, solver=solver, batch_size=16, random_state=seed), X, y
        ).suggestion
        for seed in seeds(5)
    ]
    # All rates see the same batches.
    assert 1e-4 < np.median(found) < 1
    assert sorted(found)[-2] < 100 * sorted(found)[1]


@learning
def test_an_estimator_without_a_seed():
    def suggestion(seed):
        np.random.seed(seed)
        return find_learning_rate(make(MLPRegressor, random_state=None), X, LENGTH).suggestion

    assert 1e-4 < median(suggestion) < 1e-1


def test_search_ends_when_the_loss_explodes():
    found = find_learning_rate(
        make(MLPRegressor, solver="sgd"), X, LENGTH, min_rate=1e-4, max_rate=1e6, n_steps=50
    )
    assert len(found.losses) == len(found.rates) < 11
    assert np.isnan(found.losses[-1])
    assert found.suggestion < 1


def test_weights_and_sparse_rows():
    weights = np.random.default_rng(0).random(len(X))
    plain, weighted, sparse_rows = (
        find_learning_rate(make(), rows, Y, weight, n_steps=30)
        for rows, weight in ((X, None), (X, weights), (sparse.csr_matrix(X), weights))
    )
    assert not np.array_equal(plain.losses, weighted.losses)
    np.testing.assert_array_equal(sparse_rows.losses, weighted.losses)


def test_the_estimator_is_left_alone(tmp_path, capsys):
    generator = np.random.RandomState(3)
    callbacks = [EarlyStopping("nonsense"), ModelCheckpoint(tmp_path / "model")]
    model = make(random_state=generator, callbacks=callbacks, verbose=True, n_restarts=3)
    before, parameters = generator.get_state()[1].copy(), model.get_params()
    find_learning_rate(model, X, Y, n_steps=20)
    assert not hasattr(model, "coefs_")
    assert model.get_params() == parameters
    np.testing.assert_array_equal(generator.get_state()[1], before)
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().out == ""


def test_a_fitted_estimator_keeps_its_weights():
    model = make(solver="adam", max_iter=30, tol=1.0, warm_start=True).fit(X, Y)
    before = model.predict_proba(X)
    find_learning_rate(model, X, Y, n_steps=20)
    np.testing.assert_array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize(
    "rates",
    [
        {"min_rate": 0.0}, {"min_rate": -1.0}, {"min_rate": 2.0}, {"max_rate": 1e-6},
        {"max_rate": np.nan}, {"max_rate": np.inf},
    ],
    ids=str,
)  # fmt: skip
def test_unsuitable_rates(rates):
    with pytest.raises(ValueError, match=r"^min_rate=.*, max_rate=.*: rates must be positive and"):
        find_learning_rate(make(), X, Y, **rates)


@pytest.mark.parametrize("numbers", [{"n_rates": 1}, {"n_steps": 1}, {"n_steps": 0}], ids=str)
def test_unsuitable_numbers(numbers):
    with pytest.raises(ValueError, match=r"^n_rates=\d+, n_steps=\d+: both must be at least 2"):
        find_learning_rate(make(), X, Y, **numbers)


def test_progress_is_a_line_per_rate(capsys):
    found = find_learning_rate(make(), X, Y, n_rates=3, n_steps=4, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"Learning rate {rate:.3g}, loss = {loss:.8f}"
        for rate, loss in zip(found.rates, found.losses, strict=True)
    ]


def test_progress_is_a_bar_on_a_terminal(capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setattr("sklearn_nn.inspection.learning_rate.can_draw", lambda: True)
    find_learning_rate(make(), X, Y, n_rates=3, n_steps=4, verbose=True)
    shown = capsys.readouterr().out
    assert "learning rate 3/3" in shown
    assert "1, loss" in shown


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@learning
@pytest.mark.parametrize(
    "model",
    [
        CNNClassifier((4, 8), hidden_layer_sizes=(), input_shape=(8, 8, 1)),
        RNNClassifier(8, cell="gru", input_shape=(8, 8)),
        NeuralNetworkClassifier([Dense(16), BatchNorm()]),
    ],
    ids=lambda model: type(model).__name__,
)
def test_estimators_with_automatic_parameters(model):
    model = clone(model).set_params(random_state=0)
    found = find_learning_rate(model, X, Y)
    assert 1e-4 < found.suggestion < 0.1
    assert not hasattr(model, "batch_size_")
    # Far lower and far higher rates learn less.
    losses = [
        clone(model).set_params(learning_rate_init=rate, max_iter=5).fit(X, Y).loss_curve_[-1]
        for rate in (found.suggestion, found.suggestion / 10, found.suggestion * 300)
    ]
    assert losses[0] == min(losses)


def test_unsuitable_estimators():
    with pytest.raises(ValueError, match="solver='lbfgs' has no learning rate"):
        find_learning_rate(make(solver="lbfgs"), X, Y)
    with pytest.raises(TypeError, match=r"is not a network of sklearn_nn; of a Pipeline"):
        find_learning_rate(make_pipeline(StandardScaler(), make()), X, Y)
    for kind in (TabularClassifier, TabularRegressor):
        with pytest.raises(TypeError, match=f"^{kind.__name__} needs no search: learning_rate_ini"):
            find_learning_rate(kind(), X, Y)
    with pytest.raises(ValueError, match="'alpha' parameter"):
        find_learning_rate(make(alpha=-1), X, Y)
    with pytest.raises(ValueError, match="NaN"):
        find_learning_rate(make(), np.full((9, 2), np.nan), Y[:9])


def test_rates_and_losses_are_drawn(plt):
    display = find_learning_rate(make(), X, Y, n_steps=10).plot()
    assert display.suggestion_ == display.suggestion
    assert display.lines_[0].get_xdata()[0] == pytest.approx(1e-5)
