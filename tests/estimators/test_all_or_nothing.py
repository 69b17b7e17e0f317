"""A fit that raises leaves the estimator as it was; what is kept stands for itself."""

import contextlib
import pickle
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from helpers.estimators.all_estimators import (
    CLASSES,
    KINDS,
    NUMBERS,
    RAGGED,
    ROWS,
    N,
    data,
    fitted,
    make,
    outputs,
)
from sklearn_nn import FeatureExtractor, MLPClassifier, MLPRegressor, RNNClassifier
from sklearn_nn.estimators._core import validation as _held_out
from sklearn_nn.estimators.table_encoder import TableEncoder
from sklearn_nn.training import Huber, LambdaCallback
from sklearn_nn.training.history import History
from sklearn_nn.training.trainer import Trainer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class MineError(Exception):
    """An error of these tests."""


def content(model):
    """All that an estimator holds, deeply; without what is made from the rest."""
    made = {*model._transient, *model._ARRAY_LISTS}
    left_out = {*made, "callbacks", "scoring", "learning_rate", "loss"}
    state = {name: value for name, value in vars(model).items() if name not in left_out}
    return set(vars(model)) - made, pickle.dumps(state)


@contextlib.contextmanager
def failing(owner, name, call):
    """The method raises an error, at that call of it."""
    method, calls = getattr(owner, name), []

    def fails(*args, **kwargs):
        calls.append(0)
        if len(calls) == call:
            raise MineError(name)
        return method(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, fails)
        yield


def ways_to_go_on(kind):
    """(name, parameters to set, method) of every call that trains."""
    yield "fit", {"warm_start": False}, "fit"
    if not kind.startswith("Tabular"):
        yield "warm", {"warm_start": True}, "fit"
        yield "partial_fit", {}, "partial_fit"
    yield "resume", {"warm_start": "resume", "max_iter": 9}, "fit"
    yield "initialize", {}, "initialize"


#: Where training fails: the first epoch, a later one; what is taken down; what is looked at.
PLACES = [
    (Trainer, "_shuffled", 1),
    (Trainer, "_shuffled", 3),
    (History, "record", 2),
    (_held_out.Predictor, "run", 2),
    (Trainer, "_restore_best", 1),
]


@pytest.mark.parametrize("kind", KINDS)
def test_training_that_fails(kind):
    """Whether there was something before or not: weights, optimizer, history and random numbers."""
    stops = {"early_stopping": True, "n_iter_no_change": 50}
    if kind == "TextGenerator":
        stops["validation_fraction"] = 0.3
    elif kind == "RNNRegressor, steps":
        stops = {}
    model = make(kind, **stops)
    before = content(model)
    for owner, name, call in PLACES:
        with failing(owner, name, call), contextlib.suppress(MineError):
            model.fit(*data(kind))
            assert name == "run"  # nothing was looked at
            model = make(kind, **stops)
        assert content(model) == before, (name, call)

    # One network, which can be gone on with; no split, which partial_fit cannot make.
    tabular = kind.startswith("Tabular")
    model = make(kind, **{"n_networks": 1, **stops} if tabular else {}).fit(*data(kind))
    said = outputs(model, kind)
    for way, parameters, method in ways_to_go_on(kind):
        model.set_params(**parameters)
        before, curves = content(model), str(vars(model).get("loss_curve_"))
        for owner, name, call in PLACES:
            failed = False
            with failing(owner, name, call):
                try:
                    getattr(pickle.loads(pickle.dumps(model)), method)(*data(kind))
                except MineError:
                    failed = True
            if not failed:  # that call does not come
                continue
            with failing(owner, name, call), pytest.raises(MineError):
                getattr(model, method)(*data(kind))
            assert content(model) == before, (way, name, call)
            np.testing.assert_array_equal(outputs(model, kind), said, err_msg=f"{way}, {name}")
            assert str(vars(model).get("loss_curve_")) == curves


@pytest.mark.parametrize("kind", KINDS)
def test_data_that_cannot_be_fitted(kind):
    """Found late: in the last value, in the validation set, when all is encoded."""
    if kind == "TextGenerator":
        bad = [("",), ("a",), (["ab", 3],)]
    else:
        X, y = data(kind)
        nan = [x.copy() for x in X]
        nan[-1][(0,) * nan[-1].ndim] = np.inf
        bad = [(nan, y), (X, y[:-1]), (X, y, np.full(N, -1.0)), (X, y, np.zeros(N)), (X[:0], y)]
        if isinstance(y, np.ndarray) and y.dtype.kind == "f":
            bad.append((X, np.append(y[:-1], np.nan)))
    for model in (make(kind), fitted(kind)):
        for way, parameters, method in ways_to_go_on(kind):
            model.set_params(**parameters)
            before = content(model)
            for arguments in bad:
                with pytest.raises((ValueError, TypeError)):
                    getattr(model, method)(*arguments)
                assert content(model) == before, way
    if kind != "TextGenerator":
        X, y = data(kind)
        model = fitted(kind)
        before = content(model)
        with pytest.raises(ValueError, match="validation set"):
            model.fit(X, y, X_val=X, y_val=y[:-1])
        assert content(model) == before


def test_a_score_that_is_not_defined():
    """Sequences of one length or many, one class among those held out."""
    for scoring in ("roc_auc", "neg_log_loss"):
        model = RNNClassifier(3, max_iter=2, early_stopping=True, scoring=scoring, random_state=0)
        before = content(model)
        with pytest.raises(ValueError, match="predict_proba of shape"):
            model.fit(RAGGED, [0] * N)
        assert content(model) == before


def test_functions_of_ones_own():
    """A score, a schedule, a loss."""

    def rate(epoch):
        if epoch == 2:
            raise MineError
        return 1.0

    class LateHuber(Huber):
        """It fails where it is taken for something."""

        def targets(self, *arguments):
            raise MineError

    def score(*arguments):
        raise MineError

    changes = [
        {"learning_rate": rate, "solver": "sgd"},
        {"loss": LateHuber()},
        {"scoring": score, "early_stopping": True},
        {"solver": "lbfgs", "loss": LateHuber()},
    ]
    for changed in changes:
        for before_it in (False, True):
            model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=4, random_state=0)
            if before_it:
                model.fit(ROWS, NUMBERS)
            model.set_params(**changed)
            before = content(model)
            with pytest.raises(MineError):
                model.fit(ROWS, NUMBERS)
            assert content(model) == before


def test_warnings_that_are_errors():
    model = fitted("MLPClassifier")
    before = content(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning):
            model.fit(ROWS, CLASSES)
    assert content(model) == before


def test_a_generator_is_put_back():
    """One that the user passes is drawn from; after an error it stands where it stood."""
    model = MLPClassifier((4,), max_iter=3, random_state=np.random.RandomState(1))
    with failing(Trainer, "_shuffled", 2), pytest.raises(MineError):
        model.fit(ROWS, CLASSES)
    straight = MLPClassifier((4,), max_iter=3, random_state=np.random.RandomState(1))
    model.fit(ROWS, CLASSES)
    np.testing.assert_array_equal(model._network.theta, straight.fit(ROWS, CLASSES)._network.theta)


@pytest.mark.parametrize("hook", ["on_fit_begin", "on_epoch_end", "on_fit_end"])
@pytest.mark.parametrize("kind", ["MLPRegressor", "RNNClassifier", "TabularClassifier"])
def test_fits_stopped_by_a_callback_are_complete(kind, hook):
    """As where it is interrupted: as many epochs as the history has, and training goes on."""

    def fail(*arguments):
        if hook != "on_epoch_end" or arguments[0] == 2:
            raise MineError

    model = make(kind, callbacks=[LambdaCallback(**{hook: fail})])
    with pytest.raises(MineError):
        model.fit(*data(kind))
    epochs = {"on_fit_begin": 0, "on_epoch_end": 2, "on_fit_end": 3}[hook]
    assert model.n_iter_ == len(model.loss_curve_) == len(model.history_.get("loss", [])) == epochs
    assert not {"_stopped_by", "_callback_data", "_subtasks", "_first_rows"} & set(vars(model))
    said = outputs(model, kind)
    assert np.isfinite(said).all()
    model.set_params(callbacks=None, warm_start="resume", max_iter=4)
    np.testing.assert_array_equal(outputs(pickle.loads(pickle.dumps(model)), kind), said)
    model.fit(*data(kind))
    assert model.n_iter_ == 4


def test_other_transformers():
    extractor = FeatureExtractor(fitted("MLPClassifier")).fit(ROWS)
    before = dict(vars(extractor))
    with pytest.raises(ValueError, match="not in the network"):
        extractor.set_params(layer="none").fit(ROWS)
    assert vars(extractor) == {**before, "layer": "none"}
    encoder = TableEncoder().fit(ROWS)
    before = pickle.dumps(encoder)
    with pytest.raises(ValueError, match="Negative values"):
        encoder.fit(ROWS[:, :2], sample_weight=np.full(N, -1.0))
    assert pickle.dumps(encoder) == before


def test_weights_that_cannot_be_copied_change_nothing():
    """A layer that fits, and another that does not."""
    other, model = fitted("MLPClassifier"), fitted("MLPClassifier")
    other.coefs_[1][0, 0] = 1e300
    model32 = MLPClassifier((5,), max_iter=2, dtype="float32", random_state=0).fit(ROWS, CLASSES)
    before = content(model32)
    with pytest.raises(ValueError, match="kernel of layer 'output'"):
        model32.from_pretrained(other)
    assert content(model32) == before
    before = content(model)
    with pytest.raises(ValueError, match="no layer 'dense9'"):
        model.from_pretrained(other, freeze="dense9")
    assert content(model) == before
