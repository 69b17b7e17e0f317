"""FeatureExtractor: outputs of a layer of a trained network as features."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import KW_ONLY

import numpy as np
from sklearn.base import (
    BaseEstimator,
    MetaEstimatorMixin,
    TransformerMixin,
    _clone_parametrized,
    _fit_context,
    clone,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from sklearn_nn._spec import DOC_LINKS, doc_page, parameters, set_plain
from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.fitted_network import data_format_of, network_of
from sklearn_nn.estimators._core.parts import versioned
from sklearn_nn.estimators._core.transfer import as_names
from sklearn_nn.layers.shape import CHANNELS_FIRST
from sklearn_nn.network.lowering import POOLING, Features


def _is_fitted(estimator):
    """Return whether an estimator is fitted."""
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def _before_output(network):
    """Return the name of the last layer before the output layer."""
    names = [line.name for line in network_of(network).outline]
    if len(names) < 2:
        raise ValueError(
            "The network has no layer before its output layer; use one with hidden layers, or "
            f"layer={names[-1]!r}."
        )
    return names[-2]


def _features(network, layer, pooling):
    """Return what `_output` of a network takes: the name of one layer, or `Features`."""
    if isinstance(layer, str) and pooling is None:
        return layer
    layers = as_names(layer, "layer")
    if not layers or len({*layers}) < len(layers):
        raise ValueError(f"layer={layer!r} must name one layer or more, each once.")
    if network._codec.steps is not None:
        raise ValueError(
            "The network predicts each time step, and may read a sequence in parts; use one layer "
            "and pooling=None."
        )
    return Features(tuple(layers), pooling)


def _check_images(network):
    """Raise ValueError if the samples of a network are not images."""
    shape = network_of(network).plan.form["shape"]
    if len(shape) != 3:
        raise ValueError(
            f"flip=True is for networks of images, but this one takes samples of shape {shape}; "
            "use flip=False."
        )


def _mirrored(X, network):
    """Return images with left and right exchanged, in the form of X."""
    images = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    if images.ndim == 2:
        shape = network_of(network).plan.form["shape"]
        return images.reshape(-1, *shape)[:, :, ::-1].reshape(images.shape)
    first = images.ndim == 4 and data_format_of(network) == CHANNELS_FIRST
    return np.ascontiguousarray(images[..., ::-1] if first else images[:, :, ::-1])


@versioned
@parameters
class FeatureExtractor(MetaEstimatorMixin, TransformerMixin, BaseEstimator):
    """Transformer that returns the output of a layer of a network as features.

    Features of a network that was trained on a large data set, followed by a simple model, work
    well where labelled data are scarce (transfer learning).

    Parameters
    ----------
    estimator : estimator
        Network of this package, or a fitted search for one, whose best is used. A fitted network is
        used as it is, also by clones: cross-validation does not train it again. If it is not
        fitted, `fit` trains a clone.
    layer : str, list of str or None, default=None
        Name of the layer, as in ``estimator.summary()``; 'residual1.conv2d2' is a nested one. None
        is the layer before the output layer. The outputs of several layers are concatenated; they
        are computed in one pass through the network.
    pooling : {'mean', 'max'} or None, default=None
        Reduction of layers whose output is an image or a sequence, over all places: the mean or the
        maximum of each channel. None keeps all values.
    flip : bool, default=False
        Whether to return the mean of the features of an image and of its mirror image, left and
        right exchanged. This takes twice the time.

    Attributes
    ----------
    estimator_ : estimator
        The fitted network.
    layer_ : str or list of str
        Name of the layer, or of several.
    output_shape_ : tuple of int
        Shape of the layer's output for one sample; features are its values, last axis fastest. Of
        several layers, or with `pooling`, it is a vector.
    n_features_in_ : int
        Number of values of one sample.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, where all are strings.

    See Also
    --------
    NeuralNetworkClassifier.from_pretrained : Start training from the weights of another network.

    Examples
    --------
    A network learns the digits 0 to 4; its hidden units are features of the digits 5 to 9:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_nn import FeatureExtractor, MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X, known = X / 16, y < 5
    >>> network = MLPClassifier((40,), learning_rate_init=0.01, early_stopping=True, random_state=0)
    >>> network = network.fit(X[known], y[known])
    >>> model = make_pipeline(FeatureExtractor(network), LogisticRegression(max_iter=1000))
    >>> model = model.fit(X[~known], y[~known])
    >>> model.predict(X[5:10])
    array([9, 6, 7, 8, 9])
    >>> model[0].get_feature_names_out()[:2]
    array(['activation1_0', 'activation1_1'], dtype=object)
    """

    estimator: BaseEstimator
    layer: str | Sequence[str] | None = None
    _: KW_ONLY
    pooling: str | None = None
    flip: bool = False

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict"])],
        "layer": [str, list, tuple, None],
        "pooling": [StrOptions({*POOLING}), None],
        "flip": ["boolean"],
    }
    __setattr__ = set_plain
    _doc_link_module, _doc_link_template = DOC_LINKS
    _doc_link_url_param_generator = doc_page

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **fit_params):
        """Find the layer; train the network first if it is not fitted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, ...)
            The samples. Ignored if the network is fitted.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets for a network that is not fitted.
        **fit_params : dict
            Passed to the network's `fit`.

        Returns
        -------
        self : object
            The transformer.

        Raises
        ------
        TypeError
            If the estimator is not a network of this package.
        ValueError
            If the layer does not exist, or X or y is invalid.
        """
        network = getattr(self.estimator, "best_estimator_", self.estimator)  # of a search
        network = network.estimator if isinstance(network, FrozenEstimator) else network
        if not isinstance(network, BaseNetwork):
            raise TypeError(
                f"estimator={self.estimator!r} must be a network of sklearn_nn, such as "
                "MLPClassifier or CNNClassifier."
            )
        if not _is_fitted(network):
            network = clone(network).fit(X, y, **fit_params)
        layer = _before_output(network) if self.layer is None else self.layer
        features = _features(network, layer, self.pooling)
        self.output_shape_ = network_of(network).output_shape(features)
        if self.flip:
            _check_images(network)
        self.estimator_, self._features = network, features
        self.layer_ = layer if isinstance(layer, str) else [*layer]
        vars(self).pop("feature_names_in_", None)
        if hasattr(network, "feature_names_in_"):
            self.feature_names_in_ = network.feature_names_in_
        return self

    def transform(self, X):
        """Return the layer's output for X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, ...)
            The samples, as the network takes them.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out)
            The features, in the dtype of the network.

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.
        ValueError
            If X is invalid.
        """
        check_is_fitted(self)
        shape = network_of(self.estimator_).output_shape(self._features)
        features = self.estimator_._output(X, self._features)
        if features.shape[1] != math.prod(shape):
            raise ValueError(
                f"Layer {self.layer_!r} has an output for every step, of shape {shape} for "
                "sequences as long as those that were fitted, but X has sequences of another "
                "length; use a layer whose output is one vector, such as pooling over time."
            )
        if self.flip:
            features += self.estimator_._output(_mirrored(X, self.estimator_), self._features)
            features /= 2
        return features

    @property
    def n_features_in_(self):
        """Return the number of values of one sample.

        Returns
        -------
        n_features_in_ : int
            That of the network.
        """
        if "estimator_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} is not fitted; call fit first.")
        return self.estimator_.n_features_in_

    def get_feature_names_out(self, input_features=None):
        """Return the names of the features: the layer's name and a number.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of X; they are checked and otherwise ignored.

        Returns
        -------
        names : ndarray of str objects
            A name for each feature.

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.
        ValueError
            If the names differ from those in `fit`.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features)
        if isinstance(self._features, Features):
            layers = self._features.layers
            widths = network_of(self.estimator_).widths(self._features)
        else:
            layers, widths = [self.layer_], [math.prod(self.output_shape_)]
        names = [f"{n}_{i}" for n, width in zip(layers, widths, strict=True) for i in range(width)]
        return np.array(names, dtype=object)

    def __sklearn_is_fitted__(self):
        return "estimator_" in vars(self)

    def __sklearn_clone__(self):
        """Return an unfitted transformer; a fitted network is copied, an unfitted one cloned."""
        cloned = _clone_parametrized(self)
        if _is_fitted(self.estimator):
            # The copy has its own parameters, but shares the arrays.
            cloned.estimator = copy.copy(self.estimator)
        return cloned

    def __sklearn_tags__(self):
        tags, own = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags = own.input_tags
        tags.target_tags.required = own.target_tags.required and not _is_fitted(self.estimator)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
