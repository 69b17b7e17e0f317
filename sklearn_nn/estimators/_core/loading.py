"""Functions that load estimators of any class: `load` and `load_checkpoint`."""

from __future__ import annotations

from sklearn_nn.estimators._core.base import BaseNetwork


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
    >>> model = MLPClassifier(solver="lbfgs", random_state=0).fit(X, y)
    >>> path = os.path.join(tempfile.mkdtemp(), "iris.npz")
    >>> model.save(path)
    >>> bool((load(path).predict(X) == model.predict(X)).all())
    True
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
        If the file is missing, damaged, of a newer version, or not written by this package.
    """
    estimator = BaseNetwork.load(path)
    estimator._resumes = True
    return estimator
