"""Estimators for tables: what they take, what they promise, and how they are trained."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
)

from helpers.learning import learning, median
from sklearn_nn import TabularClassifier, TabularRegressor, load, load_checkpoint
from sklearn_nn.estimators._core.fitted_network import publish_network
from sklearn_nn.estimators._core.parts import FitMode
from sklearn_nn.estimators._inputs.table import reader as table_reader
from sklearn_nn.estimators.tabular.architecture import RECIPES
from sklearn_nn.estimators.tabular.fit import TableFit
from sklearn_nn.training import (
    CheckpointError,
    Cosine,
    LambdaCallback,
    ModelCheckpoint,
    ProgressBar,
)
from sklearn_nn.training.losses import Huber

pd = pytest.importorskip("pandas")

N = 360
CITIES = [f"city{k:02}" for k in range(14)]
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "size": RNG.normal(size=N),
        "age": RNG.integers(0, 90, N),
        "kind": RNG.choice(["a", "b", "c"], N),
        "city": RNG.choice(CITIES, N),
        "new": RNG.random(N) < 0.4,
    }
)
NUMBERS = (
    np.sin(2 * TABLE["size"]) + (TABLE["kind"] == "b") + 0.02 * TABLE["age"] * TABLE["new"]
).to_numpy()
CLASSES = np.array(["low", "mid", "top"])[np.digitize(NUMBERS, [0.2, 1.0])]
TABLE.loc[::9, "size"] = np.nan
TABLE.loc[1::11, "kind"] = None

SMALL = {
    "realmlp": {"hidden_layer_sizes": (16, 16), "max_iter": 10, "n_networks": 1},
    "tabm": {"hidden_layer_sizes": (16, 16), "max_iter": 6, "n_members": 4, "n_networks": 1},
}
#: An estimator and the target that it learns.
BOTH = [(TabularClassifier, CLASSES), (TabularRegressor, NUMBERS)]
both = pytest.mark.parametrize(("Estimator", "y"), BOTH, ids=["classifier", "regressor"])
architectures = pytest.mark.parametrize("architecture", sorted(RECIPES))


def make(Estimator=TabularClassifier, architecture="realmlp", **parameters):
    options = {"random_state": 0, "batch_size": 64, **SMALL[architecture]}
    return Estimator(architecture, **{**options, **parameters})


def outputs(model, X=TABLE):
    return model.predict_proba(X) if hasattr(model, "classes_") else model.predict(X)


def without_seconds(history):
    return {name: curve for name, curve in history.items() if name != "seconds"}


# --- what comes in -----------------------------------------------------------------------------


def _variants():
    """The same table in other types and forms."""
    yield "categories", TABLE.astype({"kind": "category", "city": "category"})
    yield "strings", TABLE.astype({"kind": "string", "city": "string", "new": "boolean"})
    yield "nullable", TABLE.astype({"size": "Float64", "age": "Int64"})
    yield "objects", TABLE.astype(object)
    yield "columns", TABLE[["new", "city", "size", "kind", "age"]]
    yield "index", TABLE.set_axis(np.arange(N)[::-1] * 3)
    yield "truth as category", TABLE.assign(new=TABLE["new"].astype("category"))


@both
def test_any_types_and_order_of_columns_are_the_same_table(Estimator, y):
    expected = outputs(make(Estimator).fit(TABLE, y))
    assert np.isfinite(expected).all()
    for name, table in _variants():
        before = table.copy()
        model = make(Estimator).fit(table, y)
        assert table.equals(before), name
        np.testing.assert_array_equal(outputs(model, TABLE), outputs(model, table), name)
        assert model.feature_names_in_.tolist() == list(table.columns)
        if name != "columns":  # whose weights are drawn for inputs in another order
            np.testing.assert_array_equal(outputs(model), expected, name)


def test_arrow_and_polars():
    expected = outputs(make().fit(TABLE, CLASSES))
    cells, tables = TABLE.astype(object).where(TABLE.notna(), None), []
    for library, convert in (
        ("pyarrow", lambda _: TABLE.convert_dtypes(dtype_backend="pyarrow")),
        ("polars", lambda polars: polars.DataFrame(cells.to_dict("list"))),
    ):
        try:
            tables.append(convert(__import__(library)))
        except ImportError:
            continue
    if not tables:
        pytest.skip("neither pyarrow nor polars is installed")
    for table in tables:
        np.testing.assert_array_equal(outputs(make().fit(table, CLASSES), table), expected)


@both
def test_arrays_and_lists(Estimator, y):
    """Columns without names, and text among numbers."""
    expected = outputs(make(Estimator).fit(TABLE, y))
    array = TABLE.to_numpy(dtype=object)
    for X in (array, array.tolist(), np.asfortranarray(array)):
        model = make(Estimator).fit(X, y)
        np.testing.assert_array_equal(outputs(model, X), expected)
        assert not hasattr(model, "feature_names_in_")
    numbers = TABLE[["size", "age"]].to_numpy()
    model = make(Estimator).fit(numbers, y)
    assert model.encoder_.n_numbers_ == 2
    assert np.isfinite(outputs(model, numbers)).all()


def test_columns_that_are_told_to_be_categories():
    by_name = make(categorical_features=["age", "kind", "city", "new"]).fit(TABLE, CLASSES)
    assert by_name.encoder_.is_categorical_.tolist() == [False, True, True, True, True]
    assert len(by_name.encoder_.cardinalities_) == 2  # age and city
    by_place = make(categorical_features=[1, 2, 3, 4]).fit(TABLE, CLASSES)
    np.testing.assert_array_equal(outputs(by_name), outputs(by_place))
    with pytest.raises(ValueError, match="'nothing', which is not a column of X"):
        make(categorical_features=["nothing"]).fit(TABLE, CLASSES)


@both
@pytest.mark.filterwarnings("ignore:Column .* holds categories that fit did not see")
def test_missing_values_and_new_categories(Estimator, y):
    """Both are known for what they are; a new category is as a missing one."""
    model = make(Estimator).fit(TABLE, y)
    strange = TABLE.assign(kind="none of them", city="nowhere")
    missing = TABLE.assign(kind=None, city=None)
    np.testing.assert_array_equal(outputs(model, strange), outputs(model, missing))
    nothing = TABLE.assign(size=np.nan, age=np.nan, kind=None, city=None, new=None)
    assert np.isfinite(outputs(model, nothing)).all()
    assert len(np.unique(outputs(model, nothing), axis=0)) == 1
    # Where numbers are missing is an input of its own.
    median = TABLE.assign(size=TABLE["size"].median())
    unlike = outputs(model, TABLE.assign(size=np.nan)) != outputs(model, median)
    assert unlike.mean() > 0.9


def test_tables_that_do_not_suit():
    model = make().fit(TABLE, CLASSES)
    with pytest.raises(ValueError, match="yet now missing:\n- age"):
        model.predict(TABLE.drop(columns="age"))
    with pytest.raises(ValueError, match="unseen at fit time:\n- other"):
        model.predict(TABLE.assign(other=1))
    with pytest.raises(ValueError, match=r"infinity .*'age'"):
        model.predict(TABLE.assign(age=np.inf))
    dates = TABLE.assign(day=pd.Timestamp("2020-01-01"))
    with pytest.raises(ValueError, match=r"'day'.*dates?"):
        make().fit(dates, CLASSES)
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        make().fit(sparse.csr_array(np.eye(N)), CLASSES)
    with pytest.raises(NotFittedError):
        make().predict(TABLE)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make().fit(TABLE, CLASSES[1:])


@pytest.mark.parametrize(
    "kind", ["object", "category", "string", "int", "Int64", "bool", "boolean"]
)
def test_types_of_labels(kind):
    codes = np.unique(CLASSES, return_inverse=True)[1]
    labels = {
        "int": codes - 7, "Int64": pd.array(codes, dtype="Int64"), "bool": codes > 0,
        "boolean": pd.array(codes > 0, dtype="boolean"),
    }.get(kind, pd.Series(CLASSES).astype(kind) if kind[0] in "ocs" else None)  # fmt: skip
    model = make().fit(TABLE, labels)
    predicted = model.predict(TABLE)
    assert set(predicted) <= set(np.unique(np.asarray(labels)))
    assert model.score(TABLE, labels) == np.mean(predicted == np.asarray(labels))
    assert outputs(model).shape == (N, len(model.classes_))


@both
def test_validation_tables(Estimator, y):
    """A frame of its own, whose columns stand in another order, takes the place of the split."""
    train, val = TABLE[:240], TABLE[240:]
    model = make(Estimator).fit(train, y[:240], X_val=val[val.columns[::-1]], y_val=y[240:])
    losses = model.history_["val_loss"]
    assert -model.best_validation_score_ == losses[model.best_iteration_ - 1]
    own = make(Estimator, scoring=None)
    own.fit(train, y[:240], X_val=val, y_val=y[240:])
    score = own.score(val, y[240:])
    np.testing.assert_allclose(own.best_validation_score_, score, rtol=1e-4, atol=1e-4)
    assert model._held_out is None
    with pytest.raises(ValueError, match=r"(?s)validation set .*yet now missing:\n- age"):
        make(Estimator).fit(train, y[:240], X_val=val.drop(columns="age"), y_val=y[240:])
    with pytest.raises(ValueError, match="y_val was not provided"):
        make(Estimator).fit(train, y[:240], X_val=val)


@both
@architectures
def test_predicts_rows_in_blocks_as_one_by_one(Estimator, y, architecture, monkeypatch):
    model = make(Estimator, architecture).fit(TABLE, y)
    expected = outputs(model)
    single = np.concatenate([outputs(model, TABLE[i : i + 1]) for i in range(0, N, 50)])
    np.testing.assert_array_equal(single, expected[::50])
    monkeypatch.setattr(table_reader, "BLOCK_BYTES", 2000)
    assert len(list(model._outputs(TABLE))) > 10
    np.testing.assert_array_equal(outputs(model), expected)


# --- what is promised --------------------------------------------------------------------------


@both
@architectures
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_to_the_last_bit_for_any_number_of_threads(Estimator, y, architecture, dtype):
    models = [
        make(Estimator, architecture, n_jobs=jobs, dtype=dtype).fit(TABLE, y) for jobs in (1, 2, 3)
    ]
    assert models[0]._network.theta.dtype == dtype
    for model in models[1:]:
        np.testing.assert_array_equal(model._network.theta, models[0]._network.theta)
        np.testing.assert_array_equal(outputs(model), outputs(models[0]))
    other = make(Estimator, architecture, dtype=dtype, random_state=1).fit(TABLE, y)
    assert not np.array_equal(other._network.theta, models[0]._network.theta)


@learning
@both
@architectures
def test_learns(Estimator, y, architecture):
    """Much better than the linear part: a sine, and a product with a truth value."""
    options = {"batch_size": 32, "hidden_layer_sizes": (64, 64), "max_iter": 60, "n_networks": 1}
    options |= {} if architecture == "realmlp" else {"n_members": 8}

    def score(seed):
        model = Estimator(architecture, random_state=seed, **options)
        return model.fit(TABLE[:240], y[:240]).score(TABLE[240:], y[240:])

    assert median(score) > 0.7


@both
def test_a_weight_is_as_many_rows(Estimator, y):
    """To the last bit where all rows make one batch, whatever their order."""
    rows = np.random.default_rng(1).integers(0, 4, 90)
    weighted = make(Estimator, batch_size=256).fit(TABLE[:90], y[:90], rows)
    repeated = np.random.default_rng(2).permutation(np.repeat(np.arange(90), rows))
    assert 100 < len(repeated) < 256
    model = make(Estimator, batch_size=256).fit(TABLE.iloc[repeated], y[repeated])
    np.testing.assert_array_equal(model._network.theta, weighted._network.theta)
    np.testing.assert_array_equal(outputs(model), outputs(weighted))
    plain = make(Estimator, batch_size=256).fit(TABLE[:90], y[:90])
    assert not np.array_equal(plain._network.theta, weighted._network.theta)


@both
def test_rows_of_weight_zero_are_none(Estimator, y):
    """Nor are their categories, numbers and targets seen."""
    weight = np.ones(N)
    weight[200:] = 0
    strange = TABLE.copy()
    strange.loc[200:, "city"] = "of no weight"
    strange.loc[200:, "age"] = 10**6
    model, without = make(Estimator).fit(strange, y, weight), make(Estimator)
    without.fit(TABLE[:200], y[:200])
    np.testing.assert_array_equal(model._network.theta, without._network.theta)
    np.testing.assert_array_equal(outputs(model), outputs(without))
    with pytest.raises(ValueError, match="zero"):
        make(Estimator).fit(TABLE, y, np.zeros(N))


@both
@architectures
@pytest.mark.parametrize("n_networks", [1, 2])
def test_copies_predict_the_same(Estimator, y, architecture, n_networks, tmp_path):
    model = make(Estimator, architecture, n_networks=n_networks).fit(TABLE, y)
    expected = outputs(model)
    model.save(tmp_path / "model.npz")
    for copied in (
        pickle.loads(pickle.dumps(model)),
        load(tmp_path / "model.npz"),
        Estimator.load(tmp_path / "model.npz"),
    ):
        np.testing.assert_array_equal(outputs(copied), expected)
        assert copied.encoder_.get_feature_names_out().tolist() == (
            model.encoder_.get_feature_names_out().tolist()
        )
        assert copied.get_params() == model.get_params()
        assert copied.history_ == model.history_
    fresh = clone(model)
    assert not hasattr(fresh, "encoder_")
    np.testing.assert_array_equal(outputs(fresh.fit(TABLE, y)), expected)


def test_files_of_something_else(tmp_path):
    """What cannot have been learnt is told when it is loaded."""
    model = make(TabularRegressor).fit(TABLE, NUMBERS)
    network = model._network
    for part, name, value in (
        ("_codec", "scale", np.zeros((4, 1))),
        ("_codec", "scale", np.ones((4, 2))),
        ("_reader", "learnt", lambda: {"encoder": {"columns": []}, "bins": None}),
        (None, "_earlier", [network.with_weights(np.zeros(3, np.float32), network.state)]),
        (None, "_earlier", [network.with_weights(network.theta * np.nan, network.state)]),
        (None, "_chosen", {}),
    ):
        forged = pickle.loads(pickle.dumps(model))
        setattr(forged if part is None else getattr(forged, part), name, value)
        forged.save(tmp_path / "forged.npz")
        with pytest.raises(CheckpointError):
            load(tmp_path / "forged.npz")
    classifier = make().fit(TABLE, CLASSES)
    classifier._temperatures = [-1.0]
    classifier.save(tmp_path / "forged.npz")
    with pytest.raises(CheckpointError, match="temperature"):
        load(tmp_path / "forged.npz")


@both
@architectures
@pytest.mark.parametrize("n_networks", [1, 3])
@pytest.mark.parametrize("refit_full", [False, True])
def test_goes_on_as_if_there_had_been_no_interruption(
    Estimator, y, architecture, refit_full, n_networks, tmp_path
):
    """From a checkpoint of any epoch of any network; of two trainings, from one of the first."""
    saver = ModelCheckpoint(tmp_path / "{epoch:02d}-{val_loss:.6f}.npz")
    options = {"refit_full": refit_full, "n_networks": n_networks, "callbacks": [saver]}
    model = make(Estimator, architecture, **options).fit(TABLE, y)
    files = sorted(tmp_path.iterdir())
    assert len(files) == SMALL[architecture]["max_iter"] * n_networks
    for file in (files[0], files[1], files[len(files) // 2], files[-1]):
        resumed = load_checkpoint(file).set_params(callbacks=None).fit(TABLE, y)
        np.testing.assert_array_equal(resumed._network.theta, model._network.theta)
        np.testing.assert_array_equal(outputs(resumed), outputs(model))
        assert without_seconds(resumed.history_) == without_seconds(model.history_)


@both
@pytest.mark.filterwarnings("ignore:Column .* holds categories that fit did not see")
def test_warm_starts(Estimator, y):
    """Columns, categories and scale are those of the first fit."""
    model = make(Estimator, warm_start="resume", max_iter=4, learning_rate="constant")
    model.fit(TABLE, y).set_params(max_iter=9).fit(TABLE, y)
    straight = make(Estimator, max_iter=9, learning_rate="constant", weight_decay=0.0)
    straight.fit(TABLE, y)
    assert model.n_iter_ == 9
    warm = make(Estimator, warm_start=True).fit(TABLE, y)
    encoder = warm.encoder_
    warm.fit(TABLE.assign(city="elsewhere"), y)
    assert warm.encoder_ is encoder
    assert warm.n_iter_ == 10
    assert len(warm.history_["loss"]) == 20
    with pytest.raises(ValueError, match="refit_full=True begins again"):
        warm.set_params(refit_full=True).fit(TABLE, y)


# --- several networks --------------------------------------------------------------------------


@both
@architectures
def test_several_networks_predict_their_mean(Estimator, y, architecture, tmp_path):
    model = make(Estimator, architecture, n_networks=3).fit(TABLE, y)
    assert len(model.histories_) == len(model._earlier) + 1 == 3
    assert model.histories_[-1] == model.history_
    first = make(Estimator, architecture).fit(TABLE, y)
    np.testing.assert_array_equal(model._earlier[0].theta, first._network.theta)
    single = []
    for k, network in enumerate([*model._earlier, model._network]):
        one = pickle.loads(pickle.dumps(model))
        one._earlier = []
        if hasattr(model, "temperatures_"):
            one._temperatures = [model.temperatures_[k]]
        publish_network(one, network)
        single.append(outputs(one))
    np.testing.assert_array_equal(single[0], outputs(first))
    assert not np.allclose(single[1], single[2])
    np.testing.assert_allclose(outputs(model), np.mean(single, axis=0), rtol=1e-5, atol=1e-6)
    for n_jobs in (2, 3):
        other = make(Estimator, architecture, n_networks=3, n_jobs=n_jobs).fit(TABLE, y)
        np.testing.assert_array_equal(outputs(other), outputs(model))
    assert "3, each as above" in str(model.summary())
    before = outputs(model)
    model.layers_["output"]["bias"][..., 0] += 1
    assert not np.allclose(outputs(model), before)
    np.testing.assert_array_equal(outputs(model.fit(TABLE, y)), before)


@both
def test_networks_hold_out_rows_of_their_own(Estimator, y):
    """Each row once, before any is held out again."""
    model = make(Estimator, max_iter=1).fit(TABLE, y)
    target = model._codec.encode(y)
    seen = []
    for k in range(10):
        model._earlier = [None] * k
        fit = TableFit(model, FitMode.FRESH, TABLE, y)
        train, held_out = fit.split(target)
        assert sorted([*train, *held_out]) == list(range(N))
        seen.append(set(held_out))
    assert seen[0] == set(model._held_out)
    assert set.union(*seen[:5]) == set.union(*seen[5:]) == set(range(N))
    assert sum(map(len, seen)) == 2 * N
    assert seen[0] != seen[5]


def test_several_networks_and_warm_starts():
    with pytest.raises(ValueError, match="continues from one network, not n_networks=2"):
        make(n_networks=2, warm_start=True).fit(TABLE, CLASSES)
    model = make(n_networks="auto", warm_start=True).fit(TABLE, CLASSES)
    assert model.recipe_["n_networks"] == 1
    assert make(n_networks="auto").fit(TABLE, CLASSES).recipe_["n_networks"] > 1


@both
def test_recipe_holds_the_values_in_use(Estimator, y, tmp_path):
    assert not hasattr(make(Estimator), "recipe_")
    set_by_user = {"max_iter": 3, "learning_rate_init": 0.01, "hidden_layer_sizes": 7}
    set_by_user |= {"learning_rate": Cosine(), "n_networks": 1}
    model = make(Estimator, **set_by_user).fit(TABLE, y)
    for name, value in set_by_user.items():
        assert model.recipe_[name] == value
    automatic = [name for name, value in model.get_params().items() if value == "auto"]
    assert automatic
    assert all(name in model.recipe_ and model.recipe_[name] != "auto" for name in automatic)
    model.save(tmp_path / "model.npz")
    assert load(tmp_path / "model.npz").recipe_ == model.recipe_
    model.set_params(max_iter="auto", n_networks="auto")  # back to what the recipe has
    assert model.recipe_["max_iter"] > 3


def test_there_is_no_partial_fit():
    assert not hasattr(TabularClassifier, "partial_fit")
    assert not hasattr(TabularRegressor(), "partial_fit")


# --- the split, and the second training --------------------------------------------------------


def test_the_split_is_stratified():
    labels = np.repeat(["rare", "usual", "only"], [20, N - 21, 1])
    model = make(max_iter=1, validation_fraction=0.25).fit(TABLE, labels)
    held_out = labels[model._held_out]
    assert np.count_nonzero(held_out == "rare") == 5
    assert len(held_out) == 90
    assert "only" not in held_out
    assert len(set(model._held_out)) == 90
    other = make(max_iter=1, validation_fraction=0.25, random_state=1).fit(TABLE, labels)
    assert set(other._held_out) != set(model._held_out)


@both
def test_rows_held_out_are_not_trained_on(Estimator, y):
    model = make(Estimator, max_iter=1).fit(TABLE, y)
    assert model._held_out.size == 72
    assert model._order.size == N - 72
    assert not set(model._held_out) & set(model._order)


@both
def test_small_tables_are_not_split(Estimator, y):
    for n in (1, 2, 5):
        model = make(Estimator).fit(TABLE[:n], y[:n])
        assert model._held_out is None
        assert model.n_iter_ == 10
    model = make(Estimator).fit(TABLE[:30], y[:30])
    assert model._held_out.size == 6


@both
def test_the_best_epoch_is_kept(Estimator, y):
    model = make(Estimator, max_iter=25, scoring=None).fit(TABLE, y)
    scores = model.history_["val_score"]
    assert max(scores) == model.best_validation_score_ == scores[model.best_iteration_ - 1]
    held_out = model._held_out
    score = model.score(TABLE.iloc[held_out], y[held_out])
    np.testing.assert_allclose(score, max(scores), rtol=1e-4, atol=1e-4)
    # Of epochs as good, the last.
    assert max(scores) not in scores[model.best_iteration_ :]


@both
def test_stops_early_only_where_asked(Estimator, y):
    options = {"max_iter": 200, "learning_rate": "constant", "n_iter_no_change": 3}
    stopped = make(Estimator, early_stopping=True, **options).fit(TABLE, y)
    assert stopped.n_iter_ < 200
    assert stopped.n_iter_ >= stopped.best_iteration_ + 3
    for early_stopping in ("best", False):
        model = make(Estimator, early_stopping=early_stopping, **{**options, "max_iter": 60})
        assert model.fit(TABLE, y).n_iter_ == 60
    assert model._held_out is None


@both
def test_refit_full(Estimator, y):
    """Selection is as without it; then all rows are trained on for so many epochs."""
    plain = make(Estimator, max_iter=30, tol=0.02).fit(TABLE, y)
    model = make(Estimator, max_iter=30, tol=0.02, refit_full=True).fit(TABLE, y)
    assert plain.best_iteration_ < 30  # what comes later is better by less than tol
    assert without_seconds(model.histories_[0]) == without_seconds(plain.history_)
    assert model.n_iter_ == plain.best_iteration_
    assert "val_score" not in model.history_
    rates = plain.history_["learning_rate"][: model.n_iter_]
    # The schedule is that of the first training, though an epoch has more batches now.
    np.testing.assert_allclose(model.history_["learning_rate"], rates, rtol=0.3)
    assert sorted(model._order) == list(range(N))
    assert not np.array_equal(model._network.theta, plain._network.theta)
    again = make(Estimator, max_iter=30, tol=0.02, refit_full=True, n_jobs=2).fit(TABLE, y)
    np.testing.assert_array_equal(again._network.theta, model._network.theta)
    np.testing.assert_array_equal(again.fit(TABLE, y)._network.theta, model._network.theta)
    if Estimator is TabularClassifier:
        assert model.temperatures_ == plain.temperatures_ != 1
    whole = make(Estimator, max_iter=30, tol=0.02, refit_full=True, early_stopping=False).fit(
        TABLE, y
    )
    assert whole.n_iter_ == 30
    assert len(whole.histories_) == 1


def test_scoring():
    for tol in (0.0, 0.2):
        by_loss = make(scoring="loss", max_iter=20, tol=tol).fit(TABLE, CLASSES)
        losses, best = by_loss.history_["val_loss"], by_loss.best_iteration_
        assert losses[best - 1] == -by_loss.best_validation_score_
        # No later one is better by more than tol, and each earlier one is beaten by that.
        assert min(losses[best - 1 :]) >= losses[best - 1] - tol
        assert min(losses[: best - 1]) > losses[best - 1]
    assert best != 1 + np.argmin(losses)
    easy = make(scoring=None, max_iter=20).fit(TABLE, TABLE["size"].fillna(-9) > 0)
    scores = easy.history_["val_score"]
    assert scores.count(max(scores)) > 1  # of which the last is kept
    assert easy.best_iteration_ == len(scores) - scores[::-1].index(max(scores))
    named = make(scoring="neg_log_loss", calibrate=False, max_iter=20, label_smoothing=0.0)
    named.fit(TABLE, CLASSES)
    np.testing.assert_allclose(
        named.history_["val_score"], -np.array(named.history_["val_loss"]), rtol=1e-5
    )
    regressor = make(TabularRegressor, scoring="neg_root_mean_squared_error")
    regressor.fit(TABLE, 1000 * NUMBERS + 5000)
    held_out = regressor._held_out
    errors = regressor.predict(TABLE.iloc[held_out]) - (1000 * NUMBERS + 5000)[held_out]
    np.testing.assert_allclose(
        regressor.best_validation_score_, -np.sqrt(np.mean(errors**2)), rtol=1e-4
    )


# --- targets -----------------------------------------------------------------------------------


def test_targets_of_any_scale():
    model = make(TabularRegressor, dtype="float64").fit(TABLE, NUMBERS)
    for factor, shift in ((1e6, 0), (1e-5, 3), (1e-200, 0), (1e200, 0), (2, 1e7)):
        moved = make(TabularRegressor, dtype="float64").fit(TABLE, factor * NUMBERS + shift)
        expected = factor * model.predict(TABLE) + shift
        np.testing.assert_allclose(
            moved.predict(TABLE), expected, rtol=1e-6, atol=abs(factor) * 1e-4
        )
    constant = make(TabularRegressor).fit(TABLE, np.full(N, 0.1))
    np.testing.assert_array_equal(constant.predict(TABLE), 0.1)


@learning
def test_predictions_keep_to_the_range_of_targets():
    target = np.where(NUMBERS > 0.5, 40.0, -3.0)

    def at_an_end(seed):
        model = make(TabularRegressor, max_iter=40, random_state=seed).fit(TABLE, target)
        predicted = model.predict(TABLE)
        assert predicted.min() >= -3
        assert predicted.max() <= 40
        return np.mean(predicted == target)

    assert median(at_an_end) > 0.05


@learning
def test_several_targets():
    y = np.column_stack([NUMBERS, -5 * NUMBERS + 100])

    def score(seed):
        model = make(TabularRegressor, max_iter=60, random_state=seed).fit(TABLE, y)
        assert model.predict(TABLE).shape == (N, 2)
        return model.score(TABLE, y)

    assert median(score) > 0.7


@learning
@architectures
def test_several_labels(architecture):
    labels = np.column_stack([NUMBERS > 0, TABLE["new"]]).astype(int)

    def right(seed):
        model = make(architecture=architecture, max_iter=30, random_state=seed).fit(TABLE, labels)
        assert model.predict_proba(TABLE).shape == (N, 2)
        return (model.predict(TABLE) == labels).mean()

    assert median(right) > 0.8


@learning
def test_losses_of_numbers():
    counts = np.random.default_rng(3).poisson(np.exp(NUMBERS)) * 1000

    def mean(seed):
        poisson = make(TabularRegressor, loss="poisson", max_iter=40, random_state=seed)
        predicted = poisson.fit(TABLE, counts).predict(TABLE)
        assert (predicted > 0).all()
        return predicted.mean() / counts.mean()

    assert 0.6 < median(mean) < 1.5
    with pytest.raises(ValueError, match="needs y >= 0"):
        make(TabularRegressor, loss="poisson").fit(TABLE, NUMBERS)


@learning
def test_quantiles_of_numbers():
    noisy = 1000 * (NUMBERS + np.random.default_rng(4).exponential(2, N))
    options = {"loss": "quantile", "max_iter": 60, "early_stopping": False}

    def shares(seed):
        return [
            np.mean(noisy < make(TabularRegressor, quantile=q, random_state=seed, **options)
            .fit(TABLE, noisy).predict(TABLE))
            for q in (0.2, 0.8)
        ]  # fmt: skip

    low, high = median(shares)
    assert 0.1 < low < 0.3
    assert 0.7 < high < 0.9


@learning
@pytest.mark.parametrize("loss", ["absolute_error", Huber(0.01)], ids=str)
def test_losses_that_heed_outliers_less(loss):
    wild = NUMBERS.copy()
    wild[::17] = 1000

    def error(loss, seed):
        options = {"max_iter": 60, "early_stopping": False, "random_state": seed}
        model = make(TabularRegressor, loss=loss, **options).fit(TABLE, wild)
        return np.median(np.abs(model.predict(TABLE) - NUMBERS))

    assert median(lambda seed: error(loss, seed) / error("squared_error", seed)) < 0.5


@learning
def test_weights_of_classes():
    rare = np.where((NUMBERS > 1) & (np.random.default_rng(1).random(N) < 0.5), "yes", "no")

    def measured(seed):
        plain, balanced, focal = (
            make(max_iter=20, random_state=seed, **options).fit(TABLE, rare)
            for options in ({}, {"class_weight": "balanced"}, {"loss": "focal"})
        )
        of_rare = [(model.predict(TABLE) == "yes").sum() for model in (plain, balanced)]
        return of_rare[1] / max(1, of_rare[0]), focal.score(TABLE, rare)

    more, score = median(measured)
    assert more > 1.2
    assert score > 0.7


# --- calibration -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["three", "two", "several"])
@pytest.mark.parametrize("weighted", [False, True])
def test_temperature_is_that_of_the_least_loss(kind, weighted):
    """With a third of a row added of which any class is right."""
    y = {
        "three": CLASSES, "two": NUMBERS > 0.5,
        "several": np.column_stack([NUMBERS > 0, TABLE["new"]]).astype(int),
    }[kind]  # fmt: skip
    weight = np.random.default_rng(2).integers(1, 5, N).astype(float) if weighted else None
    options = {"max_iter": 60, "validation_fraction": 0.4}
    model, plain = (make(calibrate=c, **options).fit(TABLE, y, weight) for c in (True, False))
    assert plain.temperatures_ == [1] != model.temperatures_
    np.testing.assert_array_equal(model._network.theta, plain._network.theta)
    np.testing.assert_array_equal(model.predict(TABLE), plain.predict(TABLE))
    held_out = model._held_out
    own = None if weight is None else weight[held_out]

    p = plain.predict_proba(TABLE.iloc[held_out]).astype(np.float64)
    narrow = np.finfo(np.float32)
    p = np.clip(p, narrow.tiny, 1 - float(narrow.epsneg) / 2)

    def logs(temperature):
        """Of the probability of each class; of several labels, of a no and a yes to each."""
        if kind != "several":
            scaled = np.log(p) / temperature
            return scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)
        z = (np.log(p) - np.log(1 - p)) / temperature
        return -np.logaddexp(0, [z, -z])

    def loss(temperature):
        n = len(held_out) if own is None else own.sum()
        found = logs(temperature)
        if kind == "several":
            right = np.where(y[held_out] == 0, *found).sum(axis=1)
            even = found.mean(axis=0).sum(axis=1)
        else:
            right = found[np.arange(len(p)), np.searchsorted(model.classes_, y[held_out])]
            even = found.mean(axis=1)
        sums = n * np.average(right, weights=own), np.average(even, weights=own) / 3
        return -sum(sums) / (n + 1 / 3)

    (temperature,) = model.temperatures_
    expected = np.exp(logs(temperature))
    expected = expected[1] if kind == "several" else expected
    np.testing.assert_allclose(model.predict_proba(TABLE.iloc[held_out]), expected, atol=1e-6)
    found, others = loss(temperature), [loss(t) for t in np.geomspace(0.5, 10, 200)]
    assert found <= min(others) + 1e-6
    assert found < loss(1)


def test_probabilities_are_those_of_the_classes_predicted():
    model = make(max_iter=30).fit(TABLE, CLASSES)
    p = model.predict_proba(TABLE)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.classes_[p.argmax(axis=1)], model.predict(TABLE))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(TABLE)), p, rtol=1e-5)
    model.fit(TABLE[:5], CLASSES[:5])
    assert model.temperatures_ == [1]  # there is no validation set


# --- parameters --------------------------------------------------------------------------------


@both
@architectures
def test_auto_is_the_recipe(Estimator, y, architecture):
    own = Estimator(architecture)
    recipe = RECIPES[architecture].parameters(N, own._kind())
    explicit = {name: value for name, value in recipe.items() if name in own.get_params()}
    assert len(explicit) >= 11
    assert {name for name, value in own.get_params().items() if value == "auto"} == set(explicit)
    small = {**SMALL[architecture], "random_state": 0}
    expected = Estimator(architecture, **small).fit(TABLE, y)
    model = Estimator(architecture, **{**explicit, **small}).fit(TABLE, y)
    np.testing.assert_array_equal(model._network.theta, expected._network.theta)


@both
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("activation", "tanh"), ("num_embedding", None), ("num_embedding", "periodic"),
        ("dropout", 0.5), ("dropout", [0.0, 0.3]), ("numeric", "quantile"), ("max_one_hot", 2),
        ("learning_rate", "cosine"), ("learning_rate_init", 0.01), ("weight_decay", 0.5),
        ("hidden_layer_sizes", 8), ("batch_size", 50),
    ],
)  # fmt: skip
def test_parameters_have_an_effect(Estimator, y, name, value):
    plain, changed = (make(Estimator, **p).fit(TABLE, y) for p in ({}, {name: value}))
    assert not np.allclose(outputs(plain), outputs(changed))


@pytest.mark.parametrize(
    ("rows", "epochs"), [(10, 128), (320, 128), (640, 64), (2000, 64), (40_000, 32), (10**6, 16)]
)
def test_epochs_go_by_the_size_of_the_table(rows, epochs):
    assert RECIPES["realmlp"].parameters(rows, "classes")["max_iter"] == epochs


def test_recipes():
    """What no parameter says: layers in their order, and how they are trained."""
    model = make(dropout=0.15, hidden_layer_sizes=(16,)).fit(TABLE, CLASSES)
    (curves, categories, *others) = (layer for _, layer in model._network.plan.layers)
    assert (curves.units, curves.linear, curves.rate_factor) == (8, True, 0.1)
    assert [len(edges) for edges in curves.bins] == [49, 49]
    assert (categories.sizes, categories.output_dim) == ([15], 8)
    assert [repr(layer) for layer in others] == [
        "ScaleFeatures()", "NTPLinear(units=16)", "ParametricActivation(activation='relu')",
        "Dropout(rate=0.15, schedule='flat_cos')", "NTPLinear(data_driven=False, units=3)",
    ]  # fmt: skip
    descent = model._optimizer
    assert repr(descent.decay_schedule) == "FlatCos()"
    assert repr(descent.schedule) == "CosLog4()"
    assert (descent.optimizer.beta_1, descent.optimizer.beta_2) == (0.9, 0.95)
    assert descent.weight_decay == 0.02
    tabm = make(architecture="tabm", hidden_layer_sizes=(16, 8)).fit(TABLE, NUMBERS > 0)
    assert [repr(layer) for _, layer in tabm._network.plan.layers[2:]] == [
        "MemberLinear(members=4, units=16)", "Activation(activation='relu')", "Dropout(rate=0.1)",
        "MemberLinear(units=8)", "Activation(activation='relu')", "Dropout(rate=0.1)",
        "MemberHeads(units=1)",
    ]  # fmt: skip
    assert tabm._optimizer.decay_schedule is None


def test_parameters_that_do_not_suit():
    for name, value in (
        ("architecture", "transformer"), ("n_members", 0), ("num_embedding", "sines"),
        ("dropout", 1.0), ("numeric", "minmax"), ("max_iter", 0), ("label_smoothing", 1.0),
        ("calibrate", "yes"), ("dtype", "auto"), ("refit_full", "best"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            make().set_params(**{name: value}).fit(TABLE, CLASSES)
    with pytest.raises(ValueError, match="n_members=4 does not suit architecture='realmlp'"):
        make(n_members=4).fit(TABLE, CLASSES)
    with pytest.raises(ValueError, match=r"dropout=.* for each of the 2 hidden layers"):
        make(dropout=[0.1]).fit(TABLE, CLASSES)


def test_layers():
    model = make().fit(TABLE, CLASSES)
    assert list(model.layers_) == [
        "numbers", "categories", "scale", "linear1", "activation1", "linear2", "activation2",
        "output",
    ]  # fmt: skip
    assert "categories" in str(model.summary())
    # Nothing is known of what fit did not see; here no city was missing.
    np.testing.assert_array_equal(model.layers_["categories"]["embeddings"][0], 0)
    assert (model.layers_["categories"]["embeddings"][1:] != 0).all()
    names = model.encoder_.get_feature_names_out().tolist()
    assert names == [
        "size", "age", "missingindicator_size", "kind_a", "kind_b", "kind_c", "new_True", "city",
    ]  # fmt: skip
    numbers = make().fit(TABLE[["size"]], CLASSES)
    assert "categories" not in numbers.layers_
    words = make(num_embedding="piecewise_linear").fit(TABLE[["kind"]], CLASSES)
    assert "numbers" not in words.layers_


def test_verbose_and_callbacks(capsys):
    model = make(verbose=True, max_iter=3).fit(TABLE, CLASSES)
    assert "Iteration 3, loss" in capsys.readouterr().out
    assert model.n_iter_ == 3


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"n_networks": 2}, ["Network 1 of 2", "Network 2 of 2"]),
        ({"n_networks": 1, "refit_full": True}, ["All rows"]),
        (
            {"n_networks": 2, "refit_full": True},
            [
                "Network 1 of 2", "Network 1 of 2, all rows",
                "Network 2 of 2", "Network 2 of 2, all rows",
            ],
        ),
    ],
)  # fmt: skip
def test_verbose_says_which_network_is_trained(options, names, capsys):
    make(verbose=True, max_iter=2, **options).fit(TABLE, CLASSES)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(("Iteration", "Validation"))] == names


def test_a_bar_of_automatic_length(capsys, monkeypatch):
    """`max_iter="auto"` is the recipe's number of epochs."""
    pytest.importorskip("rich", reason="the bar is drawn by rich, which is not installed")
    monkeypatch.setenv("COLUMNS", "120")
    callbacks = [ProgressBar(), LambdaCallback(lambda *_: True)]
    model = make(max_iter="auto", n_networks=2, callbacks=callbacks).fit(TABLE, CLASSES)
    drawn = capsys.readouterr().out
    for k in (1, 2):
        assert f"network {k} of 2, epoch 1/{model.recipe_['max_iter']}" in drawn


# --- searches ----------------------------------------------------------------------------------


@both
def test_searches(Estimator, y):
    grid = GridSearchCV(make(Estimator, max_iter=3), {"dropout": [0.0, 0.4]}, cv=2)
    assert grid.fit(TABLE, y).best_params_["dropout"] in (0.0, 0.4)
    halving = HalvingGridSearchCV(
        make(Estimator), {"num_embedding": ["periodic", "piecewise_linear", None]},
        resource="max_iter", min_resources=2, max_resources=6, cv=2,
    )  # fmt: skip
    halving.fit(TABLE, y)
    assert sorted(set(halving.cv_results_["iter"])) == [0, 1]
    assert halving.best_estimator_.max_iter == 6


@both
def test_search_space(Estimator, y):
    """Every parameter is one of the estimator's, and every value drawn is valid."""
    assert set(Estimator.SEARCH_SPACE) <= set(Estimator().get_params())
    search = RandomizedSearchCV(
        make(Estimator, max_iter=1), Estimator.SEARCH_SPACE, n_iter=6, cv=2, random_state=0,
        error_score="raise",
    )  # fmt: skip
    search.fit(TABLE[:120], y[:120])
    drawn = search.cv_results_["params"]
    assert all(len({str(p[name]) for p in drawn}) > 1 for name in Estimator.SEARCH_SPACE)


def test_nothing_is_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for Estimator, y in BOTH:
            make(Estimator, batch_size="auto").fit(TABLE, y).predict(TABLE)
            make(Estimator, refit_full=True).fit(TABLE, y)
