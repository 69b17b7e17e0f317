"""The same numbers as targets, in whatever type and order, are the same fit to the last bit."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_nn import (
    CNNRegressor,
    MLPRegressor,
    NeuralNetworkRegressor,
    RNNRegressor,
    TabularRegressor,
)
from sklearn_nn.layers import Dense

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((41, 6))
#: Whole numbers, which float16 holds as well; their mean and variance no float does.
Y = RNG.integers(-9, 9, (41, 3)).astype(float)
VALIDATION = {"X_val": X[:13], "y_val": Y[:13]}
MODELS = {
    "mlp": MLPRegressor(hidden_layer_sizes=5),
    "mlp in float32": MLPRegressor(hidden_layer_sizes=5, dtype="float32", early_stopping=True),
    "lbfgs": MLPRegressor(hidden_layer_sizes=5, solver="lbfgs"),
    "cnn": CNNRegressor(3, early_stopping="best", validation_fraction=0.4, dtype="float32"),
    "rnn": RNNRegressor(4, batch_size=7),
    "layers": NeuralNetworkRegressor([Dense(4)], dtype="float32"),
    "realmlp": TabularRegressor(hidden_layer_sizes=5, n_networks=1),
    "tabm": TabularRegressor("tabm", hidden_layer_sizes=5, dtype="float64", n_members=2),
}
FORMS = {
    "float32": lambda y: y.astype("float32"),
    "float16": lambda y: y.astype("float16"),
    "longdouble": lambda y: y.astype("longdouble"),
    "int8": lambda y: y.astype("int8"),
    "Fortran": np.asfortranarray,
    "turned": lambda y: y[::-1, ::-1].copy()[::-1, ::-1],
    "list": np.ndarray.tolist,
    "sparse": sparse.csr_matrix,
}


def fitted(name, form):
    model = MODELS[name]
    validation = {} if name in ("lbfgs", "cnn", "mlp in float32") else VALIDATION
    validation = {k: form(v) if k == "y_val" else v for k, v in validation.items()}
    return model.set_params(max_iter=3, random_state=0).fit(X, form(Y), **validation)


@pytest.mark.parametrize("name", MODELS)
def test_targets_in_any_form_are_the_same_fit(name):
    model = fitted(name, np.asarray)
    expected = model.predict(X)
    curves = dict(vars(model).get("history_", {}))
    curves.pop("seconds", None)
    for form, function in FORMS.items():
        other = fitted(name, function)
        np.testing.assert_array_equal(other.predict(X), expected, err_msg=form)
        for curve, values in curves.items():
            assert other.history_[curve] == values, (form, curve)


@pytest.mark.parametrize("form", ["Fortran", "longdouble", "float32"])
def test_targets_of_steps_in_any_form_are_the_same_fit(form):
    sequences, y = X[:, :, np.newaxis], RNG.integers(-9, 9, (41, 6)).astype(float)
    models = [
        RNNRegressor(4, return_sequences=True, max_iter=3, random_state=0, dtype="float32").fit(
            sequences, function(y), X_val=sequences[:9], y_val=function(y[:9])
        )
        for function in (np.asarray, FORMS[form])
    ]
    assert models[0].validation_scores_ == models[1].validation_scores_
    np.testing.assert_array_equal(models[0].predict(sequences), models[1].predict(sequences))


def test_targets_beyond_float64_are_refused():
    if np.finfo(np.longdouble).max <= np.finfo(float).max:
        return  # there is none on this machine
    y = Y.astype(np.longdouble)
    y[0, 0] = np.finfo(np.longdouble).max / 2
    with pytest.raises(ValueError, match="y holds values too large"):
        MLPRegressor(hidden_layer_sizes=3, max_iter=1).fit(X, y)
