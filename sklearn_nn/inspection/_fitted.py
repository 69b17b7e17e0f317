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
    from sklearn.pipeline import Pipeline  # slow to import

    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "regressor_"):
            estimator = estimator.regressor_
        elif isinstance(estimator, Pipeline):
            estimator = estimator[-1]
        else:
            check_is_fitted(estimator)
            return estimator
