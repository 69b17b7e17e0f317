"""partial_fit over iterables of batches: the same as a loop, and an error that says which batch."""

import weakref

import numpy as np
import pytest

from sklearn_nn import MLPClassifier, MLPRegressor, NeuralNetworkClassifier
from sklearn_nn.layers import Conv2D, Flatten, GlobalMaxPool

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:Got `batch_size` less than 1 or larger:UserWarning",
)
RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((90, 5))
LABELS, NUMBERS = np.arange(90) % 3, ROWS @ np.arange(1.0, 6.0)
IMAGES, Y = RNG.integers(0, 256, (120, 6, 8, 3), dtype=np.uint8), np.arange(120) % 3

BOTH = pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
BATCHES = [slice(0, 40), slice(40, 45), slice(45, 90)]


def make(Estimator, **options):
    options = {"hidden_layer_sizes": 8, "batch_size": 16, "random_state": 0} | options
    return Estimator(**options)


def setting(Estimator):
    """Targets, and what the first call needs beside them."""
    if Estimator is MLPRegressor:
        return NUMBERS, {}
    return LABELS, {"classes": [0, 1, 2]}


class Loader:
    """Like a data loader of other libraries: gone through any number of times, with a length."""

    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(BATCHES)

    def __iter__(self):
        for rows in BATCHES:
            yield [self.X[rows], self.y[rows]]


@BOTH
def test_an_iterable_is_a_loop(Estimator):
    y, first = setting(Estimator)
    weight = RNG.random(90)
    loop, weighed = make(Estimator), make(Estimator)
    for rows in BATCHES:
        loop.partial_fit(ROWS[rows], y[rows], **first)
        weighed.partial_fit(ROWS[rows], y[rows], weight[rows], **first)
    streams = [
        ((ROWS[rows], y[rows]) for rows in BATCHES),
        Loader(ROWS, y),
        zip((ROWS[r].tolist() for r in BATCHES), (y[r].tolist() for r in BATCHES), strict=True),
        iter([(ROWS[rows].astype(np.longdouble), y[rows]) for rows in BATCHES]),
    ]
    for stream in streams:
        model = make(Estimator)
        assert model.partial_fit(stream, **first) is model
        np.testing.assert_array_equal(model._network.theta, loop._network.theta)
        assert model.loss_curve_ == loop.loss_curve_
        assert (model.t_, len(model.loss_curve_)) == (90, 3)
    stream = ((ROWS[rows], y[rows], weight[rows]) for rows in BATCHES)
    np.testing.assert_array_equal(
        make(Estimator).partial_fit(stream, **first)._network.theta, weighed._network.theta
    )
    loader = Loader(ROWS, y)
    twice = make(Estimator).partial_fit(loader, **first).partial_fit(loader)
    for rows in BATCHES:
        loop.partial_fit(ROWS[rows], y[rows])
    np.testing.assert_array_equal(twice._network.theta, loop._network.theta)


@BOTH
def test_a_validation_set_beside_an_iterable(Estimator):
    y, first = setting(Estimator)
    beside = {"X_val": ROWS[:20], "y_val": y[:20], "sample_weight_val": np.arange(20.0)}
    loop = make(Estimator, early_stopping=True)
    for rows in BATCHES:
        loop.partial_fit(ROWS[rows], y[rows], **first, **beside)
    model = make(Estimator, early_stopping=True).partial_fit(Loader(ROWS, y), **first, **beside)
    assert model.validation_scores_ == loop.validation_scores_
    assert len(model.validation_scores_) == 3


def test_batches_of_images_and_of_several_labels():
    several = np.stack([Y > 0, Y > 1], axis=1).astype(int)
    layers = [Conv2D(3, 3), GlobalMaxPool()]
    loop, model = (NeuralNetworkClassifier(layers, random_state=0) for _ in range(2))
    for rows in (slice(0, 50), slice(50, 120)):
        loop.partial_fit(IMAGES[rows], several[rows], classes=[0, 1])
    stream = ((IMAGES[rows], several[rows]) for rows in (slice(0, 50), slice(50, 120)))
    model.partial_fit(stream, classes=[0, 1])
    np.testing.assert_array_equal(model._network.theta, loop._network.theta)


def test_a_data_loader(torch):
    data = torch.utils.data.TensorDataset(torch.from_numpy(IMAGES), torch.from_numpy(Y))
    loader = torch.utils.data.DataLoader(data, batch_size=50)
    model, loop = (NeuralNetworkClassifier([Flatten()], random_state=0) for _ in range(2))
    model.partial_fit(loader, classes=[0, 1, 2])
    for start in (0, 50, 100):
        loop.partial_fit(IMAGES[start : start + 50], Y[start : start + 50], classes=[0, 1, 2])
    np.testing.assert_array_equal(model._network.theta, loop._network.theta)


@BOTH
def test_one_batch_is_held_at_a_time(Estimator):
    """A batch is gone when the next one is made."""
    y, first = setting(Estimator)
    alive = []

    def stream():
        for rows in BATCHES:
            assert not [one for one in alive if one() is not None]
            X = ROWS[rows].copy()
            alive.append(weakref.ref(X))
            yield X, y[rows]
            del X

    make(Estimator).partial_fit(stream(), **first)
    assert len(alive) == 3


@BOTH
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (ROWS, "Batch 1 of the iterable is a ndarray; make it yield tuples"),
        ((ROWS,), "Batch 1 of the iterable is a tuple of 1; make it"),
        ((ROWS, LABELS, None, None), "is a tuple of 4"),
        ({"X": ROWS}, "is a dict; make it yield"),
        ((ROWS[:, :4], LABELS), "Batch 1 of the iterable: X has 4 features"),
        ((ROWS, LABELS[:4]), "Batch 1 of the iterable: Found input.*inconsistent"),
        ((ROWS * np.nan, LABELS), "Batch 1 of the iterable: Input X contains NaN"),
        ((ROWS, LABELS, -np.ones(90)), "Batch 1 of the iterable: Negative"),
        ((ROWS, None), "Batch 1 of the iterable: .*requires y"),
    ],
)
def test_a_bad_batch(Estimator, bad, message):
    """The estimator is as the last good batch left it, and can go on."""
    y, first = setting(Estimator)
    good = make(Estimator).partial_fit(ROWS, y, **first)
    model = make(Estimator)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(iter([(ROWS, y), bad, (ROWS, y)]), **first)
    np.testing.assert_array_equal(model._network.theta, good._network.theta)
    assert model.loss_curve_ == good.loss_curve_
    model.partial_fit(ROWS, y)
    np.testing.assert_array_equal(model._network.theta, good.partial_fit(ROWS, y)._network.theta)


@BOTH
def test_an_error_of_the_iterable_itself(Estimator):
    y, first = setting(Estimator)

    def stream():
        yield ROWS, y
        raise OSError("the disk is gone")

    model = make(Estimator)
    with pytest.raises(OSError, match=r"^the disk is gone$"):
        model.partial_fit(stream(), **first)
    np.testing.assert_array_equal(
        model._network.theta, make(Estimator).partial_fit(ROWS, y, **first)._network.theta
    )


@BOTH
def test_a_first_batch_that_is_bad_leaves_nothing(Estimator):
    y, first = setting(Estimator)
    model = make(Estimator)
    before = set(vars(model))
    for X in (iter([(ROWS * np.nan, y)]), iter([(ROWS, None)])):
        with pytest.raises(ValueError, match="Batch 0"):
            model.partial_fit(X, **first)
        assert set(vars(model)) == before
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(ROWS * np.nan, y, **first)
    assert set(vars(model)) == before


@BOTH
def test_invalid_iterables_of_batches(Estimator):
    y, first = setting(Estimator)
    model = make(Estimator)
    with pytest.raises(ValueError, match=r"yielded no batch.*make a\s+new one"):
        model.partial_fit(iter([]), **first)
    with pytest.raises(ValueError, match="include y: leave y out"):
        model.partial_fit(iter([(ROWS, y)]), y, **first)
    with pytest.raises(ValueError, match="include sample_weight"):
        model.partial_fit(iter([(ROWS, y)]), None, np.ones(90), **first)
    for rows in (ROWS, ROWS.tolist(), tuple(ROWS.tolist()), [(ROWS, y)]):
        with pytest.raises(ValueError, match=r"requires y|y cannot be None"):
            model.partial_fit(rows, **first)
    lists = make(Estimator).partial_fit(ROWS.tolist(), y.tolist(), **first)
    same = make(Estimator).partial_fit(ROWS, y, **first)
    np.testing.assert_array_equal(lists._network.theta, same._network.theta)
    with pytest.raises(AttributeError, match="partial_fit"):
        make(Estimator, solver="lbfgs").partial_fit(iter([]))


def test_classes_are_needed_at_first():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        make(MLPClassifier).partial_fit(iter([(ROWS, LABELS)]))
    model = make(MLPClassifier).partial_fit(iter([(ROWS[:9], LABELS[:9])]), classes=[0, 1, 2])
    with pytest.raises(ValueError, match="is not the same as on last call"):
        model.partial_fit(iter([(ROWS, LABELS)]), classes=[0, 1])
    assert model.partial_fit(iter([(ROWS, LABELS)])).t_ == 99
