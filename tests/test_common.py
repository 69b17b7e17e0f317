"""scikit-learn's common checks on all estimators, in many configurations.

No failure is expected of any. Runs on scikit-learn 1.6 to 1.9.
"""

import re

import pytest
import sklearn.neural_network
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import sklearn_nn
from helpers.estimators.all_estimators import KINDS
from sklearn_nn import (
    CNNClassifier,
    CNNRegressor,
    FeatureExtractor,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    NeuralNetworkRegressor,
    RNNClassifier,
    RNNRegressor,
    TabularClassifier,
    TabularRegressor,
)
from sklearn_nn.layers import Activation, Dense

# Most checks fit briefly, and do not ask whether training converged.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger:UserWarning"),
]

_SMALL = {"hidden_layer_sizes": 20, "learning_rate_init": 0.02, "max_iter": 60, "random_state": 0}

_SMALL_TABM = {
    "hidden_layer_sizes": (32, 32),
    "n_members": 4,
    "max_iter": 100,
    "learning_rate_init": 0.01,
}
_BRIEF = {"learning_rate_init": 0.03, "max_iter": 60, "random_state": 0}


def _classifier(**parameters):
    return MLPClassifier(**{**_SMALL, **parameters})


def _regressor(**parameters):
    return MLPRegressor(**{**_SMALL, **parameters})


#: Every check holds for these.
EVERY_CHECK = [
    MLPClassifier(),
    MLPRegressor(),
    _classifier(solver="sgd", learning_rate_init=0.1, nesterovs_momentum=False),
    _classifier(solver="sgd", learning_rate="adaptive", learning_rate_init=0.1, activation="tanh"),
    _classifier(solver="lbfgs", hidden_layer_sizes=5, max_iter=30),
    _classifier(activation="logistic", alpha=0.0, hidden_layer_sizes=(20, 10), max_iter=100),
    _classifier(activation="gelu", n_jobs=2, dtype="float64"),
    _classifier(activation="silu", shuffle=False, batch_size=1000),
    _regressor(solver="sgd", momentum=0.5),
    _regressor(solver="lbfgs", hidden_layer_sizes=5, max_iter=30),
    _regressor(loss="poisson", activation="softplus"),
    _regressor(activation="identity", n_jobs=-1, dtype="float64", alpha=0.1),
    _regressor(activation="elu", shuffle=False, batch_size=1000),
    _classifier(solver="adamw", clipnorm=1.0, max_norm=4.0),
    _classifier(learning_rate="cosine", solver="nadam"),
    _classifier(ema_momentum=0.9, learning_rate_init=0.05),
    _classifier(label_smoothing=0.1, l1_ratio=0.5, weight_init="he_uniform", bias_init="zeros"),
    _regressor(loss="huber", learning_rate="onecycle"),
    _regressor(loss="quantile", quantile=[0.1, 0.5, 0.9]),
    NeuralNetworkRegressor([Dense(8)], loss="quantile", quantile=[0.1, 0.5, 0.9], **_BRIEF),
    _regressor(n_restarts=2, solver="rmsprop", learning_rate="plateau"),
    # All epochs are used by the first fit: the second has nothing to resume.
    _classifier(warm_start="resume", tol=0.0),
    _regressor(warm_start="resume", tol=0.0),
    CNNClassifier(),
    CNNRegressor(),
    CNNClassifier((4, 8), kernel_size=2, pool_size=None, learning_rate_init=0.02, max_iter=60),
    CNNRegressor(8, strides=2, pooling="average", learning_rate_init=0.02, max_iter=100),
    RNNClassifier(),
    RNNRegressor(),
    # As by default, but for the number of networks; several are below.
    TabularClassifier(n_networks=1),
    TabularRegressor(n_networks=1),
    TabularClassifier("tabm", **_SMALL_TABM),
    TabularRegressor("tabm", **_SMALL_TABM),
    TabularClassifier(num_embedding="periodic", refit_full=True, n_networks=2, max_iter=64),
    TabularRegressor(loss="poisson", early_stopping=False, n_networks=1, max_iter=100),
    NeuralNetworkClassifier([Dense(32), Activation("relu")]),
    NeuralNetworkRegressor([("hidden", Dense(32)), Activation("tanh")]),
    NeuralNetworkRegressor(solver="lbfgs"),
    FeatureExtractor(_classifier()),
    FeatureExtractor(_regressor(), "dense1"),
    _classifier(learning_rate_factors={"dense1": 0.0, "output": 2.0}),
]

#: A weight of two is a row given twice only where training does not draw among the rows, go by
#: their number, or round the sums: so it is with scikit-learn's MLP as well.
_WEIGHTS = {
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
}
#: These call partial_fit, which scikit-learn's MLP refuses with early_stopping as well, and
#: every estimator with class_weight="balanced".
_PARTIAL_FIT = {
    "check_fit_score_takes_y",
    "check_n_features_in_after_fitting",
    "check_estimators_partial_fit_n_features",
}
#: These fit twice, and expect the second fit not to go on from the first.
_FIT_TWICE = {
    "check_classifiers_multilabel_representation_invariance",
    "check_supervised_y_2d",
    "check_fit_idempotent",
}
#: All checks hold for these but the ones named beside them.
BUT = [
    (_classifier(dtype="float32"), _WEIGHTS),
    (_regressor(dtype="float32", solver="lbfgs", hidden_layer_sizes=5, max_iter=30), _WEIGHTS),
    (_classifier(dropout=0.2), _WEIGHTS),
    (_regressor(dropout=0.1, activation="mish"), _WEIGHTS),
    (_classifier(batch_size=25), _WEIGHTS),
    (_regressor(batch_size=7, activation="leaky_relu"), _WEIGHTS),
    (_classifier(solver="sgd", learning_rate="invscaling", power_t=0.1), _WEIGHTS),
    (_classifier(early_stopping=True, validation_fraction=0.4), _WEIGHTS | _PARTIAL_FIT),
    (_regressor(early_stopping=True, validation_fraction=0.4), _WEIGHTS | _PARTIAL_FIT),
    (_classifier(class_weight="balanced"), _PARTIAL_FIT),
    # Statistics of a batch do not heed weights: a row given twice counts twice in them.
    (_classifier(batch_norm=True), _WEIGHTS),
    (_regressor(batch_norm=True, ema_momentum=0.5), _WEIGHTS),
    (_classifier(input_noise=0.1), _WEIGHTS),
    (_classifier(early_stopping="best", validation_fraction=0.4), _WEIGHTS | _PARTIAL_FIT),
    (_regressor(early_stopping="best", validation_fraction=0.4), _WEIGHTS | _PARTIAL_FIT),
    # Sums over the steps of more rows are rounded otherwise.
    (RNNClassifier(8, cell="gru", bidirectional=True, pooling="attention", **_BRIEF), _WEIGHTS),
    (RNNRegressor(8, cell="rnn", num_layers=2, pooling="mean", **_BRIEF), _WEIGHTS),
    (_classifier(warm_start=True), _FIT_TWICE),
    (_regressor(warm_start=True), _FIT_TWICE),
]


def _with_checks(estimators):
    """parametrize_with_checks, whose cases pytest 9 wants in a list."""
    mark = parametrize_with_checks(estimators).mark
    names, cases = mark.args
    return pytest.mark.parametrize(names, list(cases), **mark.kwargs)


def _remaining_checks():
    for estimator, left_out in BUT:
        names = {check.func.__name__ for _, check in estimator_checks_generator(estimator)}
        for instance, check in estimator_checks_generator(estimator):
            name = check.func.__name__
            if name not in left_out:
                yield pytest.param(instance, check, id=f"{instance!r}-{name}".replace("\n", ""))
        assert len(names & left_out) >= 2, "a check that is left out has another name now"


def test_every_estimator_is_checked():
    """The X of TextGenerator is not a matrix; FeatureExtractor is tested by way of another."""
    estimator = re.compile("(ifier|ressor|rator|ractor)$")
    public = {name for name in sklearn_nn.__all__ if estimator.search(name)}
    assert {type(one).__name__ for one in EVERY_CHECK} == public - {"TextGenerator"}
    assert {kind.__name__ for kind, *_ in KINDS.values()} == public - {"FeatureExtractor"}


@_with_checks(EVERY_CHECK)
def test_every_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("estimator", "check"), list(_remaining_checks()))
def test_remaining_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", [MLPClassifier(), MLPRegressor()], ids=repr)
@pytest.mark.parametrize(
    "name",
    [
        "check_param_validation",
        "check_dataframe_column_names_consistency",
        "check_inplace_ensure_writeable",
    ],
)
def test_checks_that_check_estimator_leaves_out(name, estimator):
    if name == "check_dataframe_column_names_consistency":
        pytest.importorskip("pandas")
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_tags_are_scikit_learns(name):
    ours = get_tags(globals()[name]())
    theirs = get_tags(getattr(sklearn.neural_network, name)())
    theirs.input_tags.sparse = True  # scikit-learn 1.6 takes sparse X and does not say so
    assert ours == theirs
