"""Networks of user-defined layers: NeuralNetworkClassifier and NeuralNetworkRegressor."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import ClassVar

from sklearn_nn.estimators._core.automatic import AUTO, AUTOMATIC, Usual
from sklearn_nn.estimators._core.base import BaseNetwork, BatchClassifier, BatchRegressor
from sklearn_nn.estimators._core.layer_list import PASSTHROUGH, as_list, listed_layers
from sklearn_nn.estimators._core.parameters import estimator_parameters
from sklearn_nn.estimators._core.parts import warn
from sklearn_nn.estimators._inputs.shaped import ShapedReader
from sklearn_nn.estimators._targets.codec import BINARY, MULTILABEL
from sklearn_nn.estimators.mlp import with_output
from sklearn_nn.layers import (
    Activation,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GaussianNoise,
    Layer,
    OneHot,
    Reshape,
)
from sklearn_nn.layers.activation import OTHER_NAMES
from sklearn_nn.layers.layer import is_named
from sklearn_nn.layers.shape import CHANNELS_LAST

#: Elementwise layers.
_OF_EACH_VALUE = Activation | Dropout | GaussianNoise
#: Layers of sequences of whole numbers, which rows of numbers are, too.
_OF_CODES = Embedding | OneHot
#: Tags of estimators whose samples may have any shape.
SHAPED_TAGS = {"sparse": True, "three_d_array": True}


def _second_output(named, codec):
    """Return the text of last layers that have the form of the output layer, or None."""
    ends, functions = [layer for _, layer in named], []
    while ends and isinstance(ends[-1], Activation):
        functions.insert(0, ends.pop())
    if not ends or not isinstance(ends[-1], Dense):
        return None
    dense, n_classes = ends[-1], len(getattr(codec, "classes", ()))
    names = [one.activation for one in functions] + [dense.activation or "identity"]
    names = {str(OTHER_NAMES.get(str(name), name)) for name in names} - {"identity"}
    # A hidden layer may have as many units, but not without a function that is not linear.
    usual = {(codec.n_raw_outputs, ""), (n_classes, ""), (n_classes, "softmax")}
    if getattr(codec, "kind", None) in (BINARY, MULTILABEL):
        usual.add((codec.n_outputs, "logistic"))
    is_usual = len(names) < 2 and (dense.units, "".join(names)) in usual
    return ", ".join(map(repr, [dense, *functions])) if is_usual else None


@estimator_parameters
class BaseNeuralNetwork(BaseNetwork):
    """Base of networks with a user-defined list of layers."""

    layers: list | Layer | None = None
    _: KW_ONLY
    input_shape: tuple[int, ...] | None = None
    data_format: str = CHANNELS_LAST
    scale_inputs: bool | str = "auto"
    batch_size: int | str = AUTO
    learning_rate_init: float | str = AUTO
    max_iter: int | str = AUTO

    _parameter_constraints: ClassVar[dict] = {**AUTOMATIC, "layers": [list, tuple, Layer, None]}
    _usual = Usual(rate=0.002)
    _layers_parameter = "layers"
    _input_tags = SHAPED_TAGS

    def _layers(self, reader, n_outputs):
        layers = [] if self.layers is None else listed_layers(self)
        return with_output(layers, reader.shape, n_outputs)

    def _advise(self, codec):
        named = [] if self.layers is None else listed_layers(self)
        closing = _second_output(named, codec)
        if closing is not None:
            warn(
                f"layers ends with {closing}, which looks like an output layer, but "
                f"{type(self).__name__} adds the output layer itself, with the units and the "
                "activation that the targets need, so that the network has two; leave it out."
            )

    def _make_reader(self):
        layers = [entry[1] if is_named(entry) else entry for entry in as_list(self.layers) or ()]
        first = next((layer for layer in layers if layer != PASSTHROUGH), None)
        is_layer = isinstance(first, Layer)  # `_layers` validates the list
        # A network that flattens samples first does not depend on their axes.
        acting = next((x for x in layers if not isinstance(x, _OF_EACH_VALUE | str)), None)
        steps_of_rows = None
        if self.input_shape is not None:
            shape = tuple(map(int, self.input_shape))
            steps_of_rows = shape if len(shape) == 2 else None
        elif any(
            isinstance(x, _OF_CODES) or (isinstance(x, Layer) and x.reads_steps) for x in layers
        ):
            steps_of_rows = (-1, 1)
        refers = any(isinstance(x, Layer) and x.refers_to_values for x in layers)
        return ShapedReader(
            self.input_shape,
            self.data_format,
            takes_any_length=True,
            rows_are_signals=isinstance(acting, Layer) and acting.reads_steps,
            goes_by_place=isinstance(acting, Layer) and not isinstance(acting, Flatten | Reshape),
            steps_of_rows=steps_of_rows,
            padding_value=first.padding_value if is_layer else None,
            first_layer=first if is_layer and first.reads_whole_numbers else None,
            scales=False if refers else self.scale_inputs,
        )


@estimator_parameters
class NeuralNetworkClassifier(BaseNeuralNetwork, BatchClassifier):
    """Classifier with user-defined layers.

    Parameters
    ----------
    layers : Layer, or list of Layer or of (name, Layer), default=None
        Layers up to the last hidden one; the estimator adds the output layer. Layers without a name
        are named by class and number ('dense1', 'dense2'). Layers and their parameters are
        parameters of the estimator (``dense1``, ``dense1__units``); 'passthrough' skips a layer.
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
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Conv2D, Dense, Flatten, MaxPool2D
    >>> X, y = load_digits(return_X_y=True)
    >>> layers = [Conv2D(16, 3, activation="relu"), MaxPool2D(2), Flatten(), Dense(32, "relu")]
    >>> model = NeuralNetworkClassifier(
    ...     layers, input_shape=(8, 8, 1), batch_size=32, learning_rate_init=0.005, max_iter=8,
    ...     random_state=0,
    ... )
    >>> model.get_params()["conv2d1__filters"]
    16
    >>> round(model.fit(X[:1200] / 16, y[:1200]).score(X[1200:] / 16, y[1200:]), 1)
    0.9
    """


@estimator_parameters
class NeuralNetworkRegressor(BaseNeuralNetwork, BatchRegressor):
    """Regressor with user-defined layers.

    Parameters
    ----------
    layers : Layer, or list of Layer or of (name, Layer), default=None
        Layers up to the last hidden one; the estimator adds the output layer. Layers without a name
        are named by class and number ('dense1', 'dense2'). Layers and their parameters are
        parameters of the estimator (``dense1``, ``dense1__units``); 'passthrough' skips a layer.
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
    >>> from sklearn.datasets import make_friedman1
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> X, y = make_friedman1(500, random_state=0)
    >>> y = (y - y.mean()) / y.std()
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(32, activation="tanh")], batch_size=32, learning_rate_init=0.01, max_iter=100,
    ...     random_state=0,
    ... )
    >>> round(model.fit(X[:400], y[:400]).score(X[400:], y[400:]), 1)
    0.9
    """
