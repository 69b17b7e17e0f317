"""Convolutional networks: CNNClassifier and CNNRegressor."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, ClassVar

from sklearn_nn.estimators._core.automatic import AUTO, AUTOMATIC, Usual
from sklearn_nn.estimators._core.base import BaseNetwork, BatchClassifier, BatchRegressor
from sklearn_nn.estimators._core.layer_list import listed_layers
from sklearn_nn.estimators._core.parameters import COUNT, StrOptions, estimator_parameters
from sklearn_nn.estimators._inputs.shaped import ShapedReader
from sklearn_nn.estimators.mlp import check_sizes, draws, hidden_layers, with_output
from sklearn_nn.estimators.network import SHAPED_TAGS
from sklearn_nn.layers import (
    Activation,
    AveragePool1D,
    AveragePool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Flatten,
    GaussianNoise,
    Layer,
    MaxPool1D,
    MaxPool2D,
)
from sklearn_nn.layers.layer import repeated_name
from sklearn_nn.layers.shape import CHANNELS_LAST
from sklearn_nn.network.initializers import Initializer

_POOLS = {("max", 1): MaxPool1D, ("max", 2): MaxPool2D}
_POOLS |= {("average", 1): AveragePool1D, ("average", 2): AveragePool2D}
_POSITIVE = [*COUNT, tuple, list]


@estimator_parameters
class BaseCNN(BaseNetwork):
    """Base of convolutional networks: augmentation, convolutions with pooling, dense layers."""

    filters: int | tuple[int, ...] = (32, 64)
    _: KW_ONLY
    kernel_size: Any = 3
    strides: Any = 1
    padding: str = "same"
    pool_size: Any = 2
    pooling: str = "max"
    hidden_layer_sizes: int | tuple[int, ...] = (128,)
    activation: str = "relu"
    dropout: float | list[float] = 0.0
    input_noise: float = 0.0
    batch_norm: bool = False
    weight_init: str | Initializer = "glorot_uniform"
    bias_init: str | Initializer = "glorot_uniform"
    augmentation: list | Layer | None = None
    input_shape: tuple[int, ...] | None = None
    data_format: str = CHANNELS_LAST
    scale_inputs: bool | str = "auto"
    batch_size: int | str = AUTO
    learning_rate_init: float | str = AUTO
    max_iter: int | str = AUTO

    _parameter_constraints: ClassVar[dict] = {
        **AUTOMATIC,
        "filters": _POSITIVE,
        "kernel_size": _POSITIVE,
        "strides": _POSITIVE,
        "padding": [StrOptions({"same", "valid"})],
        "pool_size": [*_POSITIVE, None],
        "pooling": [StrOptions({"max", "average"})],
        "augmentation": [list, tuple, Layer, None],
    }
    _usual = Usual(rate=0.002)
    _layers_parameter = "augmentation"
    _input_tags = SHAPED_TAGS

    def _make_reader(self):
        return ShapedReader(
            self.input_shape,
            self.data_format,
            rows_are_signals=True,
            planes_are_grey=True,
            goes_by_place=True,
            scales=self.scale_inputs,
        )

    def _of_each(self, name, n):
        """Return the value of a parameter for each of `n` convolutions."""
        value = getattr(self, name)
        if not isinstance(value, tuple | list):
            return [value] * n
        if len(value) != n:
            raise ValueError(
                f"{name}={value!r} has {len(value)} values for {n} convolutions (filters="
                f"{self.filters!r}); pass one value for all, or one for each."
            )
        return list(value)

    def _augmentation(self):
        """Return the (name, layer) pairs of augmentation, which precede all other layers."""
        pairs = listed_layers(self) if self.augmentation else []
        for _, layer in pairs:
            if not layer.is_random:
                raise ValueError(
                    f"augmentation has {layer!r}, which acts in predictions, too; use layers "
                    "such as RandomFlip, RandomCrop, Mixup, GaussianNoise and Dropout."
                )
        return pairs

    def _layers(self, reader, n_outputs):
        kernel, bias = draws(self)
        shape, rank = reader.shape, len(reader.shape) - 1
        if rank not in (1, 2):
            raise ValueError(
                f"input_shape={shape}: convolutions need (steps, channels) or (height, "
                "width, channels)."
            )
        convolution, pool = (Conv1D, Conv2D)[rank - 1], _POOLS[self.pooling, rank]
        filters = check_sizes("filters", self.filters)
        n = len(filters)
        sizes, strides = self._of_each("kernel_size", n), self._of_each("strides", n)
        layers = self._augmentation()
        if self.input_noise:
            layers.append(("noise", GaussianNoise(self.input_noise)))
        for i, window in enumerate(self._of_each("pool_size", n)):
            layer = convolution(
                filters[i],
                sizes[i],
                strides=strides[i],
                padding=self.padding,
                kernel_initializer=kernel,
                bias_initializer=bias,
            )
            layers.append((f"conv{i + 1}", layer))
            if self.batch_norm:
                layers.append((f"convnorm{i + 1}", BatchNorm()))
            layers.append((f"convactivation{i + 1}", Activation(self.activation)))
            if window not in (None, 1):
                layers.append((f"pool{i + 1}", pool(window, padding=self.padding)))
        layers = [*layers, ("flatten", Flatten()), *hidden_layers(self)]
        if (name := repeated_name(layers)) is not None:
            raise ValueError(
                f"augmentation has the name {name!r}, which is the name of another layer of the "
                "network; use another."
            )
        return with_output(layers, shape, n_outputs)


@estimator_parameters
class CNNClassifier(BaseCNN, BatchClassifier):
    """Convolutional network for the classification of images and signals.

    Parameters
    ----------
    filters : int or tuple of int, default=(32, 64)
        Number of filters of each convolution. `kernel_size`, `strides` and `pool_size` may also be
        tuples with one value for each.
    kernel_size : int or tuple, default=3
        Height and width of the kernels.
    strides : int or tuple, default=1
        Distance between neighbouring windows of a convolution.
    padding : {'same', 'valid'}, default='same'
        'same' pads with zeros, so that output size is input size / stride; 'valid' does not pad.
    pool_size : int, tuple or None, default=2
        Height and width of the pooling window after each convolution; None or 1 is no pooling.
    pooling : {'max', 'average'}, default='max'
        Whether pooling takes the maximum or the mean of a window.
    hidden_layer_sizes : int or tuple of int, default=(128,)
        Number of units of each dense layer after the convolutions.
    activation : str, default='relu'
        Activation of the hidden layers, as in :class:`MLPClassifier`.
    dropout : float or list of float, default=0.0
        Dropout rate, in [0, 1), of all dense layers, or a list with one rate per layer.
    input_noise : float, default=0.0
        Standard deviation of Gaussian noise added to X in training, in the units of X.
    batch_norm : bool, default=False
        Whether to apply batch normalization before the activation of each hidden layer.
    weight_init : str or Initializer, default='glorot_uniform'
        Initializer of the weights, as in :class:`MLPClassifier`.
    bias_init : str or Initializer, default='glorot_uniform'
        Initializer of the biases, as `weight_init`, but not 'orthogonal'.
    augmentation : Layer, list of Layer or of (name, Layer), or None, default=None
        Random changes of training samples: ``[RandomFlip(), RandomCrop(padding=4), Mixup(0.2)]``.
        Their parameters are the estimator's, too (``randomflip1__mode``); 'passthrough' skips one.
    input_shape : tuple of int or None, default=None
        Shape of one sample, (height, width, channels) or (steps, channels), where X has flat rows.
    data_format : {'channels_last', 'channels_first'}, default='channels_last'
        Axis of X that holds the channels.
    scale_inputs : bool or 'auto', default='auto'
        Whether the network subtracts the mean of each channel of X and divides by its standard
        deviation, as learnt by the first `fit` or `partial_fit`. 'auto' does so if X is plainly not
        of unit size: a channel is large (root mean square above 10), or all are small (standard
        deviation below 0.1) or far from 0 (mean above 4 standard deviations).
    batch_size : int or 'auto', default='auto'
        Number of samples in a batch; 'auto' is a hundredth of those to train on, from 16 to 128, or
        all if they are fewer than 32. 'lbfgs' ignores it.
    learning_rate_init : float or 'auto', default='auto'
        Initial learning rate; :func:`find_learning_rate` suggests one. 'auto' is 0.002 for 'adam',
        and proportional to it for other solvers (see the user guide).
    max_iter : int or 'auto', default='auto'
        Maximum number of epochs, or of iterations of 'lbfgs' (200 for 'auto'). 'auto' is as many
        epochs as make 2000 updates, from 10 to 200.
    loss : {'log_loss', 'focal'} or Loss, default='log_loss'
        'focal' (Lin et al., 2017) gives less weight to easy samples. Objects may be user-defined.
    label_smoothing : float, default=0.0
        Share of each target that 'log_loss' distributes evenly over all classes, in [0, 1).
    class_weight : dict, 'balanced' or None, default=None
        Factors on sample weights by class, also in validation; 'balanced': inverse frequencies.
    solver : str or Optimizer, default='adam'
        Optimizer of the weights, as in :class:`MLPClassifier`.
    alpha : float, default=0.0001
        Strength of the L2 penalty (see `l1_ratio`), divided by the batch's sum of sample weights.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate, as in :class:`MLPClassifier`.
    power_t : float, default=0.5
        Exponent of the 'invscaling' schedule.
    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, validation split, batch order and dropout.
    tol : float, default=0.0001
        Minimum improvement of the loss or validation score; gradient tolerance of 'lbfgs'.
    verbose : bool, default=False
        Whether to show progress: a bar in a notebook, or on a terminal with rich or tqdm installed;
        else a line per epoch.
    warm_start : bool or 'resume', default=False
        Whether `fit` continues the last one, as in :class:`MLPClassifier`; 'resume' is exact.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether the momentum of 'sgd' is Nesterov's.
    early_stopping : bool or 'best', default=False
        Whether to stop when the score of held-out samples (or of `X_val`) no longer improves, and
        keep the best weights. 'best' never stops. The split is stratified.
    validation_fraction : float, default=0.1
        Share of the samples that is held out.
    beta_1 : float, default=0.9
        Exponential decay rate of the first-moment estimate of 'adam', 'adamw', 'nadam' and
        'adamax', in [0, 1).
    beta_2 : float, default=0.999
        Exponential decay rate of their second-moment estimate, in [0, 1).
    epsilon : float, default=1e-8
        Constant that 'adam', 'adamw', 'nadam' and 'adamax' add to the denominator.
    n_iter_no_change : int, default=10
        Training stops when more than this many epochs bring no improvement of `tol`.
    max_fun : int, default=15000
        Maximum number of evaluations of the loss by 'lbfgs'.
    l1_ratio : float, default=0.0
        Share of L1, ``sum(abs(w))``, in the penalty, in [0, 1]; L2 is ``sum(w**2) / 2``.
    max_norm : float, default=0.0
        Maximum L2 norm of the incoming weights of a unit; 0 is no limit.
    weight_decay : float or None, default=None
        Decoupled weight decay per unit of learning rate; None is 0.01 for 'adamw', else 0.
    clipnorm : float, default=0.0
        Maximum L2 norm of the gradient; 0 is no limit.
    ema_momentum : float, default=0.0
        Decay rate, in [0, 1), of the moving average of weights that is kept; 0 is off, 0.99 usual.
    learning_rate_factors : dict of str to float or None, default=None
        Learning-rate factors by layer name, as in :class:`MLPClassifier`; 0 freezes a layer.
    scoring : str, callable or None, default=None
        Score of the validation set: None is that of `score`, or 'loss', or a scikit-learn scorer.
    n_restarts : int, default=1
        Number of random initializations; the best by validation score (or training loss) is kept.
    callbacks : Callback, list of Callback or None, default=None
        Objects that are called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads, at most one per core; None is 1, -1 is all. Results do not depend on their number.
    dtype : {'auto', 'float32', 'float64'}, default='auto'
        Type to compute in; 'auto' is float32 for float32 X, else float64. 'lbfgs' is in float64.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    layers_ : dict of str to dict of str to ndarray
        Weights and other arrays by layer and name. Writing into them changes predictions.
    input_scale_ : ndarray of shape (2, n_channels) or None
        Mean and standard deviation by which X is scaled; None if it is not. See `scale_inputs`.
    input_shape_ : tuple of int
        Shape of one sample.
    batch_size_ : int
        The `batch_size` in use, in particular if it is 'auto'. Not set by 'lbfgs'.
    learning_rate_init_ : float
        The `learning_rate_init` in use, in particular if it is 'auto'. Not set by 'lbfgs'.
    max_iter_ : int
        The `max_iter` in use, in particular if it is 'auto'.
    loss_curve_ : list of float
        Training loss of every epoch.
    history_ : dict of str to list of float
        'loss', 'learning_rate', 'seconds', and 'val_loss', 'val_score' if validated, of each epoch.
    best_iteration_ : int
        Epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_iter_ : int
        Number of epochs, or of iterations of 'lbfgs'.
    n_parameters_ : int
        Number of trainable parameters.
    n_features_in_ : int
        Number of values of one sample.

    See Also
    --------
    MLPClassifier : Dense layers only, as in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import CNNClassifier
    >>> digits = load_digits()
    >>> X, y = digits.images / 16, digits.target  # (n, height, width)
    >>> model = CNNClassifier(
    ...     (8, 16), batch_size=32, learning_rate_init=0.005, max_iter=8, random_state=0
    ... )
    >>> round(model.fit(X[:1200], y[:1200]).score(X[1200:], y[1200:]), 1)
    0.9
    """


@estimator_parameters
class CNNRegressor(BaseCNN, BatchRegressor):
    """Convolutional network for regression on images and signals.

    Parameters
    ----------
    filters : int or tuple of int, default=(32, 64)
        Number of filters of each convolution. `kernel_size`, `strides` and `pool_size` may also be
        tuples with one value for each.
    kernel_size : int or tuple, default=3
        Height and width of the kernels.
    strides : int or tuple, default=1
        Distance between neighbouring windows of a convolution.
    padding : {'same', 'valid'}, default='same'
        'same' pads with zeros, so that output size is input size / stride; 'valid' does not pad.
    pool_size : int, tuple or None, default=2
        Height and width of the pooling window after each convolution; None or 1 is no pooling.
    pooling : {'max', 'average'}, default='max'
        Whether pooling takes the maximum or the mean of a window.
    hidden_layer_sizes : int or tuple of int, default=(128,)
        Number of units of each dense layer after the convolutions.
    activation : str, default='relu'
        Activation of the hidden layers, as in :class:`MLPClassifier`.
    dropout : float or list of float, default=0.0
        Dropout rate, in [0, 1), of all dense layers, or a list with one rate per layer.
    input_noise : float, default=0.0
        Standard deviation of Gaussian noise added to X in training, in the units of X.
    batch_norm : bool, default=False
        Whether to apply batch normalization before the activation of each hidden layer.
    weight_init : str or Initializer, default='glorot_uniform'
        Initializer of the weights, as in :class:`MLPClassifier`.
    bias_init : str or Initializer, default='glorot_uniform'
        Initializer of the biases, as `weight_init`, but not 'orthogonal'.
    augmentation : Layer, list of Layer or of (name, Layer), or None, default=None
        Random changes of training samples: ``[RandomFlip(), RandomCrop(padding=4), Mixup(0.2)]``.
        Their parameters are the estimator's, too (``randomflip1__mode``); 'passthrough' skips one.
    input_shape : tuple of int or None, default=None
        Shape of one sample, (height, width, channels) or (steps, channels), where X has flat rows.
    data_format : {'channels_last', 'channels_first'}, default='channels_last'
        Axis of X that holds the channels.
    scale_inputs : bool or 'auto', default='auto'
        Whether the network subtracts the mean of each channel of X and divides by its standard
        deviation, as learnt by the first `fit` or `partial_fit`. 'auto' does so if X is plainly not
        of unit size: a channel is large (root mean square above 10), or all are small (standard
        deviation below 0.1) or far from 0 (mean above 4 standard deviations).
    batch_size : int or 'auto', default='auto'
        Number of samples in a batch; 'auto' is a hundredth of those to train on, from 16 to 128, or
        all if they are fewer than 32. 'lbfgs' ignores it.
    learning_rate_init : float or 'auto', default='auto'
        Initial learning rate; :func:`find_learning_rate` suggests one. 'auto' is 0.002 for 'adam',
        and proportional to it for other solvers (see the user guide).
    max_iter : int or 'auto', default='auto'
        Maximum number of epochs, or of iterations of 'lbfgs' (200 for 'auto'). 'auto' is as many
        epochs as make 2000 updates, from 10 to 200.
    loss : str or Loss, default='squared_error'
        Loss to minimize, as in :class:`MLPRegressor`, between outputs and scaled targets: `delta`
        of 'huber' is in standard deviations of y.
    quantile : float or list of float, default=0.5
        Quantile that ``loss='quantile'`` predicts, in (0, 1), or several in ascending order, which
        one network predicts so that they never cross: :meth:`predict_quantiles` returns all of
        them, and `predict` the middle one (of two, that which is nearer to 0.5).
    conformal_fraction : float, default=0.0
        Share of the samples that is held out of the whole fit, to shift each quantile but the
        median so that its level holds for new samples (conformal prediction: Romano, Patterson &
        Candès, 2019). 0 shifts none.
    solver : str or Optimizer, default='adam'
        Optimizer of the weights, as in :class:`MLPClassifier`.
    alpha : float, default=0.0001
        Strength of the L2 penalty (see `l1_ratio`), divided by the batch's sum of sample weights.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate, as in :class:`MLPClassifier`.
    power_t : float, default=0.5
        Exponent of the 'invscaling' schedule.
    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, validation split, batch order and dropout.
    tol : float, default=0.0001
        Minimum improvement of the loss or validation score; gradient tolerance of 'lbfgs'.
    verbose : bool, default=False
        Whether to show progress: a bar in a notebook, or on a terminal with rich or tqdm installed;
        else a line per epoch.
    warm_start : bool or 'resume', default=False
        Whether `fit` continues the last one, as in :class:`MLPClassifier`; 'resume' is exact.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether the momentum of 'sgd' is Nesterov's.
    early_stopping : bool or 'best', default=False
        Whether to stop when the score of held-out samples (or of `X_val`) no longer improves, and
        keep the best weights. 'best' never stops.
    validation_fraction : float, default=0.1
        Share of the samples that is held out.
    beta_1 : float, default=0.9
        Exponential decay rate of the first-moment estimate of 'adam', 'adamw', 'nadam' and
        'adamax', in [0, 1).
    beta_2 : float, default=0.999
        Exponential decay rate of their second-moment estimate, in [0, 1).
    epsilon : float, default=1e-8
        Constant that 'adam', 'adamw', 'nadam' and 'adamax' add to the denominator.
    n_iter_no_change : int, default=10
        Training stops when more than this many epochs bring no improvement of `tol`.
    max_fun : int, default=15000
        Maximum number of evaluations of the loss by 'lbfgs'.
    l1_ratio : float, default=0.0
        Share of L1, ``sum(abs(w))``, in the penalty, in [0, 1]; L2 is ``sum(w**2) / 2``.
    max_norm : float, default=0.0
        Maximum L2 norm of the incoming weights of a unit; 0 is no limit.
    weight_decay : float or None, default=None
        Decoupled weight decay per unit of learning rate; None is 0.01 for 'adamw', else 0.
    clipnorm : float, default=0.0
        Maximum L2 norm of the gradient; 0 is no limit.
    ema_momentum : float, default=0.0
        Decay rate, in [0, 1), of the moving average of weights that is kept; 0 is off, 0.99 usual.
    learning_rate_factors : dict of str to float or None, default=None
        Learning-rate factors by layer name, as in :class:`MLPClassifier`; 0 freezes a layer.
    scoring : str, callable or None, default=None
        Score of the validation set: None is that of `score`, or 'loss', or a scikit-learn scorer.
    n_restarts : int, default=1
        Number of random initializations; the best by validation score (or training loss) is kept.
    callbacks : Callback, list of Callback or None, default=None
        Objects that are called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads, at most one per core; None is 1, -1 is all. Results do not depend on their number.
    dtype : {'auto', 'float32', 'float64'}, default='auto'
        Type to compute in; 'auto' is float32 for float32 X, else float64. 'lbfgs' is in float64.

    Attributes
    ----------
    layers_ : dict of str to dict of str to ndarray
        Weights and other arrays by layer and name. Writing into them changes predictions.
    input_scale_ : ndarray of shape (2, n_channels) or None
        Mean and standard deviation by which X is scaled; None if it is not. See `scale_inputs`.
    input_shape_ : tuple of int
        Shape of one sample.
    batch_size_ : int
        The `batch_size` in use, in particular if it is 'auto'. Not set by 'lbfgs'.
    learning_rate_init_ : float
        The `learning_rate_init` in use, in particular if it is 'auto'. Not set by 'lbfgs'.
    max_iter_ : int
        The `max_iter` in use, in particular if it is 'auto'.
    loss_curve_ : list of float
        Training loss of every epoch. Targets are scaled to standard deviation 1.
    history_ : dict of str to list of float
        'loss', 'learning_rate', 'seconds', and 'val_loss', 'val_score' if validated, of each epoch.
    best_iteration_ : int
        Epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_iter_ : int
        Number of epochs, or of iterations of 'lbfgs'.
    n_parameters_ : int
        Number of trainable parameters.
    n_features_in_ : int
        Number of values of one sample.

    See Also
    --------
    MLPRegressor : Dense layers only, as in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import CNNRegressor
    >>> X = np.random.default_rng(0).standard_normal((600, 8, 8))
    >>> y = 4 * (X[:, :4].mean(axis=(1, 2)) - X[:, 4:].mean(axis=(1, 2)))  # halves
    >>> model = CNNRegressor(
    ...     8, batch_size=32, learning_rate_init=0.005, max_iter=40, random_state=0
    ... )
    >>> round(model.fit(X[:500], y[:500]).score(X[500:], y[500:]), 1)
    0.9
    """
