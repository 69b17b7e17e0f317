"""Several quantiles of one network: they never cross; calibrated on rows held out of the fit."""

import copy
import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import mean_pinball_loss, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.estimators.all_estimators import KINDS, data, fitted, make
from sklearn_nn import MLPRegressor, NeuralNetworkRegressor, TabularRegressor, load
from sklearn_nn.estimators._targets.conformal import offsets
from sklearn_nn.inspection import saliency_map
from sklearn_nn.layers import Dense
from sklearn_nn.training import Quantile

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger:UserWarning"),
]
LEVELS = [0.1, 0.25, 0.5, 0.9]
QUANTILES = {"loss": "quantile", "quantile": LEVELS}
every_kind = pytest.mark.parametrize("kind", [name for name in KINDS if "Regressor" in name])
RNG = np.random.default_rng(5)
X = RNG.uniform(-2, 2, (400, 2))
Y = X[:, 0] + (0.2 + np.abs(X[:, 1])) * RNG.standard_normal(400)


def flat(values):
    return np.concatenate(list(values)) if isinstance(values, list) else np.asarray(values)


def small(**parameters):
    options = {"learning_rate_init": 0.02, "max_iter": 30, "random_state": 0}
    options["layers"] = [Dense(8, activation="relu")]
    return NeuralNetworkRegressor(**{**QUANTILES, **options, **parameters})


# --- order ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@every_kind
def test_quantiles_never_cross(kind, dtype):
    samples, y = data(kind)
    model = make(kind, dtype=dtype, **QUANTILES).fit(samples, y)
    for size in (1.0, 1e-3, 1e4):
        query = [size * x for x in samples] if isinstance(samples, list) else size * samples
        found = model.predict_quantiles(query)
        wanted = [(len(x), 4) for x in samples] if "steps" in kind else (len(samples), 4)
        assert (found.shape if type(found) is np.ndarray else [q.shape for q in found]) == wanted
        assert (np.diff(flat(found), axis=-1) >= 0).all()
        np.testing.assert_array_equal(flat(model.predict(query)), flat(found)[..., 2])
    assert model.n_outputs_ == 1


@every_kind
def test_several_outputs(kind):
    samples, y = data(kind)
    two = [np.column_stack([a, -3 * a + 7]) for a in y] if "steps" in kind else np.c_[y, 7 - 3 * y]
    model = make(kind, **QUANTILES).fit(samples, two)
    found = flat(model.predict_quantiles(samples))
    assert found.shape == (len(flat(two)), 2, 4)
    assert (np.diff(found, axis=-1) >= 0).all()
    np.testing.assert_array_equal(flat(model.predict(samples)), found[..., 2])
    assert model.n_outputs_ == 2
    assert model.score(samples, two) == pytest.approx(r2_score(flat(two), found[..., 2]))


def test_the_members_of_an_ensemble_never_cross():
    """Means of ascending numbers ascend, also where networks disagree and outputs are clipped."""
    for architecture in ("realmlp", "tabm"):
        model = TabularRegressor(
            architecture, n_networks=3, hidden_layer_sizes=(8,), max_iter=3, random_state=0,
            **QUANTILES,
        )  # fmt: skip
        model.fit(X.round(1), Y)
        found = model.predict_quantiles(50 * RNG.standard_normal((5000, 2)))
        assert (np.diff(found, axis=1) >= 0).all()
        assert Y.min() <= found.min() < found.max() <= Y.max()


@every_kind
def test_a_list_of_one_level_is_the_number(kind):
    one, number = (fitted(kind, loss="quantile", quantile=q) for q in ([0.3], 0.3))
    samples, _ = data(kind)
    predicted = flat(number.predict(samples))
    np.testing.assert_array_equal(flat(one.predict(samples)), predicted)
    for model in (one, number):
        np.testing.assert_array_equal(flat(model.predict_quantiles(samples))[..., 0], predicted)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_few_rows_and_threads_predict_the_same(dtype):
    model = small(dtype=dtype, max_iter=2, conformal_fraction=0.25).fit(X, np.c_[Y, -Y])
    wanted = model.predict_quantiles(X)
    for rows in (slice(0, 1), slice(3, 17), slice(100, 250)):
        np.testing.assert_array_equal(model.predict_quantiles(X[rows]), wanted[rows])
    np.testing.assert_array_equal(model.set_params(n_jobs=2).predict_quantiles(X), wanted)


def test_the_middle_level():
    for levels, middle in (
        ([0.05, 0.5, 0.95], 1), ([0.1, 0.9], 0), ([0.1, 0.5], 1), ([0.5, 0.9], 0),
        ([0.2, 0.3, 0.6, 0.99], 2), ([0.9, 0.95, 0.99], 1),
    ):  # fmt: skip
        assert Quantile(levels).predicted == middle
        model = small(quantile=levels, max_iter=1).fit(X, Y)
        np.testing.assert_array_equal(model.predict(X), model.predict_quantiles(X)[:, middle])


def test_levels_are_learnt():
    """Each level lies above its share of the targets, at all scales of y, in every solver."""
    wide = np.repeat(X, 5, axis=0)
    y = wide[:, 0] + (0.2 + np.abs(wide[:, 1])) * RNG.standard_normal(len(wide))
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    for a, b, options in ((1, 0, {}), (1e5, -1e6, {}), (1e-4, 3, {"solver": "lbfgs"})):
        model = small(quantile=levels, max_iter=100, **options).fit(wide, a * y + b)
        shares = ((a * y + b)[:, np.newaxis] < model.predict_quantiles(wide)).mean(axis=0)
        np.testing.assert_allclose(shares, levels, atol=0.06)


def test_the_first_quantiles_are_a_normal_distributions():
    """Before training, with all weights zero, whatever the number of levels."""
    levels = np.linspace(0.01, 0.99, 99).tolist()
    model = small(quantile=levels).initialize(X, Y)
    for array in model.layers_["output"].values():
        array[...] = 0
    from scipy import stats

    wanted = stats.norm(Y.mean(), Y.std()).ppf(levels)
    np.testing.assert_allclose(model.predict_quantiles(X[:2]), [wanted, wanted], rtol=1e-6)


# --- training ------------------------------------------------------------------------------------


def test_the_loss_is_the_mean_pinball_loss():
    model = MLPRegressor(random_state=0, max_iter=5, **QUANTILES)
    model.fit(X[:300], Y[:300], X_val=X[300:], y_val=Y[300:])
    found = model.predict_quantiles(X[300:]).T
    losses = [mean_pinball_loss(Y[300:], q, alpha=a) for a, q in zip(LEVELS, found, strict=True)]
    assert model.history_["val_loss"][-1] == pytest.approx(np.mean(losses))
    assert model.validation_scores_[-1] == pytest.approx(r2_score(Y[300:], found[2]))


@pytest.mark.parametrize("scoring", [None, "loss", "neg_mean_absolute_error"])
def test_early_stopping(scoring):
    model = small(early_stopping=True, n_iter_no_change=3, max_iter=300, scoring=scoring)
    model.fit(X, Y)
    assert model.n_iter_ < 300
    assert len(model.validation_scores_) == model.n_iter_


@every_kind
def test_resumed_training_is_uninterrupted_training(kind, tmp_path):
    samples, y = data(kind)
    options = dict(QUANTILES)
    if kind == "TabularRegressor":  # its schedules depend on the planned number of epochs
        options |= {"n_networks": 1, "dropout": 0.0, "weight_decay": 0.0}
    whole = make(kind, max_iter=6, learning_rate="constant", **options).fit(samples, y)
    part = make(kind, max_iter=3, learning_rate="constant", warm_start="resume", **options)
    part.fit(samples, y).save(tmp_path / "model")
    for model in (part, load(tmp_path / "model")):
        model.set_params(max_iter=6).fit(samples, y)
        found, wanted = model.predict_quantiles(samples), whole.predict_quantiles(samples)
        np.testing.assert_array_equal(flat(found), flat(wanted))


def test_partial_fit_and_warm_starts():
    model = small()
    for _ in range(40):
        model.partial_fit(X, Y)
    assert (np.diff(model.predict_quantiles(X), axis=1) >= 0).all()
    before = model.score(X, Y)
    assert model.set_params(warm_start=True, max_iter=20).fit(X, Y).score(X, Y) > before - 0.1
    with pytest.raises(ValueError, match="The fitted weights have shapes"):
        model.set_params(quantile=[0.1, 0.5, 0.9]).fit(X, Y)


def test_several_restarts():
    model = small(n_restarts=3, max_iter=4).fit(X, Y)
    assert (np.diff(model.predict_quantiles(X), axis=1) >= 0).all()


# --- copies, parameters --------------------------------------------------------------------------


@every_kind
def test_copies_predict_the_same(kind, tmp_path):
    samples, _ = data(kind)
    model = fitted(kind, conformal_fraction=0.5, **{**QUANTILES, "quantile": [0.25, 0.5, 0.75]})
    wanted = flat(model.predict_quantiles(samples))
    model.save(tmp_path / "whole")
    model.save(tmp_path / "part", training_state=False)
    for other in (
        copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model)),
        load(tmp_path / "whole"), load(tmp_path / "part"),
    ):  # fmt: skip
        np.testing.assert_array_equal(flat(other.predict_quantiles(samples)), wanted)
    again = clone(model).fit(*data(kind))
    np.testing.assert_array_equal(flat(again.predict_quantiles(samples)), wanted)


@pytest.mark.parametrize(
    "changes", [{"quantile": 0.9}, {"loss": "squared_error"}, {"quantile": [0.9, 0.1]}]
)
def test_parameters_set_after_fit_change_no_prediction(changes, tmp_path):
    model = small(max_iter=2).fit(X, Y)
    wanted = model.predict_quantiles(X)
    model.set_params(**changes).save(tmp_path / "model")
    for one in (model, load(tmp_path / "model")):
        np.testing.assert_array_equal(one.predict_quantiles(X), wanted)


def test_a_changed_loss_object_changes_no_prediction():
    model = small(loss=Quantile(LEVELS), max_iter=2).fit(X, Y)
    wanted = model.predict_quantiles(X)
    model.loss.set_params(quantile=[0.5, 0.6])
    np.testing.assert_array_equal(model.predict_quantiles(X), wanted)


@every_kind
def test_only_with_this_loss(kind):
    assert not hasattr(make(kind), "predict_quantiles")
    assert not hasattr(fitted(kind), "predict_quantiles")
    for loss in ("quantile", Quantile([0.1, 0.5])):
        assert hasattr(make(kind, loss=loss), "predict_quantiles")
    with pytest.raises(AttributeError, match="predict_quantiles"):
        fitted(kind).set_params(loss="quantile").predict_quantiles(data(kind)[0])


def test_in_a_pipeline_and_a_search():
    pipeline = make_pipeline(StandardScaler(), small(max_iter=3))
    grid = {"neuralnetworkregressor__quantile": [[0.1, 0.5, 0.9], [0.2, 0.5, 0.8]]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, Y)
    model = search.best_estimator_
    assert model[-1].predict_quantiles(model[:-1].transform(X)).shape == (400, 3)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([], r"quantile=\[\] has no level; use ascending levels in \(0, 1\), such as"),
        ([0.1, 1.0], r"quantile=\[0.1, 1.0\] has the level 1.0; use ascending levels"),
        ([0.0, 0.5], r"has the level 0.0; use"),
        ([0.1, "a"], r"has the level 'a'; use"),
        ([0.1, np.nan], r"has the level nan; use"),
        ([0.1, True], r"has the level True; use"),
        (np.array([[0.1, 0.5]]), r"has the level array\(\[0.1, 0.5\]\); use"),
        ([0.5, 0.1], r"quantile=\[0.5, 0.1\] is not ascending; use quantile=\[0.1, 0.5\]"),
        ((0.5, 0.5), r"quantile=\(0.5, 0.5\) holds a level twice; use quantile=\[0.5\]"),
    ],
)
def test_invalid_levels(levels, message):
    for parameters in ({"quantile": levels}, {"loss": Quantile(levels)}):
        with pytest.raises(ValueError, match=message):
            small(**parameters).fit(X, Y)


@every_kind
def test_levels_need_this_loss(kind):
    with pytest.raises(ValueError, match=r"quantile=\[0.1, 0.5\] needs loss='quantile', not loss="):
        fitted(kind, quantile=[0.1, 0.5])


def test_arrays_and_tuples_are_lists():
    wanted = small(max_iter=2).fit(X, Y).predict_quantiles(X)
    for levels in (tuple(LEVELS), np.array(LEVELS), [np.float64(level) for level in LEVELS]):
        model = clone(small(max_iter=2, quantile=levels)).fit(X, Y)
        np.testing.assert_array_equal(model.predict_quantiles(X), wanted)


# --- inspection and transfer ---------------------------------------------------------------------


def test_saliency_is_the_gradient_of_the_prediction():
    y = np.c_[1e3 * Y, Y - 50]
    model = small(max_iter=10, quantile=[0.1, 0.5, 0.6, 0.9]).fit(X, y)
    for target in (0, 1):
        for j in range(2):
            step = np.zeros(2)
            step[j] = 1e-6
            rise = (model.predict(X[:9] + step) - model.predict(X[:9] - step))[:, target] / 2e-6
            found = saliency_map(model, X[:9], target=target)[:, j]
            np.testing.assert_allclose(found, rise, rtol=1e-5, atol=1e-4)


def test_copied_networks_predict_the_same_middle():
    model = small(max_iter=10).fit(X, Y)
    other = small().initialize(X, 100 * Y + 3).from_pretrained(model)
    np.testing.assert_allclose(other.predict(X), model.predict(X), rtol=1e-6)
    other = small().initialize(X, Y).from_pretrained(model)
    np.testing.assert_array_equal(other.predict_quantiles(X), model.predict_quantiles(X))


# --- calibration ---------------------------------------------------------------------------------


def naive_offset(errors, level):
    """The bound of split conformal prediction, from its definition (Romano et al., 2019)."""
    if level == 0.5:
        return 0.0
    if level < 0.5:
        return -naive_offset([-e for e in errors], 1 - level)
    ranked = sorted(errors)
    rank = next(k for k in range(1, len(ranked) + 1) if k >= level * (len(ranked) + 1) - 1e-9)
    return ranked[rank - 1]


def test_offsets_are_those_of_the_definition():
    for n in (19, 20, 99, 100, 137):
        errors = RNG.standard_normal((n, 2, 5)).round(1)
        levels = (0.05, 0.3, 0.5, 0.75, 0.95)
        wanted = [
            [naive_offset(errors[:, k, j].tolist(), level) for j, level in enumerate(levels)]
            for k in range(2)
        ]
        np.testing.assert_array_equal(offsets(errors, levels), wanted)
        np.testing.assert_array_equal(offsets(errors, levels, np.full(n, 0.3)), wanted)
        kept = RNG.permutation(np.r_[np.ones(n), np.zeros(30)])
        more = np.zeros((n + 30, 2, 5))
        more[kept > 0] = errors
        np.testing.assert_array_equal(offsets(more, levels, kept), wanted)


def test_weights_count_rows():
    """Of many rows; one more row counts as much as a mean one, not as a copy."""
    errors = RNG.standard_normal((2000, 1, 2))
    counts = RNG.integers(1, 4, 2000)
    found = offsets(errors, (0.1, 0.9), counts)
    wanted = offsets(np.repeat(errors, counts, axis=0), (0.1, 0.9))
    np.testing.assert_allclose(found, wanted, atol=0.02)


def test_coverage_whatever_the_network_predicts():
    """On new rows, of a network that has hardly been trained, for targets far from unit size."""
    rng = np.random.default_rng(0)
    rows = rng.uniform(-2, 2, (6000, 2))
    y = 20 * (rows[:, 0] + (0.2 + np.abs(rows[:, 1])) * rng.standard_normal(6000))
    inside = {}
    for share in (0.0, 0.5):
        below = []
        for seed in range(3):
            model = MLPRegressor(
                "quantile", 8, quantile=[0.05, 0.5, 0.95], conformal_fraction=share, max_iter=2,
                random_state=seed,
            )  # fmt: skip
            part = rng.permutation(2000)[:800]
            model.fit(rows[part], y[part])
            below.append(y[2000:, np.newaxis] < model.predict_quantiles(rows[2000:]))
        low, _, high = np.mean(below, axis=(0, 1))
        inside[share] = high - low
    assert inside[0.0] < 0.5
    assert inside[0.5] == pytest.approx(0.9, abs=0.03)


def test_rows_that_are_set_aside_are_not_trained_on():
    model = small(conformal_fraction=0.25, max_iter=5).fit(X, Y)
    rows = model._set_aside
    assert rows.size == 100 == len(set(rows.tolist()))
    other = Y.copy()
    other[rows] += 1e3
    changed = small(conformal_fraction=0.25, max_iter=5).fit(X, other)
    for name, arrays in model.layers_.items():
        for key, array in arrays.items():
            np.testing.assert_array_equal(array, changed.layers_[name][key])
    np.testing.assert_array_equal(changed.predict(X), model.predict(X))  # the median
    assert (changed.predict_quantiles(X)[:, 3] > model.predict_quantiles(X)[:, 3] + 900).all()


@pytest.mark.parametrize("levels", [[0.1, 0.5, 0.9], [0.3, 0.4], [0.6, 0.7, 0.8], 0.9, 0.2])
def test_calibrated_levels_hold_on_the_rows_set_aside(levels):
    """Up to one row, for levels that would not cross."""
    model = small(quantile=levels, conformal_fraction=0.25, max_iter=60).fit(X, Y)
    rows = model._set_aside
    found = model.predict_quantiles(X[rows])
    for level, share in zip(np.ravel(levels), (Y[rows, None] <= found).mean(axis=0), strict=True):
        if level > 0.5:
            assert share >= level
        if level < 0.5:
            assert share <= level + 0.011
    middle = Quantile(levels).predicted
    np.testing.assert_array_equal(model.predict(X[rows]), found[:, middle])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_calibrated_quantiles_never_cross(dtype):
    """Also where the offsets alone would cross them: nearly constant widths, far apart."""
    model = MLPRegressor(dtype=dtype, max_iter=2, random_state=0, **QUANTILES).fit(X, Y)
    model._codec.offsets = np.array([[3.0, -2.0, 0.0, -5.0]])
    found = model.predict_quantiles(X)
    assert found.dtype == dtype
    assert (np.diff(found, axis=1) >= 0).all()
    plain = copy.deepcopy(model)
    del plain._codec.offsets
    np.testing.assert_array_equal(found[:, 2], plain.predict(X))


FORMS = {
    "list": lambda a: a.tolist(),
    "csr": sparse.csr_matrix,
    "coo": sparse.coo_matrix,
    "fortran": np.asfortranarray,
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_x(form):
    wanted = small(conformal_fraction=0.25, max_iter=2).fit(X, Y).predict_quantiles(X)
    model = small(conformal_fraction=0.25, max_iter=2).fit(FORMS[form](X), Y.tolist())
    np.testing.assert_allclose(model.predict_quantiles(X), wanted, rtol=1e-12)


def test_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b"], index=np.arange(400) + 7)
    model = TabularRegressor(
        n_networks=1, hidden_layer_sizes=(8,), max_iter=2, random_state=0, conformal_fraction=0.25,
        **QUANTILES,
    )  # fmt: skip
    wanted = clone(model).fit(X, Y).predict_quantiles(X)
    model.fit(frame, pandas.Series(Y, index=frame.index))
    assert list(model.feature_names_in_) == ["a", "b"]
    np.testing.assert_array_equal(model.predict_quantiles(frame), wanted)


def test_rows_set_aside_stay_set_aside(tmp_path):
    """In resumed and warm fits of as many rows; a new fit draws others."""
    model = small(conformal_fraction=0.25, max_iter=3, warm_start="resume").fit(X, Y)
    rows = model._set_aside
    model.save(tmp_path / "model")
    whole = small(conformal_fraction=0.25, max_iter=6).fit(X, Y)
    for other in (model, load(tmp_path / "model")):
        other.set_params(max_iter=6).fit(X, Y)
        np.testing.assert_array_equal(other._set_aside, rows)
        np.testing.assert_array_equal(other.predict_quantiles(X), whole.predict_quantiles(X))
    warm = model.set_params(warm_start=True).fit(X, Y)
    np.testing.assert_array_equal(warm._set_aside, rows)
    assert warm.fit(X[:300], Y[:300])._set_aside.size == 75
    fresh = model.set_params(warm_start=False, random_state=1).fit(X, Y)
    assert set(fresh._set_aside) != set(rows)


def test_further_training_forgets_the_offsets():
    model = small(conformal_fraction=0.25, max_iter=3).fit(X, Y)
    assert model._codec.offsets.shape == (1, 4)
    model.set_params(conformal_fraction=0.0).partial_fit(X, Y)
    assert not hasattr(model._codec, "offsets")


def test_weights_of_rows_set_aside():
    weight = np.ones(400)
    model = small(conformal_fraction=0.25, max_iter=2).fit(X, Y, weight)
    rows = model._set_aside
    weight[rows[:50]] = 0
    y = Y.copy()
    y[rows[:50]] = 1e6
    model = small(conformal_fraction=0.25, max_iter=2).fit(X, y, weight)
    assert np.abs(model.predict_quantiles(X)).max() < 100
    weight[rows] = 0
    with pytest.raises(ValueError, match=r"non-zero|zero for every row"):
        small(conformal_fraction=0.25, max_iter=2).fit(X, y, weight)


def test_invalid_calibration():
    with pytest.raises(ValueError, match=r"conformal_fraction=0.2 calibrates .* loss='huber'"):
        MLPRegressor("huber", conformal_fraction=0.2).fit(X, Y)
    with pytest.raises(ValueError, match=r"holds out 20 rows, but the level 0.01 needs .* 99"):
        small(quantile=[0.01, 0.9], conformal_fraction=0.05).fit(X, Y)
    with pytest.raises(ValueError, match=r"conformal_fraction=0.2 is for fit: partial_fit"):
        small(conformal_fraction=0.2).partial_fit(X, Y)
    with pytest.raises(ValueError, match="conformal_fraction"):
        small(conformal_fraction=1.0).fit(X, Y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        small(conformal_fraction=0.2).fit(X, Y[:-1])
    with pytest.raises(ValueError, match="requires y to be passed"):
        small(conformal_fraction=0.2).fit(X, None)


def test_forged_offsets(tmp_path):
    model = small(conformal_fraction=0.25, max_iter=2).fit(X, Y)
    for forged in (np.zeros((1, 3)), np.full((1, 4), np.nan), np.zeros(4)):
        model._codec.offsets = forged
        model.save(tmp_path / "model")
        with pytest.raises(ValueError, match="offsets"):
            load(tmp_path / "model")
