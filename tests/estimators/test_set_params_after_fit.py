"""What was fitted predicts: parameters that are set afterwards wait for the next fit."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone

from helpers.estimators.all_estimators import (
    IMAGES,
    KINDS,
    RAGGED,
    ROWS,
    N,
    copies,
    data,
    fitted,
    make,
    outputs,
)
from sklearn_nn import (
    CNNClassifier,
    FeatureExtractor,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkRegressor,
    RNNClassifier,
    load,
)
from sklearn_nn.inspection import saliency_map
from sklearn_nn.layers import Activation, Dense, GlobalAveragePool, RandomFlip, TimeDistributed
from sklearn_nn.network.initializers import Normal
from sklearn_nn.training import Callback, Cosine, Huber, Lion

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Parameters that are functions"
)

#: Values that a parameter may have as well; the first that is another is set.
OTHERS = {
    "activation": ["tanh", "logistic"],
    "alpha": [0.5],
    "architecture": ["tabm", "realmlp"],
    "augmentation": [[RandomFlip()]],
    "batch_norm": [True],
    "batch_size": [7],
    "beta_1": [0.5],
    "beta_2": [0.5],
    "bias_init": ["zeros"],
    "bidirectional": [True],
    "calibrate": [False],
    "callbacks": [[Callback()]],
    "categorical_features": [[0]],
    "cell": ["gru", "rnn"],
    "class_weight": ["balanced"],
    "clipnorm": [0.25],
    "data_format": ["channels_first"],
    "dropout": [0.5],
    "dtype": ["float64", "float32"],
    "early_stopping": ["best", True],
    "ema_momentum": [0.5],
    "embedding_size": [3],
    "epsilon": [0.5],
    "filters": [(3, 2)],
    "hidden_layer_sizes": [(5, 3)],
    "hidden_size": [7],
    "input_noise": [0.5],
    "input_shape": [(2, 8, 1)],
    "kernel_size": [1],
    "l1_ratio": [0.5],
    "label_smoothing": [0.25],
    "layers": [[Dense(5), Activation("tanh"), Dense(7)]],
    "learning_rate": [Cosine()],
    "learning_rate_factors": [{"output": 0.0}, {"none of it": 0.0}],
    "learning_rate_init": [0.5],
    "loss": ["focal", Huber()],
    "max_fun": [7],
    "max_iter": [7],
    "max_norm": [0.5],
    "max_one_hot": [2],
    "momentum": [0.5],
    "n_iter_no_change": [2],
    "n_jobs": [2],
    "n_members": [3],
    "n_networks": [3],
    "n_restarts": [2],
    "nesterovs_momentum": [False],
    "num_embedding": ["periodic"],
    "num_layers": [2],
    "numeric": ["quantile"],
    "padding": ["valid"],
    "pool_size": [None, 1],
    "pooling": ["average", "max"],
    "power_t": [0.25],
    "quantile": [0.25],
    "conformal_fraction": [0.25],
    "dates": ["parts"],
    "random_state": [7],
    "refit_full": [True],
    "return_sequences": [True, False],
    "scale_inputs": [True],
    "scoring": ["loss", None],
    "separator": ["-"],
    "sequence_length": [3],
    "shuffle": [False],
    "solver": [Lion(), "lbfgs"],
    "strides": [2],
    "tol": [0.5],
    "truncation": [2],
    "validation_fraction": [0.25],
    "verbose": [1],
    "vocabulary": ["abc"],
    "warm_start": [True, "resume"],
    "weight_decay": [0.25],
    "weight_init": [Normal()],
}


def other(name, value, kind):
    """A valid value of a parameter that it does not have."""
    values = [v for v in OTHERS[name] if repr(v) != repr(value)]
    if name == "loss":
        regresses = "Regressor" in kind
        values = [v for v in ("poisson", "focal") if (v == "poisson") == regresses]
    if name == "pooling" and kind.startswith("RNN"):
        values = ["mean"]
    return values[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter(kind, tmp_path):
    """Set to another value, in every estimator: it and all copies of it predict what it did."""
    model = fitted(kind)
    before, own = outputs(model, kind), model.get_params(deep=False)
    for name, value in own.items():
        changed = other(name, value, kind)
        model.set_params(**{name: changed})
        np.testing.assert_array_equal(outputs(model, kind), before, err_msg=name)
        for way, copied in copies(model, tmp_path):
            np.testing.assert_array_equal(outputs(copied, kind), before, err_msg=f"{name}, {way}")
            assert repr(getattr(copied, name)) == repr(changed), (name, way)
        assert str(copied.summary()) == str(model.summary())
        model.set_params(**{name: value})


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_fit_takes_them(kind):
    """All that can be set after a fit is what it would have been before."""
    model, fresh = fitted(kind), make(kind)
    changed = {"learning_rate_init": 0.05, "dtype": "float32", "random_state": 3}
    if kind != "TextGenerator":
        changed |= {"activation": "tanh"} if hasattr(model, "activation") else {}
    for estimator in (model, fresh):
        estimator.set_params(**changed).fit(*data(kind))
    np.testing.assert_array_equal(outputs(model, kind), outputs(fresh, kind))
    np.testing.assert_array_equal(
        outputs(clone(model).fit(*data(kind)), kind), outputs(fresh, kind)
    )


def test_layers_that_are_changed_in_place(tmp_path):
    kind = "NeuralNetworkRegressor"
    model = fitted(kind)
    before = outputs(model, kind)
    changes = [
        lambda: model.set_params(first__units=9),
        lambda: setattr(dict(model.layers)["bend"], "activation", "tanh"),
        lambda: model.layers.append(("more", Dense(2))),
        lambda: model.set_params(norm="passthrough"),
        lambda: model.layers.clear(),
    ]
    for change in changes:
        change()
        np.testing.assert_array_equal(outputs(model, kind), before)
        for way, copied in copies(model, tmp_path):
            np.testing.assert_array_equal(outputs(copied, kind), before, err_msg=way)
    with pytest.raises(ValueError, match="must be a list of layers"):
        model.fit(*data(kind))
    np.testing.assert_array_equal(outputs(model, kind), before)


def test_a_list_of_sizes_that_is_changed_in_place():
    sizes = [5]
    model = MLPRegressor(hidden_layer_sizes=sizes, max_iter=2, random_state=0).fit(ROWS, ROWS[:, 0])
    before = model.predict(ROWS)
    sizes.append(3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(ROWS), before)
    np.testing.assert_array_equal(model.predict(ROWS), before)


@pytest.mark.parametrize("warm", [True, False])
def test_a_warm_start_takes_a_new_activation_and_refuses_new_shapes(warm):
    """As scikit-learn's MLP does; what is refused changes nothing."""

    def go_on(model):
        if warm:
            return model.set_params(warm_start=True).fit(ROWS, np.arange(N) % 3)
        return model.partial_fit(ROWS, np.arange(N) % 3)

    model = fitted("MLPClassifier")
    go_on(model.set_params(activation="tanh"))
    assert model._network.outline[1].layer.startswith("Activation")
    twin = copy.deepcopy(model)
    before = model.predict_proba(ROWS)
    np.testing.assert_array_equal(twin.predict_proba(ROWS), before)
    twin.set_params(activation="relu")
    np.testing.assert_array_equal(twin.predict_proba(ROWS), before)
    model.set_params(hidden_layer_sizes=(9,))
    with pytest.raises(ValueError, match="The fitted weights have shapes"):
        go_on(model)
    np.testing.assert_array_equal(model.predict_proba(ROWS), before)
    assert model._made_with["hidden_layer_sizes"] == (5,)


def test_inspection_reads_the_fitted_network():
    images = IMAGES.reshape(N, 1, 4, 4)
    model = CNNClassifier((3,), hidden_layer_sizes=(4,), max_iter=2, random_state=0,
                          data_format="channels_first").fit(images, np.arange(N) % 2)  # fmt: skip
    extractor = FeatureExtractor(model, "conv1").fit(images)

    def looked_at():
        start = CNNClassifier((3,)).from_pretrained(model, "conv1")._pretrained
        return [
            saliency_map(model, images), extractor.transform(images), str(model.summary()),
            start.arrays["conv1"]["kernel"],
        ]  # fmt: skip

    before = looked_at()
    model.set_params(data_format="channels_last", filters=(5, 5), activation="tanh")
    for a, b in zip(before, looked_at(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_frozen_layers_of_a_network_whose_parameters_have_changed():
    model = fitted("MLPClassifier")
    before = model.predict_proba(ROWS)
    model.set_params(hidden_layer_sizes=(3, 3), learning_rate_factors={"dense2": 0.0})
    model.freeze("dense1")
    assert model.learning_rate_factors == {"dense2": 0.0, "dense1": 0.0}
    for copied in (model, pickle.loads(pickle.dumps(model))):
        assert [row.name for row in copied.summary().rows if row.is_frozen] == ["dense1"]
        np.testing.assert_array_equal(copied.predict_proba(ROWS), before)
    with pytest.raises(ValueError, match="from_pretrained first"):
        model.freeze("pretrained")
    assert model.learning_rate_factors == {"dense2": 0.0, "dense1": 0.0}
    np.testing.assert_array_equal(model.predict_proba(ROWS), before)


def test_pickles_of_older_versions_go_by_their_parameters():
    model = fitted("MLPClassifier")
    state = model.__getstate__()
    state.pop("_made_with")
    old = MLPClassifier.__new__(MLPClassifier)
    old.__setstate__(state)
    np.testing.assert_array_equal(old.predict_proba(ROWS), model.predict_proba(ROWS))
    old.set_params(activation="tanh")
    np.testing.assert_array_equal(old.predict_proba(ROWS), model.predict_proba(ROWS))


def test_n_jobs_acts_at_once(monkeypatch):
    seen = []
    model = fitted("MLPClassifier")

    def predicted(*arguments):
        seen.append(arguments[-1])
        return np.ones((N, 3))

    monkeypatch.setattr("sklearn_nn.estimators._core.fitted_network.predict", predicted)
    monkeypatch.setattr("sklearn_nn.estimators._core.base.resolve_n_jobs", lambda jobs: jobs)
    model.predict(ROWS)
    model.set_params(n_jobs=2).predict(ROWS)
    assert seen == [1, 2]


# --- programs of other lengths --------------------------------------------------------------------


def kept(model):
    """How many programs an estimator keeps."""
    return len(model._network._others)


@pytest.mark.parametrize(
    "model",
    [
        RNNClassifier(3, max_iter=1, random_state=0),
        NeuralNetworkRegressor([TimeDistributed(Dense(2)), GlobalAveragePool()], max_iter=1),
    ],
    ids=["RNN", "list"],
)
def test_few_programs_are_kept(model):
    model.fit(RAGGED, np.arange(N) % 2)
    first = model.predict(np.ones((1, 3, 2)))
    for n in range(3, 120):
        model.predict(np.ones((1, n, 2)))
        model.predict([np.ones((n, 2)), np.ones((2, 2))])
    assert 0 < kept(model) <= 32
    np.testing.assert_array_equal(model.predict(np.ones((1, 3, 2))), first)
    assert kept(pickle.loads(pickle.dumps(model))) == 0


def test_eight_threads_that_predict_many_lengths():
    model = RNNClassifier(3, max_iter=1, random_state=0).fit(RAGGED, np.arange(N) % 2)
    X = {n: np.ones((2, n, 2)) for n in range(3, 50)}
    expected = {n: model.predict_proba(x) for n, x in X.items()}
    model = pickle.loads(pickle.dumps(model))

    def wrong(seed):
        asked = np.random.default_rng(seed).integers(3, 50, 60)
        return [n for n in asked if not np.array_equal(model.predict_proba(X[n]), expected[n])]

    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(wrong, range(8)))
    assert kept(model) <= 32


def test_a_refit_asks_anew_what_its_layers_can_read(tmp_path):
    """And files hold no programs."""
    model = RNNClassifier(3, max_iter=1, random_state=0).fit(RAGGED, np.arange(N) % 2)
    model.predict(np.ones((1, 9, 2)))
    model.save(tmp_path / "model")
    assert kept(load(tmp_path / "model")) == 0
    others = model._network._others
    model.fit(RAGGED, np.arange(N) % 2)
    assert model._network._others is not others
