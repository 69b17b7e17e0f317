"""Augmentation in estimators: fit, resume, save, search, and what does not fit."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from helpers.learning import learning, median
from sklearn_nn import (
    CNNClassifier,
    CNNRegressor,
    NeuralNetworkClassifier,
    NeuralNetworkRegressor,
    load,
    load_checkpoint,
)
from sklearn_nn.layers import (
    Activation,
    Conv2D,
    Cutout,
    Dense,
    Dropout,
    GaussianNoise,
    Mixup,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from sklearn_nn.training import ModelCheckpoint

DIGITS = load_digits()
IMAGES, LABELS = DIGITS.images[:200] / 16, DIGITS.target[:200]
EVERYTHING = [
    RandomFlip(), RandomCrop(padding=1), RandomTranslation(0.1, 0.1), RandomRotation(0.03),
    ("zoom", RandomZoom(0.1)), RandomBrightness(0.1), RandomContrast(0.2), Cutout(2), Mixup(0.4),
]  # fmt: skip


def make(augmentation=None, Estimator=CNNClassifier, **options):
    """A small network."""
    defaults = {"filters": (4,), "hidden_layer_sizes": 8, "max_iter": 4, "random_state": 0}
    return Estimator(augmentation=augmentation, **defaults | options | {"batch_size": 37})


def assert_same(one, other):
    np.testing.assert_array_equal(one._network.theta, other._network.theta)
    assert one.loss_curve_ == other.loss_curve_
    np.testing.assert_array_equal(one.predict(IMAGES), other.predict(IMAGES))


def test_each_layer_changes_training_and_not_prediction():
    plain = make().fit(IMAGES, LABELS)
    for layer in EVERYTHING:
        model = make([layer]).fit(IMAGES, LABELS)
        assert model.loss_curve_ != plain.loss_curve_
        alone = np.concatenate([model.predict_proba(image[np.newaxis]) for image in IMAGES[:9]])
        np.testing.assert_array_equal(alone, model.predict_proba(IMAGES[:9]))
    for nothing in ([], [("flip", "passthrough")]):
        assert make(nothing).fit(IMAGES, LABELS).loss_curve_ == plain.loss_curve_


@pytest.mark.parametrize("Estimator", [CNNClassifier, CNNRegressor])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_n_jobs_changes_nothing(Estimator, dtype):
    alone = make(EVERYTHING, Estimator, dtype=dtype).fit(IMAGES, LABELS)
    for n_jobs in (2, 3):
        team = make(EVERYTHING, Estimator, dtype=dtype, n_jobs=n_jobs).fit(IMAGES, LABELS)
        assert_same(team, alone)


@pytest.mark.parametrize("Estimator", [CNNClassifier, CNNRegressor])
def test_resumed_training_is_the_same(Estimator, tmp_path):
    save = ModelCheckpoint(tmp_path / "{epoch:02d}.npz")
    straight = make(EVERYTHING, Estimator, callbacks=[save]).fit(IMAGES, LABELS)
    for path in sorted(tmp_path.iterdir()):
        assert_same(load_checkpoint(path).fit(IMAGES, LABELS), straight)
    short = make(EVERYTHING, Estimator, max_iter=2, warm_start="resume").fit(IMAGES, LABELS)
    longer = pickle.loads(pickle.dumps(short)).set_params(max_iter=4)
    assert_same(longer.fit(IMAGES, LABELS), straight)


def test_clone_pickle_save_and_load(tmp_path):
    model = make(EVERYTHING).fit(IMAGES, LABELS)
    model.save(tmp_path / "model.npz")
    for other in (pickle.loads(pickle.dumps(model)), load(tmp_path / "model.npz")):
        assert_same(other, model)
        assert other.get_params()["zoom__height_factor"] == 0.1
        assert other.augmentation == EVERYTHING
    copy = clone(model)
    assert copy.augmentation == EVERYTHING
    assert copy.augmentation[0] is not model.augmentation[0]
    assert_same(copy.fit(IMAGES, LABELS), model)


def test_layers_are_parameters():
    model = make([RandomFlip(), ("zoom", RandomZoom(0.1))])
    parameters = model.get_params()
    assert parameters["randomflip1__mode"] == "horizontal"
    assert parameters["zoom__height_factor"] == 0.1
    model.set_params(randomflip1__mode="vertical", zoom=RandomRotation(0.1))
    model.set_params(zoom__factor=0.2)
    assert model.augmentation == [
        ("randomflip1", RandomFlip("vertical")), ("zoom", RandomRotation(0.2))
    ]  # fmt: skip
    model.set_params(augmentation=[("cut", Cutout(2))], cut__size=3)
    assert model.augmentation[0][1].size == 3
    with pytest.raises(ValueError, match="Invalid parameter 'zoom__factor' for CNNClassifier"):
        model.set_params(zoom__factor=0.1)


def test_grid_search():
    grid = [
        {"augmentation": [None, [RandomCrop(padding=1)], [Mixup(0.2)]]},
        {"augmentation": [[("crop", RandomCrop(padding=1))]], "crop__padding": [1, 2]},
    ]
    search = GridSearchCV(make(), grid, cv=2).fit(IMAGES, LABELS)
    assert len(search.cv_results_["params"]) == 5
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert "augmentation" in search.best_params_


def test_a_list_of_layers_may_hold_them():
    layers = [RandomFlip(), Conv2D(3, 3), Activation("relu"), Mixup(), Dropout(0.1), Cutout(2)]
    for Estimator in (NeuralNetworkClassifier, NeuralNetworkRegressor):
        models = [
            Estimator(layers, input_shape=(8, 8, 1), max_iter=3, random_state=0, n_jobs=n_jobs)
            for n_jobs in (1, 2)
        ]
        one, other = (model.fit(IMAGES.reshape(200, -1), LABELS) for model in models)
        np.testing.assert_array_equal(one._network.theta, other._network.theta)


def test_signals():
    signals = np.random.default_rng(0).random((200, 20, 2))
    steps = [RandomFlip(), RandomCrop(width=18), RandomTranslation(0, 0.1), Cutout(3), Mixup()]
    model = make(steps, input_shape=(20, 2)).fit(signals, LABELS)
    shapes = {row.name: row.output_shape for row in model.summary().rows}
    assert shapes["randomcrop1"] == shapes["mixup1"] == (18, 2)
    assert model.predict(signals).shape == (200,)


@learning
@pytest.mark.parametrize(
    "target",
    [LABELS > 4, LABELS, np.stack([LABELS > 4, LABELS % 2], axis=1)],
    ids=["binary", "multiclass", "multilabel"],
)
def test_mixup_of_every_kind_of_label(target):
    """Weights and a validation set included, whose loss is not mixed."""
    weight = np.random.default_rng(0).random(200)

    def harder(seed):
        model = make([Mixup(1.0)], max_iter=20, random_state=seed).fit(
            IMAGES, target.astype(int), weight, X_val=IMAGES, y_val=target.astype(int)
        )
        history = model.history_
        assert np.isfinite(history["loss"]).all()
        return history["loss"][-1] - history["val_loss"][-1]

    # A mix of targets cannot be told for sure: what training sees is harder.
    assert median(harder) > 0


def test_weights_of_zero_leave_both_targets_out():
    """A sample of weight 0 counts neither itself nor as a partner: its label is of no account."""
    weight = np.ones(200)
    weight[::3] = 0
    labels = LABELS.copy()
    labels[::3] = np.roll(labels[::3], 1)
    one, other = (make([Mixup(1.0)]).fit(IMAGES, y, weight) for y in (LABELS, labels))
    np.testing.assert_array_equal(one._network.theta, other._network.theta)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of L-BFGS
def test_lbfgs_sees_one_draw():
    """As with dropout: each sample is changed once and for all, so that the loss is a function."""
    model = make([RandomCrop(padding=1), Mixup(1.0)], solver="lbfgs", max_iter=15)
    one, other = (clone(model).fit(IMAGES, LABELS) for _ in range(2))
    np.testing.assert_array_equal(one._network.theta, other._network.theta)
    assert one.loss_ < make([RandomCrop(padding=1), Mixup(1.0)], max_iter=1).fit(
        IMAGES, LABELS
    ).loss_  # fmt: skip


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        ("flip", "'augmentation' parameter of CNNClassifier must be an instance of 'list'"),
        ([RandomFlip], "augmentation holds .*; every entry is a layer"),
        (["flip"], "augmentation holds 'flip'; every entry is a layer"),
        ([Dense(3)], r"augmentation has Dense\(units=3\), which acts in predictions, too"),
        ([("a", RandomFlip()), ("a", Cutout(2))], "augmentation has the name 'a' more than once"),
        (
            [("conv1", RandomFlip())],
            "augmentation has the name 'conv1', which is the name of",
        ),
        ([("output", RandomFlip())], "augmentation has the name 'output'; names must not"),
        ([RandomCrop(9)], "layer 'randomcrop1': height=9 of RandomCrop does not fit"),
        ([Mixup(), Mixup()], "layer 'mixup2': a network can have only one Mixup"),
    ],
)
def test_errors(augmentation, message):
    with pytest.raises(ValueError, match=message):
        make(augmentation).fit(IMAGES, LABELS)


def test_noise_may_stand_among_them():
    model = make([GaussianNoise(0.1), ("drop", Dropout(0.1))], input_noise=0.1)
    assert [row.name for row in model.fit(IMAGES, LABELS).summary().rows][:3] == [
        "gaussiannoise1", "drop", "noise",
    ]  # fmt: skip


@learning
def test_augmentation_helps_on_little_data():
    """Shifts of a pixel, on a few images, where test images lie as they please."""
    X, y = DIGITS.images / 16, DIGITS.target
    options = {"filters": (8,), "max_iter": 60, "learning_rate_init": 0.005, "batch_size": 20}
    shift = RandomTranslation(0.13, 0.13, "constant", "nearest")

    def score(augmentation, seed):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = CNNClassifier(augmentation=augmentation, random_state=seed, **options)
            return model.fit(X[:150], y[:150]).score(X[150:], y[150:])

    assert median(lambda seed: score([shift], seed) - score(None, seed)) > 0
