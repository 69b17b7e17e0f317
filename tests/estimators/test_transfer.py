"""Weights of another network, frozen layers, factors on learning rates."""

import ast
import pickle
import re
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.estimators.all_estimators import activations
from sklearn_nn import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    TextGenerator,
    load,
    load_checkpoint,
)
from sklearn_nn.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    NTPLinear,
    Residual,
    ScaleFeatures,
)
from sklearn_nn.training.optimizers import OPTIMIZERS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = load_digits(return_X_y=True)
X, Y = X[:400] / 16, Y[:400]
OLD, NEW = Y < 5, Y > 4
FIRST_ORDER = sorted(OPTIMIZERS)
every_solver = pytest.mark.parametrize("solver", [*FIRST_ORDER, "lbfgs"])
HARD = {"weight_decay": 0.1, "clipnorm": 0.5, "max_norm": 1.0, "ema_momentum": 0.9}


def mlp(**options):
    defaults = {"hidden_layer_sizes": (12, 8), "max_iter": 3, "random_state": 0}
    return MLPClassifier(**defaults | options)


def residual(**options):
    """A convolution, a residual block, a dense layer; norms and dropout among them."""
    branch = [Conv2D(4, 3, padding="same"), BatchNorm(), Activation("relu")]
    layers = [Conv2D(4, 3), Residual(branch), ("drop", Dropout(0.3)), Flatten(), Dense(6)]
    defaults = {"input_shape": (8, 8, 1), "max_iter": 2, "random_state": 0}
    return NeuralNetworkClassifier(layers, **defaults | options)


@pytest.fixture(scope="module")
def source():
    return mlp(batch_norm=True, max_iter=20, learning_rate_init=0.02).fit(X[OLD], Y[OLD])


@pytest.fixture(scope="module")
def residual_source():
    return residual().fit(X[OLD], Y[OLD])


def arrays_of(estimator):
    return {
        (layer, name): array.copy()
        for layer, arrays in estimator.layers_.items()
        for name, array in arrays.items()
    }


def kept(before, estimator):
    """Names of the layers of which nothing has changed by a bit."""
    after = arrays_of(estimator)
    changed = {key[0] for key in before if before[key].tobytes() != after[key].tobytes()}
    return sorted({layer for layer, _ in before} - changed)


def assert_copied(source, estimator, layers):
    for layer, arrays in source.layers_.items():
        for name, array in arrays.items():
            equal = np.array_equal(array, estimator.layers_[layer][name])
            assert equal == (layer in layers), (layer, name)


# --- from_pretrained -------------------------------------------------------------------------


def test_all_that_both_have_is_copied_and_the_rest_drawn_as_ever(source):
    """Running means as well. The output layer has other classes, so it is drawn."""
    new = mlp(batch_norm=True)
    drawn = clone(new).initialize(X, Y)
    assert new.from_pretrained(source) is new
    new.initialize(X, Y)
    assert_copied(source, new, {"dense1", "batchnorm1", "dense2", "batchnorm2"})
    for name, array in drawn.layers_["output"].items():
        np.testing.assert_array_equal(array, new.layers_["output"][name])


def test_the_body_is_all_but_the_output(source):
    """With as many classes the output layer is copied, unless the body alone is asked for."""
    new = mlp(batch_norm=True)
    assert_copied(
        source, clone(new).from_pretrained(source).initialize(X[NEW], Y[NEW]), source.layers_
    )
    new.from_pretrained(source, layers="body").initialize(X[NEW], Y[NEW])
    assert_copied(source, new, set(source.layers_) - {"output"})


def test_named_layers(source):
    new = mlp(batch_norm=True).from_pretrained(source, layers=["dense2", "activation1"])
    assert_copied(source, new.initialize(X, Y), {"dense2"})
    new = mlp(batch_norm=True).from_pretrained(source, layers="batchnorm1")
    assert_copied(source, new.initialize(X, Y), {"batchnorm1"})


def test_a_name_stands_for_all_layers_within(residual_source):
    names = {"residual1.conv2d1", "residual1.batchnorm1"}
    new = residual().from_pretrained(residual_source, layers="residual1").initialize(X, Y)
    assert_copied(residual_source, new, names)
    new = residual().from_pretrained(residual_source, layers="residual1.conv2d1").initialize(X, Y)
    assert_copied(residual_source, new, {"residual1.conv2d1"})


def test_layers_of_another_network_in_part(residual_source):
    """A network cut short takes what it has of the other."""
    new = NeuralNetworkClassifier([Conv2D(4, 3)], input_shape=(8, 8, 1), max_iter=1)
    new.from_pretrained(residual_source, freeze="all").fit(X, Y)
    for name, array in residual_source.layers_["conv2d1"].items():
        np.testing.assert_array_equal(array, new.layers_["conv2d1"][name])


def test_fit_and_partial_fit_begin_with_the_weights(source):
    """A step of almost nothing from them, whatever the call."""
    options = {"batch_norm": True, "learning_rate_init": 1e-12, "solver": "sgd", "max_iter": 1}
    for train in (
        lambda new: new.fit(X[OLD], Y[OLD]),
        lambda new: new.partial_fit(X[OLD], Y[OLD], classes=range(5)),
        lambda new: new.set_params(n_restarts=2).fit(X[OLD], Y[OLD]),
    ):
        new = train(mlp(**options).from_pretrained(source))
        np.testing.assert_allclose(new.coefs_[0], source.coefs_[0], atol=1e-9)
        np.testing.assert_allclose(new.coefs_[2], source.coefs_[2], atol=1e-9)


def test_a_fitted_network_takes_them_at_once(source):
    new = mlp(batch_norm=True).fit(X[OLD], Y[OLD])
    assert not np.array_equal(new.predict_proba(X), source.predict_proba(X))
    new.from_pretrained(source)
    np.testing.assert_array_equal(new.predict_proba(X), source.predict_proba(X))
    other = clone(source).set_params(learning_rate_init=0.01, random_state=1).fit(X[OLD], Y[OLD])
    new.coefs_[0] = new.coefs_[0] + 1  # put in the place of a view
    new.from_pretrained(other, layers="dense2")
    np.testing.assert_array_equal(new.coefs_[0], source.coefs_[0] + 1)
    np.testing.assert_array_equal(new.layers_["dense2"]["kernel"], other.coefs_[1])


def test_the_weights_are_those_of_the_call(source):
    """Later changes of the source do not matter, nor do those of the new network to it."""
    other = pickle.loads(pickle.dumps(source))
    other.coefs_[0] = other.coefs_[0] * 2
    new = mlp(batch_norm=True).from_pretrained(other)
    other.coefs_[0][...] = 0
    new.initialize(X, Y)
    np.testing.assert_array_equal(new.coefs_[0], source.coefs_[0] * 2)
    new.fit(X, Y)
    np.testing.assert_array_equal(new.initialize(X, Y).coefs_[0], source.coefs_[0] * 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_types_are_converted(source, dtype):
    new = mlp(batch_norm=True, dtype=dtype).from_pretrained(source).initialize(X, Y)
    assert new.coefs_[0].dtype == dtype
    np.testing.assert_array_equal(new.coefs_[0], source.coefs_[0].astype(dtype))
    large = pickle.loads(pickle.dumps(source))
    large.coefs_[0][0, 0] = 1e300
    if dtype == "float32":
        with pytest.raises(ValueError, match=r"kernel of layer 'dense1' .* too large for dtype"):
            mlp(batch_norm=True, dtype=dtype).from_pretrained(large).initialize(X, Y)


def test_from_a_file_a_pipeline_and_a_search(source, tmp_path):
    source.save(tmp_path / "source.npz")
    search = GridSearchCV(mlp(), {"alpha": [1.0]}, cv=2).fit(X[OLD], Y[OLD])
    pipeline = make_pipeline(StandardScaler(), mlp()).fit(X[OLD], Y[OLD])
    for other, network in [
        (tmp_path / "source.npz", source),
        (str(tmp_path / "source.npz"), source),
        (search, search.best_estimator_),
        (pipeline, pipeline[-1]),
    ]:
        new = mlp(batch_norm=network is source).from_pretrained(other).initialize(X, Y)
        np.testing.assert_array_equal(new.coefs_[0], network.coefs_[0])


def test_a_regressor_from_a_classifier(source):
    new = MLPRegressor(hidden_layer_sizes=(12, 8), batch_norm=True, max_iter=2)
    new.from_pretrained(source, freeze="all").fit(X, Y.astype(float))
    np.testing.assert_array_equal(new.coefs_[0], source.coefs_[0])


def test_clones_and_searches_begin_with_them(source):
    """And pickles; parameters alone do not hold them."""
    new = mlp(batch_norm=True, max_iter=1).from_pretrained(source, layers="body", freeze="all")
    for copied in (clone(new), clone(clone(new)), pickle.loads(pickle.dumps(new))):
        assert_copied(source, copied.fit(X, Y), set(source.layers_) - {"output"})
    grid = {"alpha": [0.1, 1.0], "learning_rate_factors": [{"pretrained": 0}, {"pretrained": 0.5}]}
    search = GridSearchCV(new, grid, cv=2).fit(X, Y)
    kept_arrays = np.array_equal(search.best_estimator_.coefs_[0], source.coefs_[0])
    assert kept_arrays == (search.best_params_["learning_rate_factors"] == {"pretrained": 0})
    # With their old classes they are right before they have learnt anything.
    begun = mlp(batch_norm=True, max_iter=1, learning_rate_init=1e-9).from_pretrained(source)
    assert cross_val_score(begun, X[OLD], Y[OLD], cv=3).min() > 0.8
    assert (
        cross_val_score(mlp(max_iter=1, learning_rate_init=1e-9), X[OLD], Y[OLD], cv=3).max() < 0.6
    )
    with pytest.raises(ValueError, match="from_pretrained first"):
        MLPClassifier(**new.get_params()).fit(X, Y)


def test_errors_of_from_pretrained(source, residual_source):
    with pytest.raises(ValueError, match=r"copy from has no layer 'q'; its layers are 'dense1', "):
        mlp().from_pretrained(source, layers=["dense1", "q"])
    with pytest.raises(TypeError, match=r"layers=3 must be the name of a layer"):
        mlp().from_pretrained(source, layers=3)
    with pytest.raises(TypeError, match="not from LogisticRegression"):
        mlp().from_pretrained(LogisticRegression().fit(X, Y))
    new = mlp(hidden_layer_sizes=(12, 9), batch_norm=True).from_pretrained(source)
    message = (
        r"layer 'dense2' has bias \(8,\), kernel \(12, 8\) .* but bias \(9,\), kernel \(12, 9\)"
    )
    with pytest.raises(ValueError, match=message):
        new.fit(X, Y)
    assert not hasattr(new, "layers_")
    with pytest.raises(ValueError, match=r"layer 'output' .* layers=\['dense1'\]\)"):
        mlp(batch_norm=True).from_pretrained(source, layers=["dense1", "output"]).fit(X, Y)
    with pytest.raises(ValueError, match="The network to copy to has no layer 'batchnorm1'"):
        mlp().from_pretrained(source, layers="batchnorm1").fit(X, Y)
    with pytest.raises(ValueError, match="No layer is copied"):
        mlp(hidden_layer_sizes=()).from_pretrained(residual_source).fit(X, Y)
    fitted = mlp(hidden_layer_sizes=(12, 9), batch_norm=True).fit(X, Y)
    before = arrays_of(fitted)
    with pytest.raises(ValueError, match="layer 'dense2'"):
        fitted.from_pretrained(source)
    assert kept(before, fitted) == sorted(fitted.layers_)
    assert "_pretrained" not in vars(fitted)


def test_suggested_layers_fit(source):
    """The list in the error can be passed as it is; there is none if no layer fits."""
    new = mlp(hidden_layer_sizes=(12, 9), batch_norm=True)
    with pytest.raises(ValueError, match="or copy those that fit") as caught:
        clone(new).from_pretrained(source).fit(X[OLD], Y[OLD])
    (suggested,) = re.findall(r"layers=(\[.*\])\)\.$", str(caught.value))
    assert ast.literal_eval(suggested) == ["dense1", "batchnorm1"]
    new.from_pretrained(source, layers=ast.literal_eval(suggested)).fit(X[OLD], Y[OLD])
    other = mlp(hidden_layer_sizes=(7,), batch_norm=True).from_pretrained(source)
    with pytest.raises(ValueError, match=r"read equal; no layer fits as it is\.$"):
        other.fit(X[OLD], Y[OLD])


def test_texts_of_other_characters():
    options = {"hidden_size": 4, "num_layers": 1, "max_iter": 1, "sequence_length": 5}
    model = TextGenerator(**options).fit("abcabcabcabc")
    other = TextGenerator(**options).from_pretrained(model)
    with pytest.raises(ValueError, match=r"by vocabulary=other\.vocabulary_"):
        other.fit("abcdabcdabcd")
    other.set_params(vocabulary=model.vocabulary_).fit("abcabcababab")


# --- frozen layers ---------------------------------------------------------------------------


@every_solver
@pytest.mark.parametrize("frozen", [["dense1"], ["dense2", "output"], ["batchnorm1", "dense2"]])
def test_frozen_layers_stay_to_the_last_bit(solver, frozen):
    options = {} if solver == "lbfgs" else HARD
    new = mlp(batch_norm=True, solver=solver, alpha=0.1, **options)
    before = arrays_of(clone(new).initialize(X, Y))
    new.freeze(*frozen).fit(X, Y)
    assert kept(before, new) == sorted(frozen)


def test_the_frozen_part_of_a_residual(residual_source):
    new = residual(**HARD).from_pretrained(residual_source, freeze=["residual1", "dense1"])
    new.fit(X[NEW], Y[NEW])
    frozen = ["dense1", "residual1.batchnorm1", "residual1.conv2d1"]
    assert kept(arrays_of(residual_source), new) == frozen


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_number_of_threads(source, dtype):
    """To the last bit, with frozen layers below and above trained ones."""
    results = []
    for n_jobs in (1, 2, 3):
        new = mlp(batch_norm=True, dropout=0.2, dtype=dtype, n_jobs=n_jobs, **HARD)
        new.set_params(learning_rate_factors={"batchnorm2": 0, "dense1": 0.3, "dense2": 0})
        new.from_pretrained(source).fit(X, Y)
        results.append(new._network.theta.tobytes() + new._network.state.tobytes())
    assert results[0] == results[1] == results[2]


def test_a_frozen_batch_norm_uses_its_running_statistics(source):
    """All that is trained is a linear model of features that do not depend on the batch."""
    options = {"solver": "lbfgs", "max_iter": 500, "alpha": 0.1, "tol": 1e-8}
    new = mlp(batch_norm=True, **options)
    new.from_pretrained(source, layers="body", freeze="all").fit(X, Y)
    features = activations(source, X, "activation2")
    linear = mlp(hidden_layer_sizes=(), **options).fit(features, Y)
    np.testing.assert_allclose(new.predict_proba(X), linear.predict_proba(features), atol=1e-3)
    assert new.loss_ == pytest.approx(linear.loss_, rel=1e-6)
    n_old = int(OLD.sum())
    # The loss in training is that of prediction, which it is not with the batch's statistics.
    once = mlp(batch_norm=True, alpha=0, batch_size=n_old, learning_rate_init=1e-9, max_iter=1)
    frozen = clone(once).from_pretrained(source, freeze="batchnorm1").freeze("batchnorm2")
    for new, equal in [(frozen, True), (once.from_pretrained(source), False)]:
        new.fit(X[OLD], Y[OLD])
        p = source.predict_proba(X[OLD])[np.arange(OLD.sum()), Y[OLD]]
        assert (abs(new.loss_ + np.log(p).mean()) < 1e-6) == equal


def test_gradients_pass_through_a_frozen_batch_norm(source):
    """What lies below it is trained as if it were the linear map that it is."""
    new = mlp(batch_norm=True, solver="sgd", momentum=0, max_iter=1, alpha=0)
    new.set_params(learning_rate_init=1e-6, tol=0, batch_size=int(OLD.sum()))
    new.from_pretrained(source, freeze=["batchnorm1", "batchnorm2", "dense2", "output"])
    new.fit(X[OLD], Y[OLD])
    step = (source.coefs_[0] - new.coefs_[0]) / 1e-6
    i, j = np.unravel_index(np.abs(step).argmax(), step.shape)
    losses = []
    for sign in (1, -1):
        moved = pickle.loads(pickle.dumps(source))
        moved.coefs_[0][i, j] += sign * 1e-5
        p = moved.predict_proba(X[OLD])[np.arange(OLD.sum()), Y[OLD]]
        losses.append(-np.log(p).mean())
    assert step[i, j] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-4)


def test_dropout_goes_on_within_frozen_layers(residual_source):
    new = residual(max_iter=1, learning_rate_init=1e-9)
    new.from_pretrained(residual_source).freeze("residual1", "drop", "conv2d1", "dense1")
    new.fit(X[OLD], Y[OLD])
    p = residual_source.predict_proba(X[OLD])[np.arange(OLD.sum()), Y[OLD]]
    assert abs(new.loss_ + np.log(p).mean()) > 1e-3


def test_freeze_and_unfreeze_are_a_parameter():
    new = mlp()
    assert new.freeze("dense1", "dense2") is new
    assert new.learning_rate_factors == {"dense1": 0, "dense2": 0}
    assert clone(new).learning_rate_factors == {"dense1": 0, "dense2": 0}
    assert new.unfreeze("dense1") is new
    assert new.learning_rate_factors == {"dense2": 0}
    assert new.unfreeze().learning_rate_factors is None
    new.set_params(learning_rate_factors={"residual1": 0, "residual1.conv2d1": 0.5, "output": 2})
    assert new.freeze("residual1").learning_rate_factors == {"output": 2, "residual1": 0}
    new.unfreeze("residual1.conv2d1")
    assert new.learning_rate_factors == {"output": 2, "residual1": 0, "residual1.conv2d1": 1}
    assert new.freeze(["dense1"]).learning_rate_factors["dense1"] == 0
    given = {"dense1": 0.5}
    mlp(learning_rate_factors=given).freeze("dense2")
    assert given == {"dense1": 0.5}


def test_pretrained_stands_for_what_is_copied(source):
    new = mlp(batch_norm=True, learning_rate_factors={"dense1": 0.5})
    new.from_pretrained(source, freeze="all").unfreeze("dense2").fit(X, Y)
    assert new.learning_rate_factors == {"pretrained": 0, "dense2": 1}
    frozen = {"dense1", "batchnorm1", "batchnorm2"}
    for layer, arrays in source.layers_.items():
        if layer != "output":
            equal = [np.array_equal(a, new.layers_[layer][name]) for name, a in arrays.items()]
            assert equal == [layer in frozen] * len(arrays)


def test_freezing_between_calls_of_partial_fit():
    """Nothing moves that is frozen; what is unfrozen moves again, by steps of the usual length."""
    new = mlp(batch_norm=True, **HARD)
    for _ in range(3):
        new.partial_fit(X, Y, classes=range(10))
    before = arrays_of(new)
    new.freeze("dense1", "batchnorm2")
    for _ in range(3):
        new.partial_fit(X, Y)
    assert kept(before, new) == ["batchnorm2", "dense1"]
    assert {row.name for row in new.summary().rows if row.is_frozen} == {"dense1", "batchnorm2"}
    before = arrays_of(new)
    optimizer = new._optimizer
    new.unfreeze("dense1").partial_fit(X, Y)
    assert kept(before, new) == ["batchnorm2"]
    assert new._optimizer is not optimizer
    optimizer = new._optimizer
    new.partial_fit(X, Y)
    assert new._optimizer is optimizer
    # Adam's step is no longer than the rate.
    new.set_params(ema_momentum=0, max_norm=0, weight_decay=0)
    new.freeze("dense1").partial_fit(X, Y)
    start = new.coefs_[0].copy()
    new.unfreeze("dense1").partial_fit(X, Y)
    assert 0 < np.abs(new.coefs_[0] - start).max() <= 2.01 * 0.001


def test_freezing_after_early_stopping():
    """Training that goes on does not go back to what a frozen layer was in the best epoch."""
    for call in ("fit", "partial_fit"):
        new = mlp(early_stopping=True, warm_start=True, max_iter=6, learning_rate_init=0.05)
        new.set_params(validation_fraction=0.4, batch_norm=True).fit(X, Y)
        new.coefs_[0][...] = 0  # no later epoch is as good as the best before
        before = arrays_of(new.freeze("dense1", "batchnorm1"))
        assert new._history.best_theta is not None
        if call == "fit":
            new.fit(X, Y)
        else:
            new.partial_fit(X, Y, X_val=X, y_val=Y)
        assert kept(before, new) == ["batchnorm1", "dense1"], call


def test_frozen_with_the_best_and_the_last_weights_apart():
    """The last weights lie aside while the best are shown; both hold what is frozen as shown."""
    options = {"early_stopping": "best", "max_iter": 30, "learning_rate_init": 0.3}
    new = mlp(warm_start="resume", batch_norm=True, **options).fit(X, Y)
    assert new._history.last is not None
    assert not np.array_equal(new._history.last[0], new._network.theta)
    before = arrays_of(new.freeze("dense1", "batchnorm2"))
    new.set_params(max_iter=35).fit(X, Y)
    assert kept(before, new) == ["batchnorm2", "dense1"]


@pytest.mark.parametrize(
    "options", [{}, HARD, {"early_stopping": True}], ids=["plain", "hard", "es"]
)
def test_resuming_with_frozen_layers_is_exact(source, options, tmp_path):
    def new():
        made = mlp(batch_norm=True, dropout=0.1, max_iter=6, tol=0, **options)
        made.set_params(learning_rate_factors={"dense2": 0.1})
        return made.from_pretrained(source).freeze("dense1", "batchnorm1")

    whole = new().fit(X, Y)
    half = new().set_params(max_iter=3).fit(X, Y)
    half.save(tmp_path / "half.npz")
    resumed = load_checkpoint(tmp_path / "half.npz").set_params(max_iter=6).fit(X, Y)
    assert resumed._network.theta.tobytes() == whole._network.theta.tobytes()
    assert resumed._network.state.tobytes() == whole._network.state.tobytes()
    assert resumed.loss_curve_ == whole.loss_curve_


def test_files_keep_factors_and_the_start(source, tmp_path):
    new = mlp(batch_norm=True, learning_rate_factors={"output": 0.5})
    new.from_pretrained(source, layers="body", freeze="all").fit(X, Y)
    new.save(tmp_path / "new.npz")
    for again in (load(tmp_path / "new.npz"), pickle.loads(pickle.dumps(new))):
        assert again.learning_rate_factors == {"output": 0.5, "pretrained": 0}
        assert again.summary().n_frozen == new.summary().n_frozen > 0
        again.fit(X, Y)
        assert again._network.theta.tobytes() == new._network.theta.tobytes()


def test_errors_of_freezing(source):
    with pytest.raises(ValueError, match="freeze needs names"):
        mlp().freeze()
    with pytest.raises(TypeError, match="names=3 must be the name"):
        mlp().freeze(3)
    with pytest.raises(
        ValueError, match=r"no layer 'conv1'; its layers are 'dense1', 'activation1'"
    ):
        mlp().freeze("conv1").fit(X, Y)
    fitted = mlp().fit(X, Y)
    for call in (fitted.freeze, fitted.unfreeze):
        with pytest.raises(
            ValueError, match=r"no layer 'dense3'; its layers are 'dense1'.* Did you mean 'dense"
        ):
            call("dense3")
    assert fitted.learning_rate_factors is None
    for solver in ("adam", "lbfgs"):
        with pytest.raises(ValueError, match=r"All layers are frozen .* unfreeze\('output'\)"):
            mlp(solver=solver, batch_norm=True).from_pretrained(source, freeze="all").fit(
                X[OLD], Y[OLD]
            )
    with pytest.raises(ValueError, match="'pretrained', which stands for the layers"):
        mlp().freeze("pretrained").fit(X, Y)
    for factors in ({"dense1": -1}, {"dense1": np.nan}, {"dense1": "slow"}, {1: 0.5}):
        with pytest.raises(ValueError, match="maps names of layers to factors >= 0"):
            mlp(learning_rate_factors=factors).fit(X, Y)
    with pytest.raises(ValueError, match="'learning_rate_factors' parameter"):
        mlp(learning_rate_factors=0.5).fit(X, Y)
    with pytest.raises(ValueError, match="solver='adam', for example, or only factors of 0 and 1"):
        mlp(solver="lbfgs", learning_rate_factors={"dense1": 0.5}).fit(X, Y)
    with pytest.raises(ValueError, match="'pretrained', which stands for"):
        NeuralNetworkClassifier([("pretrained", Dense(3))]).fit(X, Y)


def test_lbfgs_and_layers_with_a_rate_of_their_own():
    """The error names the layer, since nothing was set as learning_rate_factors."""
    for layer, parameter in ((NTPLinear(3), "bias"), (ScaleFeatures(), "scale")):
        model = NeuralNetworkClassifier([("own", layer)], solver="lbfgs", max_iter=5)
        with pytest.raises(ValueError, match=f"layer 'own' learns its {parameter} at .*lbfgs"):
            model.fit(X, Y)
        with pytest.raises(ValueError, match=f"layer 'own' learns its {parameter} at .*lbfgs"):
            model.set_params(learning_rate_factors={"output": 0.0}).fit(X, Y)
        model.set_params(learning_rate_factors={"own": 0.0}).fit(X, Y)
    layers = [NTPLinear(3, bias_rate_factor=1.0), ScaleFeatures(rate_factor=1.0)]
    NeuralNetworkClassifier(layers, solver="lbfgs", max_iter=5).fit(X, Y)


def test_a_change_of_other_parameters_waits_for_the_next_fit():
    """freeze brings the network up to date, but not with a parameter that fit has not seen."""
    fitted = mlp().fit(X, Y)
    expected = fitted.predict_proba(X)
    fitted.set_params(activation="tanh", hidden_layer_sizes=(3,)).freeze("dense1")
    np.testing.assert_array_equal(fitted.predict_proba(X), expected)
    assert fitted.n_layers_ == 4
    assert fitted.fit(X, Y).summary().n_frozen == 64 * 3 + 3


# --- factors ---------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.25, 2.0])
def test_a_factor_multiplies_the_step(factor):
    """Of plain descent, to the last bit where the factor is a power of two."""
    new = mlp(solver="sgd", momentum=0, max_iter=1, batch_size=400, dtype="float64")
    start = arrays_of(clone(new).initialize(X, Y))
    plain = arrays_of(clone(new).fit(X, Y))
    scaled = arrays_of(new.set_params(learning_rate_factors={"dense2": factor}).fit(X, Y))
    for key in start:
        wanted = factor if key[0] == "dense2" else 1.0
        np.testing.assert_allclose(
            scaled[key] - start[key], wanted * (plain[key] - start[key]), rtol=1e-9, atol=1e-16
        )


@pytest.mark.parametrize("solver", FIRST_ORDER)
def test_a_factor_is_a_learning_rate_of_its_own(solver):
    """With the same factor for all layers it is that of the whole network."""
    options = {"solver": solver, "max_iter": 4, "weight_decay": 0.01, "dtype": "float64"}
    names = ("dense1", "dense2", "output")
    scaled = mlp(learning_rate_factors=dict.fromkeys(names, 0.5), **options).fit(X, Y)
    slower = mlp(learning_rate_init=0.0005, **options).fit(X, Y)
    np.testing.assert_allclose(scaled._network.theta, slower._network.theta, rtol=1e-7, atol=1e-9)


def test_the_longest_name_counts(residual_source):
    new = residual(learning_rate_factors={"residual1": 0, "residual1.batchnorm1": 1})
    before = arrays_of(clone(new).initialize(X, Y))
    assert kept(before, new.fit(X, Y)) == ["residual1.conv2d1"]
    rates = {"pretrained": 0, "residual1.conv2d1": 1}
    new = residual(learning_rate_factors=rates).from_pretrained(residual_source, "residual1")
    before = arrays_of(clone(new).initialize(X, Y))
    assert kept(before, new.fit(X, Y)) == ["residual1.batchnorm1"]


def test_a_search_over_factors():
    grid = {"learning_rate_factors": [None, {"conv1": 0.1}, {"conv1": 0}]}
    network = CNNClassifier(4, hidden_layer_sizes=8, input_shape=(8, 8, 1), max_iter=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GridSearchCV(network, grid, cv=2).fit(X, Y)
    assert len(search.cv_results_["params"]) == 3
