"""What scikit-learn's MLP has not: class weights, dropout, threads, types, validation sets."""

import inspect
import pickle

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from helpers.estimators.iris import (
    IRIS,
    LABELS,
    LENGTH,
    SETTINGS,
    SPECIES,
    assert_equal,
    fitted,
    make,
    output,
    target,
)
from helpers.estimators.mlp_problem import BOTH, SOLVERS
from helpers.learning import learning, median
from sklearn_nn import MLPClassifier, MLPRegressor
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# --- class_weight ------------------------------------------------------------------------------


@SOLVERS
@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 5.0, 2: 0.5}, {1: 3}, {}])
def test_class_weight_is_a_sample_weight(solver, class_weight):
    X, y = IRIS[:120], SPECIES[:120]
    weight = compute_sample_weight(class_weight, y)
    by_class = make(MLPClassifier, solver=solver, class_weight=class_weight).fit(X, y)
    by_sample = make(MLPClassifier, solver=solver).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(output(by_class), output(by_sample), rtol=1e-12)
    if class_weight:
        assert not np.allclose(
            output(by_class), output(make(MLPClassifier, solver=solver).fit(X, y))
        )


def test_class_weight_multiplies_sample_weight():
    weight = np.random.default_rng(0).integers(1, 4, 150).astype(float)
    classes = {0: 1, 1: 2, 2: 3}
    both = make(MLPClassifier, class_weight=classes).fit(IRIS, SPECIES, weight)
    product = make(MLPClassifier).fit(IRIS, SPECIES, weight * (1.0 + SPECIES))
    np.testing.assert_allclose(output(both), output(product), rtol=1e-12)


def test_balanced_counts_a_weight_of_two_twice():
    """As scikit-learn 1.8 and later: the frequencies are those of the weighted samples."""
    weight = np.where(SPECIES == 1, 3, 1)
    repeated = np.repeat(np.arange(150), weight)
    settings = {"class_weight": "balanced", "shuffle": False, "dtype": "float64"}
    by_weight = make(MLPClassifier, batch_size=150, **settings).fit(IRIS, SPECIES, weight)
    by_row = make(MLPClassifier, batch_size=250, **settings).fit(IRIS[repeated], SPECIES[repeated])
    np.testing.assert_allclose(output(by_weight), output(by_row), rtol=1e-9)


@pytest.mark.parametrize("labels", [["a", "b", "c"], ["0", "1", "2"], [True, False]])
def test_class_weight_of_any_label(labels):
    y = np.array(labels)[SPECIES % len(labels)]
    weights = {label: k + 1.0 for k, label in enumerate(labels)}
    by_class = make(MLPClassifier, class_weight=weights).fit(IRIS, y)
    by_sample = make(MLPClassifier).fit(IRIS, y, [weights[label] for label in y.tolist()])
    np.testing.assert_allclose(output(by_class), output(by_sample), rtol=1e-12)


def test_class_weight_of_several_labels():
    weight = compute_sample_weight("balanced", LABELS)
    by_class = make(MLPClassifier, class_weight="balanced").fit(IRIS, LABELS)
    by_sample = make(MLPClassifier).fit(IRIS, LABELS, weight)
    np.testing.assert_allclose(output(by_class), output(by_sample), rtol=1e-12)
    same = make(MLPClassifier, class_weight="balanced").fit(IRIS, sparse.csr_matrix(LABELS))
    np.testing.assert_array_equal(output(same), output(by_class))
    with pytest.raises(ValueError, match=r"one label per sample; for several, pass 'balanced'"):
        make(MLPClassifier, class_weight={0: 1, 1: 2}).fit(IRIS, LABELS)


def test_class_weight_and_partial_fit():
    """A dict serves batches that lack classes; 'balanced' would need to see them all."""
    weights = {0: 2.0, 1: 3.0}
    model = make(MLPClassifier, class_weight=weights)
    same = make(MLPClassifier)
    for rows in (SPECIES != 1, SPECIES != 0, SPECIES == 2):
        X, y = IRIS[rows], SPECIES[rows]
        model.partial_fit(X, y, classes=[0, 1, 2])
        same.partial_fit(X, y, [weights.get(label, 1.0) for label in y], classes=[0, 1, 2])
    np.testing.assert_allclose(output(model), output(same), rtol=1e-12)
    with pytest.raises(ValueError, match=r"balanced.* not supported for partial_fit.*dict"):
        make(MLPClassifier, class_weight="balanced").partial_fit(IRIS, SPECIES, classes=[0, 1, 2])


@learning
def test_balanced_helps_the_rare_class():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)[:, :2]
    kept = np.r_[np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:30]]

    def score(weight, seed):
        model = MLPClassifier(
            8, max_iter=60, random_state=seed, class_weight=weight, learning_rate_init=0.02
        ).fit(X[kept], y[kept])
        return balanced_accuracy_score(y[kept], model.predict(X[kept]))

    assert median(lambda seed: score("balanced", seed) - score(None, seed)) > 0.02


# --- dropout -----------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_dropout(Estimator, solver):
    """Trains otherwise than without; drops nothing at predict; the same number, the same model."""
    settings = {"dropout": 0.3, "solver": solver, "hidden_layer_sizes": (20, 10)}
    model = fitted(Estimator, **settings)
    np.testing.assert_array_equal(output(model), output(model))
    assert_equal(model, fitted(Estimator, **settings))
    assert_equal(model, fitted(Estimator, n_jobs=2, **settings))
    assert_equal(model, fitted(Estimator, n_jobs=3, **settings))
    for other in ({"dropout": 0.0}, {"dropout": 0.31}, {"random_state": 1}):
        assert not np.array_equal(output(model), output(fitted(Estimator, **{**settings, **other})))


@learning
def test_dropout_learns():
    def measured(seed):
        options = {"dropout": 0.3, "max_iter": 200, "hidden_layer_sizes": 50, "random_state": seed}
        model = make(MLPClassifier, **options).fit(IRIS, SPECIES)
        return model.score(IRIS, SPECIES), model.loss_curve_[-1] / model.loss_curve_[0]

    score, share = median(measured)
    assert score > 0.85
    assert share < 0.6


@learning
def test_dropout_with_lbfgs_is_a_fixed_network():
    def score(seed):
        options = {"dropout": 0.2, "max_iter": 50, "random_state": seed}
        model = make(MLPClassifier, solver="lbfgs", **options).fit(IRIS, SPECIES)
        assert np.isfinite(model.loss_)
        return model.score(IRIS, SPECIES)

    assert median(score) > 0.9


def test_without_dropout_no_number_is_drawn_for_it():
    generator = np.random.RandomState(0)
    make(MLPClassifier, random_state=generator, shuffle=False).fit(IRIS, SPECIES)
    after_weights = generator.randint(2**31)
    generator = np.random.RandomState(0)
    generator.uniform(size=4 * 12 + 12 + 12 * 3 + 3)
    assert generator.randint(2**31) == after_weights


# --- activations -------------------------------------------------------------------------------


@learning
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", sorted(HIDDEN_ACTIVATIONS))
def test_activations_learn(activation, dtype):
    settings = {"activation": activation, "dtype": dtype, "max_iter": 80}

    def scores(seed):
        options = {**settings, "random_state": seed}
        model = make(MLPClassifier, hidden_layer_sizes=(16, 8), learning_rate_init=0.02, **options)
        regressor = make(MLPRegressor, learning_rate_init=0.05, **options).fit(IRIS, LENGTH)
        return model.fit(IRIS, SPECIES).score(IRIS, SPECIES), regressor.score(IRIS, LENGTH)

    of_classes, of_numbers = median(scores)
    assert of_classes > 0.9
    assert of_numbers > 0.9
    one, two = (make(MLPRegressor, n_jobs=jobs, **settings).fit(IRIS, LENGTH) for jobs in (1, 2))
    assert_equal(one, two)


def test_the_activations_that_were_promised():
    assert set(HIDDEN_ACTIVATIONS) >= {
        *("identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu"),
        *("mish", "softplus", "hard_sigmoid", "relu6"),
    }


# --- n_jobs and determinism --------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_any_number_of_threads(Estimator, settings):
    X = np.tile(IRIS, (8, 1))  # enough rows for predict to share
    models = [fitted(Estimator, n_jobs=jobs, **settings) for jobs in (None, 1, 2, 3, -1)]
    for model in models[1:]:
        assert_equal(models[0], model, X)
        assert models[0].loss_ == model.loss_


@BOTH
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_twenty_runs(Estimator, settings):
    first = fitted(Estimator, **settings)
    for _ in range(19):
        assert_equal(first, fitted(Estimator, **settings))


@BOTH
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("sizes", [(7,), (64, 33), (100,)])
def test_a_row_is_predicted_alike_whatever_rows_are_beside_it(Estimator, dtype, sizes):
    model = fitted(Estimator, hidden_layer_sizes=sizes, dtype=dtype, max_iter=3)
    together = output(model)
    for n in (1, 2, 15, 16, 17, 149):
        np.testing.assert_array_equal(output(model, IRIS[:n]), together[:n])
    for i in range(0, 150, 7):
        np.testing.assert_array_equal(output(model, IRIS[i : i + 1])[0], together[i])
    order = np.random.default_rng(0).permutation(150)
    np.testing.assert_array_equal(output(model, IRIS[order]), together[order])
    np.testing.assert_array_equal(output(model, np.tile(IRIS, (40, 1)))[-150:], together)


# --- dtype -------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("given", ["float32", "float64", "int64"])
@pytest.mark.parametrize("asked", ["auto", "float32", "float64"])
def test_dtype(Estimator, solver, given, asked):
    X = (10 * IRIS).astype(given)
    model = make(Estimator, dtype=asked, solver=solver).fit(X, target(Estimator))
    computed = asked
    if asked == "auto":
        computed = "float32" if given == "float32" and solver == "adam" else "float64"
    assert {array.dtype.name for array in model.coefs_ + model.intercepts_} == {computed}
    for other in ("float32", "float64", "int64"):
        assert output(model, X.astype(other)).dtype.name == computed
    if Estimator is MLPClassifier:
        assert model.predict_log_proba(X).dtype.name == computed
    if solver != "lbfgs":
        model.partial_fit(X.astype("float64"), target(Estimator))
        assert model.coefs_[0].dtype.name == computed


@BOTH
def test_float32_is_close_to_float64(Estimator):
    a, b = (output(fitted(Estimator, dtype=dtype, max_iter=30)) for dtype in ("float32", "float64"))
    np.testing.assert_allclose(a, b, atol=1e-4)


# --- validation sets ---------------------------------------------------------------------------


@BOTH
def test_a_validation_set_is_scored_after_every_epoch(Estimator):
    y = target(Estimator)
    model = make(Estimator).fit(IRIS[::2], y[::2], X_val=IRIS[1::2], y_val=y[1::2])
    plain = make(Estimator).fit(IRIS[::2], y[::2])
    assert_equal(model, plain)  # looking on changes nothing
    assert len(model.validation_scores_) == model.n_iter_ == 15
    assert model.validation_scores_[-1] == pytest.approx(model.score(IRIS[1::2], y[1::2]))
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_loss_ == min(model.loss_curve_)
    assert plain.validation_scores_ is None


@BOTH
def test_early_stopping_with_a_validation_set(Estimator):
    """All rows given as X are trained on, and the best weights are those that come back."""
    y = target(Estimator)
    settings = {"early_stopping": True, "max_iter": 300, "n_iter_no_change": 3, "tol": 1e-3}
    model = make(Estimator, **settings)
    model.fit(IRIS[::2], y[::2], X_val=IRIS[1::2], y_val=y[1::2])
    assert model.n_iter_ < 300
    assert model.t_ == 75 * model.n_iter_
    assert model.best_loss_ is None
    best = model.score(IRIS[1::2], y[1::2])
    assert best == pytest.approx(model.best_validation_score_) == max(model.validation_scores_)


@BOTH
def test_validation_weights(Estimator):
    y = target(Estimator)
    weight = np.random.default_rng(0).random(75)
    model = make(Estimator)
    model.fit(IRIS[::2], y[::2], X_val=IRIS[1::2], y_val=y[1::2], sample_weight_val=weight)
    expected = model.score(IRIS[1::2], y[1::2], sample_weight=weight)
    assert model.validation_scores_[-1] == pytest.approx(expected)
    assert expected != model.score(IRIS[1::2], y[1::2])


def test_validation_sets_of_every_kind():
    settings = {"max_iter": 3}
    labels = make(MLPClassifier, **settings).fit(IRIS, LABELS, X_val=IRIS[:9], y_val=LABELS[:9])
    assert labels.validation_scores_[-1] == labels.score(IRIS[:9], LABELS[:9])
    words = np.array(["a", "b", "c"])[SPECIES]
    model = make(MLPClassifier, **settings).fit(IRIS, words, X_val=IRIS[60:], y_val=words[60:])
    assert model.validation_scores_[-1] == model.score(IRIS[60:], words[60:])
    both = np.c_[LENGTH, -LENGTH]
    model = make(MLPRegressor, **settings).fit(IRIS, both, X_val=IRIS[:9], y_val=both[:9])
    assert model.validation_scores_[-1] == pytest.approx(model.score(IRIS[:9], both[:9]))
    S = sparse.csc_matrix(IRIS)
    model = make(MLPClassifier, **settings).fit(S, SPECIES, X_val=S[60:], y_val=SPECIES[60:])
    assert model.validation_scores_[-1] == model.score(S[60:], SPECIES[60:])


def test_a_validation_set_as_a_data_frame():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(IRIS, columns=list("abcd"))
    y = pd.Series(SPECIES).map({0: "x", 1: "y", 2: "z"})
    model = make(MLPClassifier).fit(frame, y, X_val=frame[60:], y_val=y[60:])
    assert len(model.validation_scores_) == 15
    with pytest.raises(ValueError, match=r"(?s)validation set.*feature names should match"):
        make(MLPClassifier).fit(frame, y, X_val=frame[list("badc")], y_val=y)


@pytest.mark.skipif(
    "transform_input" not in inspect.signature(make_pipeline).parameters,
    reason="this scikit-learn's pipelines do not transform validation sets",
)
def test_a_pipeline_transforms_the_validation_set():
    X = 100 + 20 * IRIS
    train, held_out = slice(None, None, 2), slice(1, None, 2)
    with sklearn.config_context(enable_metadata_routing=True):
        model = make(MLPClassifier).set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
        pipeline.fit(X[train], SPECIES[train], X_val=X[held_out], y_val=SPECIES[held_out])
    scores = pipeline[-1].validation_scores_
    assert scores[-1] == pytest.approx(pipeline.score(X[held_out], SPECIES[held_out]))
    # A score of 1/3, that of one class, is what rows that are not scaled would have.
    assert len(set(scores)) > 1


# --- subclasses --------------------------------------------------------------------------------


class _OneLayer(MLPClassifier):
    """Network whose constructor lacks most parameters."""

    def __init__(self, units=5, alpha=0.1):
        super().__init__((units,), alpha=alpha, max_iter=3, random_state=0)
        self.units = units


def test_subclasses_may_have_fewer_parameters():
    model = clone(_OneLayer(7)).fit(IRIS, SPECIES)
    assert model.get_params() == {"units": 7, "alpha": 0.1}
    like = MLPClassifier((7,), alpha=0.1, max_iter=3, random_state=0).fit(IRIS, SPECIES)
    for other in (model, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict_proba(IRIS), like.predict_proba(IRIS))
    with pytest.raises(ValueError, match="'alpha' parameter of _OneLayer"):
        _OneLayer(alpha=-1).fit(IRIS, SPECIES)


def test_subclasses_with_fewer_parameters_may_use_lbfgs():
    class Whole(MLPClassifier):
        def __init__(self, units=5):
            super().__init__((units,), solver="lbfgs", max_iter=200, random_state=0)
            self.units = units

    assert Whole().fit(IRIS, SPECIES).score(IRIS, SPECIES) > 0.9


def test_files_of_subclasses_with_fewer_parameters(tmp_path):
    model = _OneLayer(4).fit(IRIS, SPECIES)
    model.save(tmp_path / "model.npz")
    loaded = _OneLayer.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.predict_proba(IRIS), model.predict_proba(IRIS))
    assert (loaded.get_params(), loaded.max_iter) == ({"units": 4, "alpha": 0.1}, 3)


def test_defaults_that_a_subclass_overrides_are_validated():
    class Never(MLPClassifier):
        max_iter = 0

    for model in (Never(), Never(max_iter=0), Never(max_iter=-5)):
        if model.max_iter <= 0:
            with pytest.raises(ValueError, match="'max_iter' parameter of Never"):
                model.fit(IRIS, SPECIES)
