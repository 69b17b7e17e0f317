"""Inputs of any scale: CNN, RNN and NeuralNetwork standardize X where it is not of unit size."""

import copy
import pickle
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone

from helpers.estimators.all_estimators import fitted
from sklearn_nn import (
    CNNClassifier,
    CNNRegressor,
    FeatureExtractor,
    MLPClassifier,
    NeuralNetworkClassifier,
    NeuralNetworkRegressor,
    RNNClassifier,
    RNNRegressor,
    find_learning_rate,
    load,
)
from sklearn_nn.estimators._inputs.scale import is_far_from_unit, moments_of
from sklearn_nn.estimators._inputs.sequences import from_list
from sklearn_nn.inspection import occlusion_map, saliency_map
from sklearn_nn.layers import (
    GRU,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GaussianNoise,
    PiecewiseLinearEmbedding,
    RandomBrightness,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
N = 60
X = RNG.standard_normal((N, 8, 2))
IMAGES = RNG.standard_normal((N, 6, 6, 2))
RAGGED = [RNG.standard_normal((3 + k % 5, 2)) for k in range(N)]
LABELS = (X[:, :, 0].mean(axis=1) > 0).astype(int)
NUMBERS = X[:, :, 0].mean(axis=1)
SMALL = {"max_iter": 6, "batch_size": 20, "random_state": 0}
CNN = {"filters": 4, "hidden_layer_sizes": 5, **SMALL}


def dense(**options):
    return [Flatten(), Dense(5, activation="relu")]


MAKE = {
    "CNNClassifier": lambda **kw: CNNClassifier(input_shape=(8, 2), **CNN | kw),
    "CNNRegressor": lambda **kw: CNNRegressor(input_shape=(8, 2), **CNN | kw),
    "RNNClassifier": lambda **kw: RNNClassifier(5, cell="gru", **SMALL | kw),
    "RNNRegressor": lambda **kw: RNNRegressor(5, **SMALL | kw),
    "NeuralNetworkClassifier": lambda **kw: NeuralNetworkClassifier(dense(), **SMALL | kw),
    "NeuralNetworkRegressor": lambda **kw: NeuralNetworkRegressor(dense(), **SMALL | kw),
}
SCALES = [(1000.0, 0.0), (1.0, 500.0), (1e-5, 0.0), (np.array([1e4, 1e-3]), np.array([-1e4, 7.0]))]
every_kind = pytest.mark.parametrize("kind", MAKE)


def target(kind):
    return NUMBERS if kind.endswith("Regressor") else LABELS


def outputs(model, samples):
    """Probabilities, or the predictions of a regressor."""
    return getattr(model, "predict_proba", model.predict)(samples)


def changed(samples, a, b):
    return [a * x + b for x in samples] if isinstance(samples, list) else a * samples + b


# --- predictions do not depend on the units -----------------------------------------------------


@pytest.mark.parametrize(("a", "b"), SCALES, ids=["large", "shifted", "small", "by_channel"])
@every_kind
def test_units_do_not_matter(kind, a, b):
    y = target(kind)
    wanted = outputs(MAKE[kind](scale_inputs=True).fit(X, y), X)
    model = MAKE[kind]().fit(changed(X, a, b), y)
    assert model.input_scale_.shape == (2, 2)
    np.testing.assert_allclose(outputs(model, changed(X, a, b)), wanted, atol=1e-6)


@pytest.mark.parametrize(("a", "b"), SCALES, ids=["large", "shifted", "small", "by_channel"])
@pytest.mark.parametrize("options", [{}, {"return_sequences": True}, {"truncation": 3}], ids=str)
def test_ragged_sequences(options, a, b):
    y = [x.sum(axis=1) for x in RAGGED] if options.get("return_sequences") else NUMBERS
    one = RNNRegressor(5, scale_inputs=True, **SMALL, **options).fit(RAGGED, y)
    other = RNNRegressor(5, **SMALL, **options).fit(changed(RAGGED, a, b), y)
    got, wanted = other.predict(changed(RAGGED, a, b)), one.predict(RAGGED)
    np.testing.assert_allclose(
        *map(np.concatenate, (got, wanted)) if isinstance(got, list) else (got, wanted), atol=1e-6
    )
    values = np.concatenate(changed(RAGGED, a, b))  # real steps only
    np.testing.assert_allclose(
        other.input_scale_, [values.mean(axis=0), values.std(axis=0)], rtol=1e-9
    )


def test_padding_does_not_change_the_scale():
    padded = np.full((N, 9, 2), np.nan)
    for row, x in zip(padded, RAGGED, strict=True):
        row[: len(x)] = 300 * x
    listed = RNNClassifier(5, **SMALL).fit([300 * x for x in RAGGED], LABELS)
    other = RNNClassifier(5, **SMALL).fit(padded, LABELS)
    np.testing.assert_array_equal(other.input_scale_, listed.input_scale_)
    np.testing.assert_array_equal(
        other.predict_proba(padded), listed.predict_proba([300 * x for x in RAGGED])
    )
    alone = [other.predict_proba([300 * x])[0] for x in RAGGED[:9]]
    np.testing.assert_array_equal(alone, other.predict_proba(padded[:9]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_channels_first_and_flat_rows(dtype):
    scaled = (200 * IMAGES + [50, -80]).astype(dtype)
    last = CNNClassifier(**CNN).fit(scaled, LABELS)
    first = CNNClassifier(data_format="channels_first", **CNN).fit(
        np.moveaxis(scaled, -1, 1), LABELS
    )
    flat = CNNClassifier(input_shape=(6, 6, 2), **CNN).fit(scaled.reshape(N, -1), LABELS)
    rows = sparse.csr_matrix(scaled.reshape(N, -1))
    thin = CNNClassifier(input_shape=(6, 6, 2), **CNN).fit(rows, LABELS)
    wanted = last.predict_proba(scaled)
    rounding = 1e-4 if dtype == "float32" else 1e-9
    for model, given in (
        (first, np.moveaxis(scaled, -1, 1)),
        (flat, scaled.reshape(N, -1)),
        (thin, rows),
    ):
        np.testing.assert_allclose(model.predict_proba(given), wanted, atol=rounding)
    np.testing.assert_allclose(first.input_scale_, last.input_scale_, rtol=1e-6)


def test_whole_numbers_of_pixels():
    pixels = RNG.integers(0, 256, (N, 6, 6))
    model = CNNClassifier(**CNN).fit(pixels, LABELS)
    np.testing.assert_allclose(model.input_scale_[:, 0], [pixels.mean(), pixels.std()])
    as_bytes = CNNClassifier(**CNN).fit(pixels.astype(np.uint8), LABELS)
    assert as_bytes.input_scale_ is None  # they are mapped to 0..1
    forced = CNNClassifier(scale_inputs=True, **CNN).fit(pixels.astype(np.uint8), LABELS)
    np.testing.assert_allclose(forced.input_scale_ * 255, model.input_scale_, rtol=1e-5)
    np.testing.assert_allclose(
        forced.predict_proba(pixels.astype(np.uint8)), model.predict_proba(pixels), atol=1e-4
    )


# --- what is scaled -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        RNG.standard_normal((200, 5)), 3 + RNG.standard_normal((200, 5)), RNG.random((200, 5)),
        RNG.integers(0, 17, (200, 64)), RNG.integers(0, 2, (200, 5)),
        0.2 * RNG.standard_normal((200, 5)),
        np.zeros((200, 5)), np.full((200, 5), 1e6),
        np.column_stack([RNG.standard_normal(200), RNG.random(200) > 0.99]),
        np.column_stack([RNG.standard_normal(200), np.full(200, 1e6)]),
    ],
)  # fmt: skip
def test_data_of_unit_size_are_not_scaled(values):
    assert not is_far_from_unit(values, values.shape[1])
    model = NeuralNetworkClassifier([Dense(3)], **SMALL).fit(values, np.arange(200) % 2)
    assert model.input_scale_ is None
    assert "input_scale" not in model.layers_


@pytest.mark.parametrize(
    ("a", "b"), [(30, 0), (1, 20), (0.01, 0), (0.02, 0.5), (1, -15), (1e30, 0)]
)
def test_data_of_another_size_are_scaled(a, b):
    values = a * RNG.standard_normal((200, 5)) + b
    assert is_far_from_unit(values, 5)


def test_choice_of_the_user():
    for kind, make in MAKE.items():
        off = make(scale_inputs=False).fit(100 * X, target(kind))
        assert off.input_scale_ is None
        on = make(scale_inputs=True).fit(X, target(kind))
        np.testing.assert_allclose(on.input_scale_[0], X.mean(axis=(0, 1)), atol=1e-12)
    with pytest.raises(ValueError, match="The 'scale_inputs' parameter of CNNClassifier must be"):
        CNNClassifier(scale_inputs="always").fit(X, LABELS)


@pytest.mark.parametrize("layers", [
    [Embedding(5000, 4), GRU(3)],
    [("drop", Dropout(0.1)), Embedding(5000, 4), GRU(3)],
])  # fmt: skip
def test_whole_numbers_of_an_embedding_are_not_scaled(layers):
    words = RNG.integers(0, 5000, (N, 7)).astype(float)
    for choice in ("auto", True):
        model = NeuralNetworkClassifier(layers[-2:], scale_inputs=choice, **SMALL).fit(
            words, LABELS
        )
        assert model.input_scale_ is None


def test_bins_are_in_the_units_of_x():
    rows = 1e4 * RNG.standard_normal((N, 2))
    layer = PiecewiseLinearEmbedding([[-1e4, 0, 1e4]] * 2, 4)
    assert NeuralNetworkClassifier([layer], **SMALL).fit(rows, LABELS).input_scale_ is None


def test_constant_channels_and_rounding():
    values = 1e6 * np.ones((N, 8, 2)) + 0.1
    values[:, :, 0] = 100 * X[:, :, 0]
    model = RNNRegressor(4, **SMALL).fit(values, NUMBERS)
    assert model.input_scale_[1, 1] == 1
    assert np.isfinite(model.predict(values)).all()
    np.testing.assert_allclose(model.layers_["input_scale"]["mean"][1], 1e6 + 0.1)


def test_numbers_near_the_largest_of_float32():
    values = (1e37 * X).astype(np.float32)
    model = RNNClassifier(5, **SMALL).fit(values, LABELS)
    assert np.isfinite(model.input_scale_).all()
    wanted = RNNClassifier(5, scale_inputs=True, **SMALL).fit(X.astype(np.float32), LABELS)
    np.testing.assert_allclose(
        model.predict_proba(values), wanted.predict_proba(X.astype(np.float32)), atol=1e-4
    )


def test_moments_of_blocks(monkeypatch):
    values = 1e6 + RNG.standard_normal((300, 4, 3))
    whole = moments_of(values.reshape(300, 12), 3)
    monkeypatch.setattr("sklearn_nn.estimators._inputs.scale._BLOCK_BYTES", 8 * 12 * 7)
    for samples in (
        values.reshape(300, 12),
        from_list(list(values), "channels_last"),
        np.moveaxis(values, 1, 2),
    ):
        found = moments_of(samples, 3)
        np.testing.assert_allclose(found.scale, whole.scale, rtol=1e-9)
    flat = values.reshape(-1, 3)
    np.testing.assert_allclose(whole.scale, [flat.mean(axis=0), flat.std(axis=0)], rtol=1e-9)


@every_kind
def test_order_in_memory_does_not_matter(kind):
    samples = 1000 / 3 * X + 50
    flat = kind.startswith("NeuralNetwork")  # takes tables too
    samples = samples.reshape(N, -1) if flat else samples
    wanted = MAKE[kind]().fit(samples, target(kind)).input_scale_
    assert wanted is not None
    forms = [
        np.asfortranarray,
        lambda x: x[::-1].copy()[::-1],
        lambda x: x.repeat(2, axis=-1)[..., ::2],
    ]
    for form in forms + [pd.DataFrame] * flat:
        found = MAKE[kind]().fit(form(samples), target(kind)).input_scale_
        np.testing.assert_array_equal(found, wanted)


# --- state --------------------------------------------------------------------------------------


@every_kind
def test_copies_and_files(kind, tmp_path):
    far = 300 * X + 40
    model = MAKE[kind]().fit(far, target(kind))
    model.save(tmp_path / "model.npz")
    for twin in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        load(tmp_path / "model.npz"),
    ):
        np.testing.assert_array_equal(twin.input_scale_, model.input_scale_)
        np.testing.assert_array_equal(outputs(twin, far), outputs(model, far))
        twin.set_params(warm_start="resume", max_iter=9).fit(far, target(kind))
        whole = MAKE[kind](max_iter=9).fit(far, target(kind))
        np.testing.assert_array_equal(outputs(twin, far), outputs(whole, far))


@every_kind
def test_partial_fit_and_warm_start_keep_the_scale(kind):
    y, far = target(kind), 300 * X
    model = MAKE[kind]()
    first = {} if kind.endswith("Regressor") else {"classes": [0, 1]}
    model.partial_fit(far[:30], y[:30], **first)
    scale = model.input_scale_
    np.testing.assert_allclose(scale[0], far[:30].mean(axis=(0, 1)))
    model.partial_fit(far[30:] + 100, y[30:])
    model.set_params(warm_start=True).fit(far - 900, y)
    np.testing.assert_array_equal(model.input_scale_, scale)
    assert clone(model).fit(X, y).input_scale_ is None
    assert model.set_params(warm_start=False).fit(X, y).input_scale_ is None


@every_kind
def test_validation_sets_and_ranges_of_rates(kind):
    y = target(kind)
    pair = [
        MAKE[kind](scale_inputs=True).fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:]),
        MAKE[kind]().fit(300 * X[:40], y[:40], X_val=300 * X[40:], y_val=y[40:]),
    ]
    np.testing.assert_allclose(*(model.history_["val_loss"] for model in pair), rtol=1e-6)
    found = [
        find_learning_rate(MAKE[kind](scale_inputs=True), X, y, n_steps=10),
        find_learning_rate(MAKE[kind](), 300 * X, y, n_steps=10),
    ]
    np.testing.assert_allclose(found[0].losses, found[1].losses, rtol=1e-5)


def test_augmentation_and_noise_are_in_the_units_of_x():
    pixels = 255 * RNG.random((N, 6, 6, 1))
    layers = [RandomBrightness(0.1, value_range=(0, 255)), GaussianNoise(3.0)]
    model = CNNClassifier(augmentation=layers, **CNN).fit(pixels, LABELS)
    names = [line.name for line in model._network.outline]
    assert names.index("input_scale") == 2
    np.testing.assert_array_equal(model.predict(pixels), model.predict(pixels.copy()))


# --- transfer, features, inspection -------------------------------------------------------------


@every_kind
def test_the_scale_travels_with_pretrained_weights(kind):
    y, far = target(kind), 300 * X + 40
    old, unscaled = MAKE[kind]().fit(far, y), MAKE[kind]().fit(X, y)
    for part in (X, far, 10 * far):
        new = MAKE[kind]().from_pretrained(old).initialize(part, y)
        np.testing.assert_array_equal(new.input_scale_, old.input_scale_)
        np.testing.assert_allclose(outputs(new, far), outputs(old, far), rtol=1e-6)
        held = (
            MAKE[kind]()
            .from_pretrained(
                old,
            )
            .fit(part, y)
        )
        np.testing.assert_array_equal(held.layers_["input_scale"]["mean"], old.input_scale_[0])
        fitted_before = MAKE[kind]().fit(part, y).from_pretrained(old)
        np.testing.assert_allclose(outputs(fitted_before, far), outputs(old, far), rtol=1e-6)
        fitted_before.partial_fit(far, y)
        raw = MAKE[kind]().from_pretrained(unscaled).initialize(part, y)
        assert raw.input_scale_ is None
        raw = MAKE[kind]().fit(far, y).from_pretrained(unscaled)
        np.testing.assert_allclose(outputs(raw, X), outputs(unscaled, X), rtol=1e-6)
        raw.partial_fit(X, y)


def test_pretrained_files_and_named_layers(tmp_path):
    old = CNNClassifier(**CNN).fit(300 * IMAGES, LABELS)
    old.save(tmp_path / "old.npz")
    new = CNNClassifier(**CNN).from_pretrained(tmp_path / "old.npz", layers="conv1", freeze="conv1")
    new.fit(IMAGES, LABELS)
    np.testing.assert_array_equal(new.input_scale_, old.input_scale_)
    new.save(tmp_path / "new.npz")
    np.testing.assert_array_equal(
        load(tmp_path / "new.npz").predict_proba(IMAGES), new.predict_proba(IMAGES)
    )
    # Of another number of channels, only later layers can be copied.
    other = CNNClassifier(**CNN).from_pretrained(old, layers="dense1")
    other.fit(300 * IMAGES[..., :1], LABELS)
    assert other.input_scale_ is None or other.input_scale_.shape == (2, 1)


def test_a_network_that_cannot_scale_says_so():
    old = NeuralNetworkClassifier([("dense1", Dense(5, activation="relu"))], **SMALL)
    old.fit(300 * X.reshape(N, -1), LABELS)
    with pytest.warns(UserWarning, match="NeuralNetworkClassifier to copy from standardizes X"):
        MLPClassifier(5, **SMALL).from_pretrained(old).fit(X.reshape(N, -1), LABELS)


def test_early_stopping_after_weights_of_another_layout():
    model = CNNClassifier(early_stopping=True, **CNN).fit(IMAGES, LABELS)
    model.from_pretrained(CNNClassifier(**CNN).fit(300 * IMAGES, LABELS))
    model.partial_fit(300 * IMAGES, LABELS, X_val=300 * IMAGES, y_val=LABELS)
    assert np.isfinite(model.predict_proba(300 * IMAGES)).all()


def test_features_and_inspection_are_in_the_units_of_x():
    one = CNNRegressor(scale_inputs=True, **CNN).fit(IMAGES, NUMBERS)
    other = CNNRegressor(**CNN).fit(300 * IMAGES, NUMBERS)
    features = (
        FeatureExtractor(one).fit(IMAGES).transform(IMAGES),
        FeatureExtractor(other).fit(IMAGES).transform(300 * IMAGES),
    )
    np.testing.assert_allclose(*features, atol=1e-6)
    np.testing.assert_allclose(
        saliency_map(other, 300 * IMAGES) * 300, saliency_map(one, IMAGES), atol=1e-6
    )
    covered = occlusion_map(one, IMAGES, window=2), occlusion_map(other, 300 * IMAGES, window=2)
    np.testing.assert_allclose(*covered, atol=1e-6)


@every_kind
def test_many_threads_and_restarts(kind):
    y, far = target(kind), 300 * X
    model = MAKE[kind](n_restarts=2).fit(far, y)
    other = MAKE[kind](n_restarts=2, n_jobs=2).fit(far, y)
    np.testing.assert_array_equal(outputs(model, far), outputs(other, far))


# --- memory -------------------------------------------------------------------------------------


def peak(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("factor", [1, 300], ids=["of_unit_size", "scaled"])
def test_mapped_files_are_not_copied(tmp_path, factor):
    """X is read in blocks to learn the scale, and standardized batch by batch."""
    path, n = tmp_path / "x.npy", 2000
    np.save(path, factor * RNG.standard_normal((n, 40, 50)))  # 32 MB
    mapped, y = np.load(path, mmap_mode="r"), np.arange(n) % 2
    options = {"filters": 2, "hidden_layer_sizes": 2, "batch_size": 50, "random_state": 0}
    model = CNNClassifier(**options, max_iter=1).fit(mapped[:60], y[:60])
    assert (model.input_scale_ is None) == (factor == 1)
    assert peak(lambda: CNNClassifier(**options, max_iter=1).fit(mapped, y)) < 30e6
    assert peak(lambda: model.predict(mapped)) < 16e6


def test_forged_scales_are_rejected(tmp_path):
    model = fitted("CNNClassifier", scale_inputs=True)
    assert model.input_scale_ is not None
    model._reader.scale = np.array([[0.0], [-1.0]])
    model.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="an invalid scale of samples"):
        load(tmp_path / "model.npz")


def test_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Stochastic Optimizer")
        for kind, make in MAKE.items():
            model = make().fit(300 * X, target(kind))
            model.predict(300 * X)
