"""The fitted network inside what a user has at hand."""

from sklearn.utils.validation import check_is_fitted


def fitted_network(estimator):
    """The network in pipelines, searches and transformed targets.

    Parameters
    ----------
    estimator : estimator
        A fitted network, or something that holds one.

    Returns
    -------
    network : estimator
        The network.

    Raises
    ------
    NotFittedError
        If there is none that is fitted.
    """
    return network_and_input(estimator)[0]


def network_and_input(estimator, X=None):
    """The network in pipelines, searches and transformed targets, and X as it comes to it.

    Parameters
    ----------
    estimator : estimator
        A fitted network, or something that holds one.
    X : array-like, default=None
        Samples as `estimator` takes them.

    Returns
    -------
    network : estimator
        The network.
    X : array-like or None
        What the steps of pipelines before the network make of X.

    Raises
    ------
    NotFittedError
        If there is none that is fitted.
    """
    from sklearn.pipeline import Pipeline  # slow to import

    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "regressor_"):
            estimator = estimator.regressor_
        elif isinstance(estimator, Pipeline):
            if X is not None and len(estimator) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator[-1]
        else:
            check_is_fitted(estimator)
            return estimator, X
