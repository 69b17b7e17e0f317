"""SequenceScaler: standardization of the channels of sequences."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_nn._spec import DOC_LINKS, doc_page, parameters, set_plain
from sklearn_nn.estimators._core.parts import versioned, warn
from sklearn_nn.estimators._inputs.advice import misplaced_steps
from sklearn_nn.estimators._inputs.scale import Moments, moments_of
from sklearn_nn.estimators._inputs.sequences import (
    as_numbers,
    from_list,
    from_padded,
    is_list_of_signals,
    is_listed,
    samples_of,
)
from sklearn_nn.layers.shape import CHANNELS_FIRST, CHANNELS_LAST

_REAL = (np.float64, np.float32)


@versioned
@parameters
class SequenceScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scaler of sequences: subtracts the mean of each channel and divides by its deviation.

    Mean and standard deviation are those over all time steps of all sequences, without padding. It
    takes the forms of X that :class:`~sklearn_nn.RNNClassifier` takes, also sequences of unequal
    length, and so works before it in a pipeline. Scikit-learn's
    :class:`~sklearn.preprocessing.StandardScaler` takes tables only.

    Parameters
    ----------
    with_mean : bool, default=True
        Whether to subtract the mean.
    with_std : bool, default=True
        Whether to divide by the standard deviation.
    data_format : {'channels_last', 'channels_first'}, default='channels_last'
        Axes of a sequence: (steps, channels), or (channels, steps) for 'channels_first'.

    Attributes
    ----------
    mean_ : ndarray of shape (n_channels,)
        Mean of each channel.
    var_ : ndarray of shape (n_channels,)
        Variance of each channel.
    scale_ : ndarray of shape (n_channels,)
        Standard deviation of each channel, 1 for constant channels.
    n_steps_seen_ : int
        Number of time steps of all sequences.
    n_features_in_ : int
        Number of channels; of a matrix of flat rows, number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of a data frame of flat rows, where all are strings.

    See Also
    --------
    RNNClassifier : Scales X itself if it is plainly not of unit size (`scale_inputs`).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_nn import RNNClassifier, SequenceScaler
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(20, 5, (steps, 2)) for steps in rng.integers(5, 12, 100)]
    >>> y = [x[:, 0].mean() > 20 for x in X]
    >>> scaler = SequenceScaler().fit(X)
    >>> scaler.mean_.round(), scaler.scale_.round()
    (array([20., 20.]), array([5., 5.]))
    >>> model = make_pipeline(SequenceScaler(), RNNClassifier(8, pooling="mean", random_state=0))
    >>> round(model.fit(X, y).score(X, y), 1)
    1.0
    """

    _: KW_ONLY
    with_mean: bool = True
    with_std: bool = True
    data_format: str = CHANNELS_LAST

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "with_mean": ["boolean"],
        "with_std": ["boolean"],
        "data_format": [StrOptions({CHANNELS_FIRST, CHANNELS_LAST})],
    }

    __setattr__ = set_plain
    _doc_link_module, _doc_link_template = DOC_LINKS
    _doc_link_url_param_generator = doc_page

    def fit(self, X: Any, y: Any = None) -> SequenceScaler:
        """Learn mean and standard deviation of each channel.

        Parameters
        ----------
        X : list of arrays of shape (n_steps, n_channels), or array of shape (n, n_steps, ...)
            The sequences: a list, Series or array of objects; an array of three axes, with NaN
            after the end of shorter sequences; or a matrix whose rows are signals of one channel.
        y : None
            Ignored.

        Returns
        -------
        self : SequenceScaler
            The fitted scaler.

        Raises
        ------
        ValueError
            If X does not hold sequences of finite numbers with equal numbers of channels.
        """
        self.__dict__.pop("_moments", None)
        return self.partial_fit(X, y)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> SequenceScaler:
        """Update mean and standard deviation with more sequences.

        Parameters
        ----------
        X : list of arrays of shape (n_steps, n_channels), or array of shape (n, n_steps, ...)
            The sequences, as for `fit`.
        y : None
            Ignored.

        Returns
        -------
        self : SequenceScaler
            The fitted scaler.

        Raises
        ------
        ValueError
            If X does not hold sequences of finite numbers with equal numbers of channels.
        """
        values = self._checked(X, reset="_moments" not in vars(self))
        if isinstance(values, list):
            found = from_list(values, self.data_format)
        else:
            found = from_padded(self._with_channels(values))
        before = vars(self).get("_moments", Moments.of(found.channels))
        self._moments = moments_of(found, found.channels, before=before)
        self.mean_, self.scale_ = self._moments.scale
        self.var_ = np.where(self._moments.varies, self.scale_**2, 0.0)
        self.n_steps_seen_ = self._moments.n
        return self

    def transform(self, X: Any) -> Any:
        """Scale sequences.

        Parameters
        ----------
        X : list of arrays of shape (n_steps, n_channels), or array of shape (n, n_steps, ...)
            The sequences, as for `fit`.

        Returns
        -------
        X_scaled : list of ndarray, or ndarray of the shape of X
            The scaled sequences, float32 for float32 and else float64; padding remains NaN. An
            array of objects for an array of objects, a list for other lists.

        Raises
        ------
        NotFittedError
            If the scaler is not fitted.
        ValueError
            If X is invalid or has another number of channels.
        """
        check_is_fitted(self)
        return self._mapped(X, lambda x, mean, scale: (x - mean) / scale)

    def inverse_transform(self, X: Any) -> Any:
        """Return scaled sequences to their units.

        Parameters
        ----------
        X : list of arrays of shape (n_steps, n_channels), or array of shape (n, n_steps, ...)
            Sequences that `transform` has scaled.

        Returns
        -------
        X_original : list of ndarray, or ndarray of the shape of X
            The sequences in the form that `transform` returns.

        Raises
        ------
        NotFittedError
            If the scaler is not fitted.
        ValueError
            If X is invalid or has another number of channels.
        """
        check_is_fitted(self)
        return self._mapped(X, lambda x, mean, scale: x * scale + mean)

    def _checked(self, X: Any, *, reset: bool) -> Any:
        """Return X as a list of sequences, or as an array of numbers with two or three axes."""
        values: Any
        if is_listed(X) or (is_list_of_signals(X) and len({len(x) for x in samples_of(X)}) > 1):
            values = list(samples_of(X))
            n_channels = from_list(values[:1], self.data_format).channels
        elif getattr(X, "ndim", None) == 3 and (values := as_numbers(X)) is not None:
            if values.size == 0:
                raise ValueError(f"X has shape {values.shape}, which holds no sequences.")
            n_channels = values.shape[1 if self.data_format == CHANNELS_FIRST else 2]
            message = misplaced_steps(values.shape[1:], self.data_format) if reset else None
            if message is not None:
                warn(message)
        else:
            values = validate_data(self, X, dtype=_REAL, reset=reset)
            n_channels = 1
        if not reset and n_channels != len(self.mean_):
            raise ValueError(
                f"X has sequences of {n_channels} channels, but SequenceScaler was fitted with "
                f"{len(self.mean_)}; data_format={self.data_format!r} says which axis is theirs."
            )
        if reset and not (isinstance(values, np.ndarray) and values.ndim == 2):
            self.n_features_in_ = n_channels
            self.__dict__.pop("feature_names_in_", None)
        return values

    def _with_channels(self, values: np.ndarray) -> np.ndarray:
        """Return an array of sequences with the channels on the last axis."""
        if values.ndim == 2:
            return values[:, :, np.newaxis]
        return np.moveaxis(values, 1, 2) if self.data_format == CHANNELS_FIRST else values

    def _mapped(self, X: Any, function: Any) -> Any:
        """Apply a function of numbers, means and deviations to all sequences."""
        values = self._checked(X, reset=False)
        if not isinstance(values, list):
            return self._map_one(values, function)
        from_list(values, self.data_format)  # raises errors about invalid sequences
        mapped = [self._map_one(np.asarray(as_numbers(x)), function) for x in values]
        if not isinstance(X, np.ndarray):
            return mapped
        listed = np.empty(len(mapped), dtype=object)
        listed[:] = mapped
        return listed

    def _map_one(self, x: np.ndarray, function: Any) -> np.ndarray:
        """Apply a function to one sequence, or to an array of them."""
        dtype = x.dtype if x.dtype in _REAL else np.dtype(np.float64)
        mean = self.mean_ if self.with_mean else np.zeros_like(self.mean_)
        scale = self.scale_ if self.with_std else np.ones_like(self.scale_)
        if self.data_format == CHANNELS_FIRST and len(mean) > 1:
            mean, scale = mean[:, np.newaxis], scale[:, np.newaxis]
        return np.asarray(function(x.astype(np.float64), mean, scale)).astype(dtype)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
