"""Functions that load estimators of any class: `load` and `load_checkpoint`."""

from __future__ import annotations

from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.training.checkpoint import CheckpointError


def load(path):
    """Load a saved estimator of any class.

    Loading runs no code: the file holds arrays and plain values, with a checksum.

    Parameters
    ----------
    path : str or path
        A file that an estimator's `save`, or a `ModelCheckpoint`, has written.

    Returns
    -------
    estimator : object
        The fitted estimator, in the state in which it was saved.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, of a newer version, or not written by this package.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_nn import MLPClassifier, load
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(max_iter=1000, random_state=0).fit(X, y)
    >>> path = os.path.join(tempfile.mkdtemp(), "iris.npz")
    >>> model.save(path)
    >>> load(path).predict(X[:1]), model.predict(X[:1])
    (array([0]), array([0]))
    """
    return BaseNetwork.load(path)


def load_checkpoint(path):
    """Load an estimator to continue the training during which it was saved.

    The next call of its `fit`, with the same data, continues after the last epoch of the file, up
    to `max_iter` epochs in total, as one uninterrupted training: weights, optimizer, schedule,
    random numbers and early stopping are the same to the last bit. With `n_restarts`, only the
    restart is continued in which a `ModelCheckpoint` wrote the file.

    Parameters
    ----------
    path : str or path
        A file that a `ModelCheckpoint`, or an estimator's `save`, has written.

    Returns
    -------
    estimator : object
        The estimator.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, of a newer version, or not written by this package, or if
        it was saved with ``training_state=False``.

    Examples
    --------
    Five epochs, a file, and five more epochs equal ten epochs without an interruption:

    >>> import os, tempfile
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import NeuralNetworkClassifier, load_checkpoint
    >>> from sklearn_nn.layers import Dense, Dropout
    >>> X, y = load_digits(return_X_y=True)
    >>> layers = [Dense(32, activation="relu"), Dropout(0.2)]
    >>> path = os.path.join(tempfile.mkdtemp(), "digits.npz")
    >>> NeuralNetworkClassifier(layers, max_iter=5, random_state=0).fit(X / 16, y).save(path)
    >>> resumed = load_checkpoint(path).set_params(max_iter=10).fit(X / 16, y)
    >>> whole = NeuralNetworkClassifier(layers, max_iter=10, random_state=0).fit(X / 16, y)
    >>> change = resumed.layers_["dense1"]["kernel"] - whole.layers_["dense1"]["kernel"]
    >>> resumed.n_iter_, float(abs(change).max())
    (10, 0.0)
    """
    estimator = BaseNetwork.load(path)
    if "_history" in vars(estimator) and "_order" not in vars(estimator):
        raise CheckpointError(
            f"{path} was saved with training_state=False, so its training cannot be resumed; read "
            "it by load, and continue from its weights by partial_fit or warm_start=True."
        )
    estimator._resumes = True
    return estimator
