"""Batch size, learning rate and number of epochs of networks, where these parameters are "auto"."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_nn import (
    CNNClassifier,
    CNNRegressor,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    NeuralNetworkRegressor,
    RNNClassifier,
    RNNRegressor,
    load,
    load_checkpoint,
)
from sklearn_nn.estimators._core.automatic import settle
from sklearn_nn.training import SGD, Adam, Lion, ProgressBar
from sklearn_nn.training.optimizers import OPTIMIZERS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 6, 1))
Y = X[:, :, 0].sum(axis=1) > 0
SMALL = {
    CNNClassifier: {"filters": 2, "hidden_layer_sizes": ()},
    CNNRegressor: {"filters": 2, "hidden_layer_sizes": ()},
    RNNClassifier: {"hidden_size": 2, "cell": "rnn"},
    RNNRegressor: {"hidden_size": 2, "cell": "rnn"},
    NeuralNetworkClassifier: {},
    NeuralNetworkRegressor: {},
}
every_kind = pytest.mark.parametrize("kind", SMALL)
RATES = dict.fromkeys(SMALL, 0.002) | {RNNClassifier: 0.01, RNNRegressor: 0.004}
#: Batch size of the 40 samples of X, which are fewer than two batches of 32.
OF_X = dict.fromkeys(SMALL, 16) | {RNNRegressor: 40}
#: Size of the smallest batch, and number of updates.
LIMITS = dict.fromkeys(SMALL, (16, 2000)) | {RNNRegressor: (32, 1000)}


def make(kind, **parameters):
    """A small network with few epochs; other parameters have their defaults."""
    return kind(**{"max_iter": 2, "random_state": 0, **SMALL[kind], **parameters})


def in_use(estimator):
    return estimator.batch_size_, estimator.learning_rate_init_, estimator.max_iter_


@every_kind
def test_defaults_are_auto_and_mlps_keep_those_of_scikit_learn(kind):
    default = kind()
    assert (default.batch_size, default.learning_rate_init, default.max_iter) == ("auto",) * 3
    for mlp in (MLPClassifier(), MLPRegressor()):
        assert (mlp.batch_size, mlp.learning_rate_init, mlp.max_iter) == ("auto", 0.001, 200)
    for name in ("learning_rate_init", "max_iter"):
        with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of MLPClassifier"):
            MLPClassifier(**{name: "auto"}).fit(X[:, :, 0], Y)


@every_kind
@pytest.mark.parametrize(
    ("n", "usual", "forecast"),
    [
        (1, (1, 200), (1, 200)), (10, (10, 200), (10, 200)), (31, (31, 200), (31, 200)),
        (40, (16, 200), (40, 200)), (67, (16, 200), (32, 200)),
        (270, (16, 118), (32, 111)), (1600, (16, 20), (32, 20)), (2000, (20, 20), (32, 16)),
        (6000, (60, 20), (60, 10)), (12_800, (128, 20), (128, 10)),
        (60_000, (128, 10), (128, 10)), (10**6, (128, 10), (128, 10)),
    ],
)  # fmt: skip
def test_the_rule_by_the_number_of_samples(kind, n, usual, forecast):
    """A forecast is what RNNRegressor makes."""
    model = kind()
    settle(model, n)
    batch_size, max_iter = forecast if kind is RNNRegressor else usual
    assert in_use(model) == (batch_size, pytest.approx(RATES[kind]), max_iter)


@every_kind
def test_values_in_use_are_attributes_and_act(kind):
    model = make(kind).fit(X, Y)
    batch_size = OF_X[kind]
    assert in_use(model) == (batch_size, pytest.approx(RATES[kind]), 2)
    named = make(kind, batch_size=batch_size, learning_rate_init=model.learning_rate_init_).fit(
        X, Y
    )
    assert model.loss_curve_ == named.loss_curve_
    assert model.history_["learning_rate"] == [model.learning_rate_init_] * 2
    # Another batch or rate is another training.
    for other in ({"batch_size": 20}, {"learning_rate_init": 0.1}):
        assert make(kind, **other).fit(X, Y).loss_curve_ != model.loss_curve_


@every_kind
def test_numbers_are_used_as_they_are(kind):
    model = make(kind, batch_size=7, learning_rate_init=0.02, max_iter=3).fit(X, Y)
    assert in_use(model) == (7, 0.02, 3)
    assert model.n_iter_ == 3
    with pytest.warns(UserWarning, match="larger than sample size"):
        assert make(kind, batch_size=50).fit(X, Y).batch_size_ == 40


@every_kind
def test_epochs_follow_from_the_batch_size(kind):
    model = make(kind, max_iter="auto", batch_size=1, tol=0, n_iter_no_change=1000).fit(X, Y)
    assert model.n_iter_ == model.max_iter_ == LIMITS[kind][1] // 40  # updates of one sample


@every_kind
@pytest.mark.parametrize("solver", [*OPTIMIZERS, SGD(momentum=0.5), Lion()])
def test_every_solver_has_a_rate(kind, solver):
    model = make(kind, solver=solver).fit(X, Y)
    factor = (OPTIMIZERS[solver] if isinstance(solver, str) else solver).rate_factor
    assert model.learning_rate_init_ == pytest.approx(RATES[kind] * factor)
    assert np.isfinite(model.loss_curve_).all()


def test_own_optimizers_have_adams_rate():
    class Own(Adam):
        pass

    assert make(CNNClassifier, solver=Own()).fit(X, Y).learning_rate_init_ == 0.002


def test_a_progress_bar_ends_at_the_chosen_number_of_epochs(capsys):
    pytest.importorskip("rich")
    bar = ProgressBar()
    make(CNNClassifier, max_iter="auto", batch_size=1, tol=0, callbacks=[bar]).fit(X, Y)
    assert "epoch 50/50" in capsys.readouterr().out


@every_kind
def test_lbfgs_has_iterations_only(kind):
    model = make(kind, max_iter="auto").fit(X, Y).set_params(solver="lbfgs").fit(X, Y)
    assert model.max_iter_ == 200
    assert not hasattr(model, "batch_size_")
    assert not hasattr(model, "learning_rate_init_")


@every_kind
def test_held_out_rows_do_not_count(kind):
    settings = {"early_stopping": True, "validation_fraction": 0.75}
    many, y = np.tile(X, (100, 1, 1)), np.tile(Y, 100)
    assert make(kind).fit(many, y).batch_size_ == 40
    assert make(kind, **settings).fit(many, y).batch_size_ == LIMITS[kind][0]  # of 1000


@every_kind
def test_schedules_multiply_the_rate_and_plan_all_epochs(kind):
    model = make(kind, max_iter="auto", learning_rate="cosine", batch_size=1).fit(X, Y)
    rates = model.history_["learning_rate"]
    assert len(rates) == LIMITS[kind][1] // 40
    assert rates[0] == pytest.approx(RATES[kind])
    assert rates[len(rates) // 2] == pytest.approx(RATES[kind] / 2, rel=0.1)
    assert rates[-1] < RATES[kind] / 100


@every_kind
def test_warm_starts_and_parts_of_data_choose_anew(kind):
    many, y = np.tile(X, (90, 1, 1)), np.tile(Y, 90)
    model = make(kind, warm_start=True).fit(X, Y).fit(many, y)
    assert in_use(model) == (36, pytest.approx(RATES[kind]), 2)
    model = make(kind).partial_fit(many, y) if "Regressor" in kind.__name__ else make(kind)
    if "Classifier" in kind.__name__:
        model.partial_fit(many, y, classes=[False, True])
    assert model.batch_size_ == 36
    assert model.partial_fit(X, Y).batch_size_ == OF_X[kind]


@every_kind
def test_training_that_is_resumed_equals_the_whole(kind, tmp_path):
    whole = make(kind, max_iter=6).fit(X, Y)
    part = make(kind, max_iter=3, warm_start="resume").fit(X, Y)
    part.save(tmp_path / "part.npz")
    assert part.set_params(max_iter=6).fit(X, Y).loss_curve_ == whole.loss_curve_
    loaded = load(tmp_path / "part.npz")
    assert in_use(loaded) == (OF_X[kind], pytest.approx(RATES[kind]), 3)
    assert loaded.learning_rate_init == "auto"
    again = load_checkpoint(tmp_path / "part.npz").set_params(max_iter="auto", tol=0.1)
    assert again.fit(X, Y).loss_curve_[:6] == whole.loss_curve_
    assert again.max_iter_ == 200


@every_kind
def test_parameters_set_later_wait_for_the_next_fit(kind):
    model = make(kind).fit(X, Y)
    model.set_params(learning_rate_init=0.05, batch_size=5)
    assert in_use(model) == (OF_X[kind], pytest.approx(RATES[kind]), 2)
    assert in_use(model.fit(X, Y)) == (5, 0.05, 2)
    assert not hasattr(clone(model), "batch_size_")
    assert not hasattr(model.initialize(X, Y), "batch_size_")


@every_kind
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate_init", "small"),
        ("learning_rate_init", 0),
        ("max_iter", "all"),
        ("max_iter", 0),
    ],
)
def test_other_values_are_refused(kind, name, value):
    with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter.*'auto'"):
        make(kind, **{name: value}).fit(X, Y)
