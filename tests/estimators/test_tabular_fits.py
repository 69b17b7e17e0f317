"""What fits of tables hold to: weights, warm starts, scores, and messages about what is wrong."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import train_test_split

from helpers.learning import learning, median, seeds
from sklearn_nn import (
    MLPRegressor,
    NeuralNetworkClassifier,
    TabularClassifier,
    TabularRegressor,
    load,
    load_checkpoint,
)
from sklearn_nn.estimators.tabular.fit import fit_temperature
from sklearn_nn.layers import MemberHeads
from sklearn_nn.training.callbacks import Callback

pd = pytest.importorskip("pandas")

RNG = np.random.default_rng(5)
X = RNG.normal(size=(120, 3))
NUMBERS = np.sin(2 * X[:, 0]) + X[:, 1]
CLASSES = np.array(["low", "mid", "top"])[np.digitize(NUMBERS, [-0.5, 0.5])]
BOTH = [(TabularClassifier, CLASSES), (TabularRegressor, NUMBERS)]
both = pytest.mark.parametrize(("Estimator", "y"), BOTH, ids=["classifier", "regressor"])


def make(Estimator=TabularClassifier, **parameters):
    options = {"random_state": 0, "hidden_layer_sizes": (16,), "max_iter": 5, "n_networks": 1}
    return Estimator(**{**options, **parameters})


# --- calibration -------------------------------------------------------------------------------


@learning
@pytest.mark.parametrize("loader", [load_iris, load_wine, load_breast_cancer])
def test_few_rows_do_not_spoil_probabilities(loader):
    """Those held out are often all right: the log loss of others was up to four times as large."""
    found = []
    for seed in seeds(3):
        parts = train_test_split(*loader(return_X_y=True), test_size=0.4, random_state=seed)
        for calibrate in (True, False):
            model = TabularClassifier(n_networks=1, random_state=seed, calibrate=calibrate)
            found.append(log_loss(parts[3], model.fit(parts[0], parts[2]).predict_proba(parts[1])))
    calibrated, plain = np.mean(np.reshape(found, (3, 2)), axis=0)
    assert calibrated < plain


@pytest.mark.parametrize("one_of_many", [True, False])
def test_temperatures_of_rows_that_are_all_right(one_of_many):
    """The more of them, the lower; a weight is as many rows; small weights make rows no fewer."""
    output = np.array([[0.9, 0.06, 0.04]]) if one_of_many else np.array([[0.9]])
    target = np.array([[0]]) if one_of_many else np.array([[1]])

    def fitted(n, weight=None):
        weight = None if weight is None else np.full(n, weight)
        rows = np.repeat(output, n, axis=0), np.repeat(target, n, axis=0)
        return fit_temperature(*rows, weight, one_of_many=one_of_many)

    ten, many = fitted(10), fitted(10_000)
    assert 0.1 < many < ten < 1
    assert fitted(5, 2.0) == pytest.approx(ten, rel=1e-3)
    assert fitted(10, 1e-3) == pytest.approx(ten, rel=1e-3)


# --- warm starts -------------------------------------------------------------------------------


@learning
@pytest.mark.parametrize("early_stopping", [False, "best", True])
def test_warm_starts_predict_targets_beyond_those_of_the_first_fit(early_stopping):
    """What is kept is an epoch with the new targets."""
    options = {"warm_start": True, "max_iter": 60, "early_stopping": early_stopping}

    def score(seed):
        model = make(TabularRegressor, batch_size=32, random_state=seed, **options)
        return model.fit(X, NUMBERS).fit(X, NUMBERS + 10).score(X, NUMBERS + 10)

    # Epochs with the first targets alone have a score of -70.
    assert median(score) > 0.5
    model = make(TabularRegressor, **options).fit(X, NUMBERS)
    scale = model._codec.scale
    model.fit(X, NUMBERS + 10)
    np.testing.assert_array_equal(model._codec.scale[:2], scale[:2])
    assert model._codec.scale[2:].ravel().tolist() == [NUMBERS.min(), NUMBERS.max() + 10]
    with pytest.raises(ValueError, match="y has 2 outputs"):
        model.fit(X, np.column_stack([NUMBERS, NUMBERS]))
    with pytest.raises(ValueError, match="needs numbers"):
        model.fit(X, CLASSES)


@both
@pytest.mark.parametrize("warm_start", [True, "resume"])
def test_one_network_where_a_fit_goes_on(Estimator, y, warm_start):
    model = make(Estimator, n_networks="auto", warm_start=warm_start).fit(X, y)
    assert model.recipe_["n_networks"] == 1
    model.set_params(max_iter=8).fit(X, y)
    assert model._earlier == []
    assert model.histories_ == [model.history_]
    assert len(model.history_["loss"]) == (8 if warm_start == "resume" else 13)


@both
@pytest.mark.parametrize("several", [{"n_networks": 2}, {"n_networks": "auto"}])
def test_several_networks_do_not_go_on(Estimator, y, several, tmp_path):
    model = make(Estimator, **several).fit(X, y)
    n_networks, before = len(model.histories_), model.predict(X)
    assert n_networks > 1
    with pytest.raises(ValueError, match=f"nothing to resume: the {n_networks} trainings"):
        model.set_params(warm_start="resume", max_iter=9).fit(X, y)
    with pytest.raises(ValueError, match=rf"trained {n_networks} networks.*n_networks=1"):
        model.set_params(warm_start=True).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), before)
    assert len(model.histories_) == n_networks
    model.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="nothing to resume"):
        load_checkpoint(tmp_path / "model.npz").fit(X, y)
    anew = load(tmp_path / "model.npz").set_params(warm_start=False, max_iter=5).fit(X, y)
    np.testing.assert_array_equal(anew.predict(X), before)


def test_a_second_training_is_not_resumed():
    model = make(refit_full=True, warm_start="resume").fit(X, CLASSES)
    assert len(model.histories_) == 2
    with pytest.raises(ValueError, match="nothing to resume: the 2 trainings"):
        model.fit(X, CLASSES)


class _Interrupts(Callback):
    """Raises KeyboardInterrupt after so many epochs of all networks together."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, epoch, log, estimator):
        self.epochs -= 1
        if self.epochs == 0:
            raise KeyboardInterrupt


@both
@pytest.mark.parametrize("refit_full", [False, True])
def test_an_interrupted_fit_of_several_networks_is_resumed(Estimator, y, refit_full):
    options = {"n_networks": 3, "refit_full": refit_full}
    straight = make(Estimator, **options).fit(X, y)
    model = make(Estimator, **options, callbacks=[_Interrupts(7)])
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, y)
    n_trained = 3 if refit_full else 2
    assert len(model.histories_) == n_trained
    assert len(model.histories_[-1]["loss"]) < 5
    model.set_params(warm_start="resume", callbacks=None).fit(X, y)
    assert len(model.histories_) == len(straight.histories_)
    assert [h["loss"] for h in model.histories_] == [h["loss"] for h in straight.histories_]
    np.testing.assert_array_equal(model.predict(X), straight.predict(X))


def test_an_interrupted_fit_by_default_keeps_to_its_number_of_networks():
    model = make(n_networks="auto", callbacks=[_Interrupts(7)])
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, CLASSES)
    model.set_params(warm_start="resume", callbacks=None).fit(X, CLASSES)
    assert len(model.histories_) == 4
    model.set_params(warm_start=False, callbacks=[_Interrupts(3)])
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, CLASSES)
    model.set_params(warm_start=True, callbacks=None).fit(X, CLASSES)
    assert model.recipe_["n_networks"] == len(model.histories_) == 1


# --- rows, and their weights -------------------------------------------------------------------


def _without_weights(estimator, X, y):
    return estimator.score(X, y)


@both
def test_rows_that_occur_twice_ask_no_weights_of_a_scorer(Estimator, y):
    """They are scored as often as they occur."""
    rows = np.repeat(np.arange(120), np.arange(120) % 3 + 1)
    model = make(Estimator, scoring=_without_weights, batch_size=256, max_iter=8)
    assert len(rows) < 256
    model.fit(X[rows], y[rows])
    score = "accuracy" if Estimator is TabularClassifier else "r2"
    weighted = make(Estimator, scoring=score, batch_size=256, max_iter=8).fit(X[rows], y[rows])
    np.testing.assert_allclose(model.history_["val_score"], weighted.history_["val_score"])
    few = make(Estimator, scoring=score, batch_size=256, max_iter=8).fit(X, y)
    assert not np.allclose(few.history_["val_score"], weighted.history_["val_score"])
    for weights in ({"sample_weight": np.full(len(rows), 2)}, {"X_val": X, "y_val": y}):
        if "X_val" in weights:
            weights["sample_weight_val"] = [2] * 120
        with pytest.raises(ValueError, match="takes no sample_weight"):
            model.fit(X[rows], y[rows], **weights)


def test_classes_have_weights_that_a_scorer_must_take():
    rows = np.repeat(np.arange(120), 2)
    with pytest.raises(ValueError, match="takes no sample_weight"):
        make(scoring=_without_weights, class_weight="balanced").fit(X[rows], CLASSES[rows])
    scorer = get_scorer("accuracy")
    make(scoring=scorer, class_weight="balanced").fit(X[rows], CLASSES[rows])


@both
def test_rows_of_weight_zero_do_not_make_a_table_large(Estimator, y):
    """Neither two batches of it, nor fewer epochs."""
    many = np.concatenate([X, RNG.normal(size=(2000, 3))])
    weight = np.repeat([1.0, 0.0], [120, 2000])
    order = np.concatenate([np.arange(120)[::-1], np.arange(120, 2120)])
    targets = np.concatenate([y, np.resize(y, 2000)])[order]
    model = make(Estimator, max_iter="auto").fit(many[order], targets, weight)
    without = make(Estimator, max_iter="auto").fit(X, y)
    assert model.recipe_ == without.recipe_
    np.testing.assert_array_equal(model._network.theta, without._network.theta)


# --- targets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix])
def test_sparse_labels(form):
    labels = np.column_stack([NUMBERS > 0, X[:, 2] > 0]).astype(int)
    model, dense = make().fit(X, form(labels)), make().fit(X, labels)
    np.testing.assert_array_equal(model.predict_proba(X), dense.predict_proba(X))
    model.fit(X, form(labels), np.ones(120), X_val=X, y_val=form(labels))
    assert "val_loss" in model.history_


def test_missing_targets():
    labels = pd.Series(CLASSES, dtype="string").mask(np.arange(120) == 3)
    with pytest.raises(ValueError, match=r"y contains missing values \(pd.NA\)"):
        make().fit(X, labels)


def test_a_validation_set_of_one_row():
    model = make(TabularRegressor).fit(X, NUMBERS, X_val=X[:1], y_val=NUMBERS[:1])
    assert len(model.history_["val_loss"]) == 5
    for own in (make(TabularRegressor), MLPRegressor(max_iter=2, early_stopping=True)):
        with pytest.raises(ValueError, match="R\\^2 is not defined"):
            own.set_params(scoring=None).fit(X, NUMBERS, X_val=X[:1], y_val=NUMBERS[:1])


def test_weights_of_classes_that_are_all_zero():
    labels = np.where(NUMBERS > 0, "yes", "no")
    with pytest.raises(ValueError, match=r"^class_weight is zero for every sample"):
        make(class_weight={"yes": 0, "no": 0}).fit(X, labels)


# --- layers ------------------------------------------------------------------------------------


@both
def test_members_need_a_hidden_layer(Estimator, y):
    with pytest.raises(ValueError, match=r"hidden_layer_sizes=\(\) does not suit .*'tabm'"):
        make(Estimator, architecture="tabm", hidden_layer_sizes=()).fit(X, y)
    assert make(Estimator, hidden_layer_sizes=()).fit(X, y).predict(X).shape == (120,)
    with pytest.raises(ValueError, match="MemberHeads takes a vector for each member"):
        NeuralNetworkClassifier([("heads", MemberHeads(3))]).fit(X, CLASSES)
