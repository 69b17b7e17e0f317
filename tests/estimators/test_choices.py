"""Losses, layers, initial weights, solvers and schedules: each choice reaches the training."""

import numpy as np
import pytest

from helpers.estimators.mlp_problem import BOTH
from helpers.estimators.noisy_data import (
    CLASSES,
    NUMBERS,
    N,
    X,
    assert_same_training,
    fitted,
    make,
    output,
    target,
)
from helpers.learning import learning, median
from sklearn_nn import MLPRegressor
from sklearn_nn.network import initializers
from sklearn_nn.network.initializers import INITIALIZERS
from sklearn_nn.training import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Cosine,
    Huber,
    LambdaCallback,
    Lion,
    NAdam,
    RMSprop,
    SoftmaxFocal,
    TerminateOnNaN,
    schedules,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# --- losses ---------------------------------------------------------------------------------------


@learning
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_quantile_reaches_the_loss(quantile):
    def share(seed):
        options = {"quantile": quantile, "max_iter": 200, "tol": 0.0, "random_state": seed}
        model = fitted(MLPRegressor, loss="quantile", learning_rate="cosine", **options)
        return np.mean(model.predict(X) > NUMBERS)

    assert median(share) == pytest.approx(quantile, abs=0.07)


@learning
def test_label_smoothing_reaches_the_loss():
    """No probability is worth more than 1 - 2/3 of it."""

    def surest(seed):
        options = {"hidden_layer_sizes": 60, "max_iter": 200, "learning_rate_init": 0.03}
        options |= {"tol": 0.0, "random_state": seed}
        models = [fitted(label_smoothing=share, **options) for share in (0.0, 0.3)]
        assert models[1]._codec.loss.label_smoothing == 0.3
        return [output(model).max(axis=1).mean() for model in models]

    sharp, smooth = median(surest)
    assert sharp > 0.9
    assert smooth < 0.85


@learning
def test_focal_reaches_the_loss():
    plain, focal, own = (fitted(loss=loss) for loss in ("log_loss", "focal", SoftmaxFocal()))
    assert focal.loss_curve_[0] < plain.loss_curve_[0]
    assert_same_training(focal, own)
    assert fitted(loss=SoftmaxFocal(gamma=0.5)).loss_ != focal.loss_

    def of_two(seed):
        model = make(loss="focal", max_iter=40, random_state=seed)
        return model.fit(X, CLASSES > 0).score(X, CLASSES > 0)

    assert median(of_two) > max(np.mean(CLASSES > 0), np.mean(CLASSES == 0)) + 0.05


@learning
@pytest.mark.parametrize("loss", ["absolute_error", "huber", "log_cosh", "quantile"])
def test_losses_that_heed_outliers_less(loss):
    y = NUMBERS.copy()
    y[::20] += 200
    settings = {"max_iter": 100, "learning_rate_init": 0.02, "hidden_layer_sizes": (8,)}

    def error(loss, seed):
        model = make(MLPRegressor, loss=loss, random_state=seed, **settings).fit(X, y)
        return np.median(np.abs(model.predict(X) - NUMBERS))

    assert median(lambda seed: error(loss, seed) / error("squared_error", seed)) < 0.7


def test_loss_objects():
    named, own, narrow = (
        fitted(MLPRegressor, loss=loss) for loss in ("huber", Huber(), Huber(delta=0.1))
    )
    assert_same_training(named, own)
    assert narrow.loss_ < named.loss_
    with pytest.raises(ValueError, match="delta"):
        fitted(MLPRegressor, loss=Huber(delta=-1))
    with pytest.raises(ValueError, match="'loss' parameter"):
        fitted(MLPRegressor, loss="log_loss")


# --- layers ---------------------------------------------------------------------------------------


def test_dropout_of_each_layer():
    assert_same_training(fitted(dropout=[0.3, 0.3]), fitted(dropout=0.3))
    first, second = fitted(dropout=[0.3, 0]), fitted(dropout=np.array([0.0, 0.3]))
    assert first.loss_ != second.loss_
    assert [layer for layer, _ in first._network.plan.layers if "dropout" in layer] == ["dropout1"]
    assert [layer for layer, _ in second._network.plan.layers if "dropout" in layer] == ["dropout2"]
    assert_same_training(fitted(dropout=[0, 0]), fitted())


@pytest.mark.parametrize("dropout", [[0.1], [0.1, 0.2, 0.3], [0.1, 1.0], [0.1, "a"], 1.0, -0.1])
def test_unsuitable_dropout(dropout):
    with pytest.raises(ValueError, match="dropout"):
        fitted(dropout=dropout)


@pytest.mark.parametrize("name", sorted(set(INITIALIZERS) - {"orthogonal", "glorot_uniform"}))
def test_initial_weights_by_name_and_by_object(name):
    """'glorot_uniform' follows the activation, as scikit-learn's does."""
    model = make(weight_init=name, bias_init=name).initialize(X, CLASSES)
    own = make(weight_init=INITIALIZERS[name], bias_init=INITIALIZERS[name]).initialize(X, CLASSES)
    np.testing.assert_array_equal(model._network.theta, own._network.theta)
    default = make().initialize(X, CLASSES)
    assert not np.array_equal(model.coefs_[0], default.coefs_[0])
    assert not np.array_equal(model.intercepts_[0], default.intercepts_[0])


def test_initial_weights_and_biases_apart():
    model = make(weight_init="orthogonal", bias_init=initializers.Constant(0.5))
    model.initialize(X, CLASSES)
    kernel = model.coefs_[1]
    turned = kernel.T @ kernel
    np.testing.assert_allclose(turned, turned[0, 0] * np.eye(6), atol=1e-12)
    assert all((bias == 0.5).all() for bias in model.intercepts_)
    with pytest.raises(ValueError, match="'weight_init' parameter"):
        fitted(weight_init="he")


# --- solvers and rates ----------------------------------------------------------------------------

OBJECTS = {
    "sgd": SGD(), "adagrad": Adagrad(), "rmsprop": RMSprop(), "adam": Adam(), "adamw": AdamW(),
    "nadam": NAdam(), "adamax": Adamax(), "adadelta": Adadelta(), "lion": Lion(),
}  # fmt: skip
SOLVERS = pytest.mark.parametrize("solver", OBJECTS)


@SOLVERS
def test_a_solver_by_name_and_by_object(solver):
    assert_same_training(fitted(solver=solver), fitted(solver=OBJECTS[solver]))


def test_parameters_that_solvers_share():
    named = fitted(solver="sgd", momentum=0.5, nesterovs_momentum=False)
    assert_same_training(named, fitted(solver=SGD(momentum=0.5, nesterov=False)))
    named = fitted(solver="nadam", beta_1=0.8, beta_2=0.95, epsilon=1e-4)
    assert_same_training(named, fitted(solver=NAdam(beta_1=0.8, beta_2=0.95, epsilon=1e-4)))


@SOLVERS
@pytest.mark.parametrize("schedule", ["cosine", "exponential", Cosine(end=0.5)], ids=str)
def test_every_solver_heeds_a_schedule(solver, schedule):
    constant, scheduled = (fitted(solver=solver, learning_rate=s) for s in ("constant", schedule))
    assert scheduled.loss_curve_[-1] != constant.loss_curve_[-1]
    rates = scheduled.history_["learning_rate"]
    assert rates[0] == 0.01
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.01


@pytest.mark.parametrize("schedule", ["constant", "invscaling", "adaptive"])
def test_adam_does_not_heed_scikit_learns_schedules(schedule):
    """As scikit-learn's does not; any other solver does, and an Adam object is one."""
    parameters = {"tol": 1.0, "n_iter_no_change": 1, "max_iter": 8}
    assert_same_training(fitted(learning_rate=schedule, **parameters), fitted(**parameters))
    if schedule == "constant":
        return
    for solver in (*(set(OBJECTS) - {"adam"}), Adam(beta_1=0.8)):
        heeded = fitted(solver=solver, learning_rate=schedule, **parameters)
        assert heeded.history_["learning_rate"][-1] < 0.01


@pytest.mark.parametrize("schedule", sorted(schedules.SCHEDULES))
def test_schedules_by_name(schedule):
    """The rate that is recorded is that of the epoch's first batch, warm-up included."""
    model = fitted(solver="sgd", learning_rate=schedule)
    rates = model.history_["learning_rate"]
    first = {"onecycle": 0.01 / 25, "coslog4": 0.0}.get(schedule, 0.01)
    assert rates[0] == pytest.approx(first)
    assert len(rates) == model.n_iter_


def test_a_function_is_a_schedule():
    model = fitted(learning_rate=lambda epoch: 1 / (1 + epoch), max_iter=3)
    assert model.history_["learning_rate"] == pytest.approx([0.01, 0.01 / 2, 0.01 / 3])
    with pytest.raises(ValueError, match=r"learning_rate=<function.*returned -1"):
        fitted(learning_rate=lambda _: -1)
    with pytest.raises(ValueError, match="'learning_rate' parameter"):
        fitted(learning_rate="cosin")


def test_weight_decay_of_its_own():
    """None is the solver's own: 0.01 for adamw, nothing for the others."""
    assert_same_training(fitted(solver="adamw"), fitted(solver="adamw", weight_decay=0.01))
    assert_same_training(fitted(solver="adamw", weight_decay=0), fitted(solver="adam"))
    assert_same_training(fitted(solver="sgd"), fitted(solver="sgd", weight_decay=0.0))
    assert_same_training(
        fitted(solver=Lion(weight_decay=0.1)), fitted(solver="lion", weight_decay=0.1)
    )
    plain, decayed = (fitted(solver="sgd", weight_decay=decay) for decay in (0.0, 5.0))
    assert np.linalg.norm(decayed._network.theta) < 0.8 * np.linalg.norm(plain._network.theta)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"clipnorm": 1.0},
            "clipnorm=1.0 acts on steps of a first-order solver; use",
        ),
        ({"max_norm": 2.0}, "max_norm=2.0 acts on steps"),
        ({"weight_decay": 0.1}, "weight_decay=0.1 acts on steps"),
        ({"ema_momentum": 0.9}, "ema_momentum=0.9 acts on steps"),
        ({"l1_ratio": 0.5}, "l1_ratio=0.5 adds a penalty that is not differentiable at 0"),
        ({"callbacks": [TerminateOnNaN()]}, "callbacks=.*solver='lbfgs' does not have"),
    ],
    ids=str,
)
def test_parameters_that_lbfgs_refuses(parameters, message):
    model = make(solver="lbfgs", **parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(X, CLASSES)
    assert not hasattr(model, "coefs_")


def test_parameters_that_lbfgs_takes():
    fitted(solver="lbfgs", weight_decay=0, l1_ratio=1.0, alpha=0.0, learning_rate="cosine")
    assert not hasattr(make(solver="lbfgs"), "partial_fit")


# --- initialize -----------------------------------------------------------------------------------


@BOTH
def test_initialize(Estimator):
    """The first weights of a fit, which predict, print, and train on."""
    y = target(Estimator)
    model = make(Estimator, batch_norm=True).initialize(X, y)
    assert output(model).shape[0] == N
    assert not hasattr(model, "loss_curve_")
    assert model.n_iter_ == model.t_ == 0
    assert "dense1" in str(model.summary())
    assert model.n_parameters_ == model.summary().n_parameters
    begun = []
    look = LambdaCallback(on_fit_begin=lambda model: begun.append(model._network.theta.copy()))
    fitted(Estimator, batch_norm=True, callbacks=[look])
    np.testing.assert_array_equal(model._network.theta, begun[0])
    model.partial_fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 1
    model.fit(X, y)
    assert_same_training(model, fitted(Estimator, batch_norm=True))


def test_initialize_forgets_what_was_learnt():
    model = fitted(early_stopping=True).initialize(X, CLASSES > 0)
    assert not hasattr(model, "loss_curve_")
    assert model.predict_proba(X).shape == (N, 2)


@pytest.mark.parametrize("bad", ["X", "y", "kind of y", "parameter"])
def test_initialize_that_fails_leaves_the_estimator_as_it_was(bad):
    model = fitted()
    before, known = output(model), set(vars(model))
    rows, y = X.copy(), CLASSES
    if bad == "X":
        rows[0, 0] = np.nan
    elif bad == "y":
        y = CLASSES[:5]
    elif bad == "kind of y":
        rows, y = X[:, :3], NUMBERS
    else:
        model.set_params(alpha=-1)
    with pytest.raises(ValueError, match=r"alpha|NaN|inconsistent|continuous"):
        model.initialize(rows, y)
    np.testing.assert_array_equal(output(model), before)
    assert set(vars(model)) == known
