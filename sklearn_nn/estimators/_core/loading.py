"""Loading estimators of whatever kind: `load`, and `load_checkpoint` to go on training."""

from __future__ import annotations

from sklearn_nn.estimators._core.base import BaseNetwork


def load(path):
    """Load an estimator that was saved, of whatever kind.

    Loading runs no code: the file holds arrays and plain values, guarded by a checksum.

    Parameters
    ----------
    path : str or path
        A file that an estimator's `save`, or a `ModelCheckpoint`, has written.

    Returns
    -------
    estimator : object
        The fitted estimator, as it was when it was saved.

    Raises
    ------
    CheckpointError
        If the file is missing or damaged, of a newer version, or none of this package's.

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
    """Load an estimator to go on with the training that it was saved in the midst of.

    The next call of its `fit`, with the same data, goes on after the last epoch that the file has
    seen, up to `max_iter` epochs in all, as if there had been no interruption: weights, optimizer,
    schedule, random numbers and early stopping are the same to the last bit. With `n_restarts`, a
    file of a `ModelCheckpoint` is of the restart that it was written in, and no further one begins.

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
        If the file is missing or damaged, of a newer version, or none of this package's.
    """
    estimator = BaseNetwork.load(path)
    estimator._resumes = True
    return estimator
