"""Networks of listed layers: NeuralNetworkClassifier and NeuralNetworkRegressor."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn.estimators._core.base import BaseNetwork, BatchClassifier, BatchRegressor
from sklearn_nn.estimators._core.layer_list import PASSTHROUGH, listed_layers
from sklearn_nn.estimators._core.parameters import TRAINING_CONSTRAINTS
from sklearn_nn.estimators._inputs.shaped import ShapedReader
from sklearn_nn.estimators._presets import with_output
from sklearn_nn.layers import (
    Activation,
    AttentionPool,
    Bidirectional,
    Conv1D,
    Dropout,
    Embedding,
    Flatten,
    GaussianNoise,
    LastStep,
    Layer,
    OneHot,
    Reshape,
)
from sklearn_nn.layers.layer import is_named
from sklearn_nn.layers.recurrent.layers import Recurrent
from sklearn_nn.layers.shape import CHANNELS_FIRST, CHANNELS_LAST
from sklearn_nn.training.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES, Loss

#: Parameters that shape the layers of a preset, and that a list of layers takes the place of.
_OF_PRESETS = ("dropout", "input_noise", "batch_norm", "weight_init", "bias_init")
#: Layers that do the same with each value, wherever it lies.
_OF_EACH_VALUE = Activation | Dropout | GaussianNoise
#: Layers that read samples step by step.
_OF_STEPS = AttentionPool | Bidirectional | Conv1D | Embedding | LastStep | OneHot | Recurrent
#: Tags of estimators whose samples may have any shape.
SHAPED_TAGS = {"sparse": True, "three_d_array": True}
SHAPE_CONSTRAINTS: dict = {
    "input_shape": [tuple, list, None],
    "data_format": [StrOptions({CHANNELS_FIRST, CHANNELS_LAST})],
}


class BaseNeuralNetwork(BaseNetwork):
    """A user-defined list of layers."""

    _layers_parameter = "layers"
    _input_tags = SHAPED_TAGS

    _parameter_constraints: ClassVar[dict] = {
        "layers": [list, tuple, None],
        **SHAPE_CONSTRAINTS,
        **{k: v for k, v in TRAINING_CONSTRAINTS.items() if k not in _OF_PRESETS},
    }

    def _layers(self, reader, n_outputs):
        layers = [] if self.layers is None else listed_layers(self)
        return with_output(layers, reader.shape, n_outputs)

    def _make_reader(self):
        layers = [entry[1] if is_named(entry) else entry for entry in self.layers or ()]
        first = next((layer for layer in layers if layer != PASSTHROUGH), None)
        is_layer = isinstance(first, Layer)  # that the list is valid is seen in `_layers`
        # A network that begins by making vectors of samples does not depend on their axes.
        acting = next((x for x in layers if not isinstance(x, _OF_EACH_VALUE | str)), None)
        steps_of_rows = None
        if self.input_shape is not None:
            shape = tuple(map(int, self.input_shape))
            steps_of_rows = shape if len(shape) == 2 else None
        elif any(isinstance(layer, _OF_STEPS) for layer in layers):
            steps_of_rows = (-1, 1)
        return ShapedReader(
            self.input_shape,
            self.data_format,
            takes_any_length=True,
            goes_by_place=isinstance(acting, Layer) and not isinstance(acting, Flatten | Reshape),
            steps_of_rows=steps_of_rows,
            padding_value=first.padding_value if is_layer else None,
            first_layer=first if is_layer and first.reads_whole_numbers else None,
        )


class NeuralNetworkClassifier(BaseNeuralNetwork, BatchClassifier):
    """Classifier with user-defined layers.

    Parameters
    ----------
    layers : list of Layer, or of (name, Layer), default=None
        Layers up to the last hidden one; the estimator adds the output layer. Layers without a name
        are named by class and number ('dense1', 'dense2'). Layers and their parameters are
        parameters of the estimator (``dense1``, ``dense1__units``); 'passthrough' skips a layer.
    input_shape : tuple of int or None, default=None
        Shape of one sample, (height, width, channels) or (steps, channels), where X has flat rows.
    data_format : {'channels_last', 'channels_first'}, default='channels_last'
        Axis of X that holds the channels.
    solver : str or Optimizer, default='adam'
        Optimizer of the weights, as in :class:`MLPClassifier`.
    alpha : float, default=0.0001
        Strength of the L2 penalty (see `l1_ratio`), divided by the batch's sum of sample weights.
    batch_size : int or 'auto', default='auto'
        Number of samples in a batch; 'auto' is ``min(200, n_samples)``. 'lbfgs' ignores it.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate, as in :class:`MLPClassifier`.
    learning_rate_init : float, default=0.001
        Initial learning rate; :func:`find_learning_rate` suggests one.
    power_t : float, default=0.5
        Exponent of the 'invscaling' schedule.
    max_iter : int, default=200
        Maximum number of epochs, or of iterations of 'lbfgs'.
    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, validation split, batch order and dropout.
    tol : float, default=0.0001
        Minimum improvement of the loss or validation score; gradient tolerance of 'lbfgs'.
    verbose : bool, default=False
        Whether to show progress: a bar on a terminal with rich installed, else a line per epoch.
    warm_start : bool or 'resume', default=False
        Whether `fit` continues the last one, as in :class:`MLPClassifier`; 'resume' is exact.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool or 'best', default=False
        Whether to stop when the score of held-out samples (or of `X_val`) no longer improves, and
        keep the best weights. 'best' never stops. The split is stratified.
    validation_fraction : float, default=0.1
        Share of the samples that is held out.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of 'adam', 'adamw', 'nadam' and 'adamax': exponential decay rates of the first and second
        moment estimates, in [0, 1), and constant added to the denominator.
    n_iter_no_change : int, default=10
        Training stops when more than this many epochs bring no improvement of `tol`.
    max_fun : int, default=15000
        Maximum number of evaluations of the loss by 'lbfgs'.
    loss : {'log_loss', 'focal'} or Loss, default='log_loss'
        'focal' (Lin et al., 2017) gives less weight to easy samples. Objects may be user-defined.
    label_smoothing : float, default=0.0
        Share of each target that 'log_loss' distributes evenly over all classes, in [0, 1).
    class_weight : dict, 'balanced' or None, default=None
        Factors on sample weights by class, also in validation; 'balanced': inverse frequencies.
    l1_ratio : float, default=0.0
        Share of L1, ``sum(abs(w))``, in the penalty, in [0, 1]; L2 is ``sum(w**2) / 2``.
    max_norm : float, default=0.0
        Maximum L2 norm of the incoming weights of a unit; 0 is no limit.
    weight_decay : float or None, default=None
        Decoupled weight decay per unit of learning rate; None is 0.01 for 'adamw', else 0.
    clipnorm : float, default=0.0
        Maximum L2 norm of the gradient of all parameters together; 0 is no limit.
    ema_momentum : float, default=0.0
        Decay rate, in [0, 1), of the moving average of weights that is kept; 0 is off, 0.99 usual.
    learning_rate_factors : dict of str to float or None, default=None
        Learning-rate factors by layer name, as in :class:`MLPClassifier`; 0 freezes a layer.
    scoring : str, callable or None, default=None
        Score of the validation set: None is that of `score`, or 'loss', or a scikit-learn scorer.
    n_restarts : int, default=1
        Number of random initializations; the best by validation score (or training loss) is kept.
    callbacks : list of Callback or None, default=None
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
    input_shape_ : tuple of int
        Shape of one sample.
    loss_curve_ : list of float
        Training loss of every epoch.
    history_ : dict of str to list of float
        'loss', 'learning_rate', 'seconds', and 'val_loss', 'val_score' if validated, of each epoch.
    best_iteration_ : int
        Epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_iter_, n_parameters_ : int
        Numbers of epochs (iterations of 'lbfgs') and of trainable parameters.
    n_features_in_ : int
        Number of values of one sample.

    See Also
    --------
    MLPClassifier : Dense layers only, as in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Activation, Conv2D, Dense, Flatten, MaxPool2D
    >>> X, y = load_digits(return_X_y=True)
    >>> layers = [Conv2D(16, 3), Activation("relu"), MaxPool2D(2), Flatten(), Dense(32)]
    >>> model = NeuralNetworkClassifier(layers, input_shape=(8, 8, 1), max_iter=60, random_state=0)
    >>> model.get_params()["conv2d1__filters"]
    16
    >>> model.fit(X / 16, y).score(X / 16, y) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseNeuralNetwork._parameter_constraints,
        "loss": [StrOptions(set(CLASSIFICATION_LOSSES)), Loss],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        layers=None,
        *,
        input_shape=None,
        data_format="channels_last",
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        loss="log_loss",
        label_smoothing=0.0,
        class_weight=None,
        l1_ratio=0.0,
        max_norm=0.0,
        weight_decay=None,
        clipnorm=0.0,
        ema_momentum=0.0,
        learning_rate_factors=None,
        scoring=None,
        n_restarts=1,
        callbacks=None,
        n_jobs=None,
        dtype="auto",
    ):
        self.layers = layers
        self.input_shape = input_shape
        self.data_format = data_format
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.l1_ratio = l1_ratio
        self.max_norm = max_norm
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.ema_momentum = ema_momentum
        self.learning_rate_factors = learning_rate_factors
        self.scoring = scoring
        self.n_restarts = n_restarts
        self.callbacks = callbacks
        self.n_jobs = n_jobs
        self.dtype = dtype


class NeuralNetworkRegressor(BaseNeuralNetwork, BatchRegressor):
    """Regressor with user-defined layers.

    Parameters
    ----------
    layers : list of Layer, or of (name, Layer), default=None
        Layers up to the last hidden one; the estimator adds the output layer. Layers without a name
        are named by class and number ('dense1', 'dense2'). Layers and their parameters are
        parameters of the estimator (``dense1``, ``dense1__units``); 'passthrough' skips a layer.
    input_shape : tuple of int or None, default=None
        Shape of one sample, (height, width, channels) or (steps, channels), where X has flat rows.
    data_format : {'channels_last', 'channels_first'}, default='channels_last'
        Axis of X that holds the channels.
    solver : str or Optimizer, default='adam'
        Optimizer of the weights, as in :class:`MLPClassifier`.
    alpha : float, default=0.0001
        Strength of the L2 penalty (see `l1_ratio`), divided by the batch's sum of sample weights.
    batch_size : int or 'auto', default='auto'
        Number of samples in a batch; 'auto' is ``min(200, n_samples)``. 'lbfgs' ignores it.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate, as in :class:`MLPClassifier`.
    learning_rate_init : float, default=0.001
        Initial learning rate; :func:`find_learning_rate` suggests one.
    power_t : float, default=0.5
        Exponent of the 'invscaling' schedule.
    max_iter : int, default=200
        Maximum number of epochs, or of iterations of 'lbfgs'.
    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, validation split, batch order and dropout.
    tol : float, default=0.0001
        Minimum improvement of the loss or validation score; gradient tolerance of 'lbfgs'.
    verbose : bool, default=False
        Whether to show progress: a bar on a terminal with rich installed, else a line per epoch.
    warm_start : bool or 'resume', default=False
        Whether `fit` continues the last one, as in :class:`MLPClassifier`; 'resume' is exact.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool or 'best', default=False
        Whether to stop when the score of held-out samples (or of `X_val`) no longer improves, and
        keep the best weights. 'best' never stops.
    validation_fraction : float, default=0.1
        Share of the samples that is held out.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of 'adam', 'adamw', 'nadam' and 'adamax': exponential decay rates of the first and second
        moment estimates, in [0, 1), and constant added to the denominator.
    n_iter_no_change : int, default=10
        Training stops when more than this many epochs bring no improvement of `tol`.
    max_fun : int, default=15000
        Maximum number of evaluations of the loss by 'lbfgs'.
    loss : str or Loss, default='squared_error'
        Loss to minimize, as in :class:`MLPRegressor`.
    quantile : float, default=0.5
        Quantile that ``loss='quantile'`` predicts, in (0, 1).
    l1_ratio : float, default=0.0
        Share of L1, ``sum(abs(w))``, in the penalty, in [0, 1]; L2 is ``sum(w**2) / 2``.
    max_norm : float, default=0.0
        Maximum L2 norm of the incoming weights of a unit; 0 is no limit.
    weight_decay : float or None, default=None
        Decoupled weight decay per unit of learning rate; None is 0.01 for 'adamw', else 0.
    clipnorm : float, default=0.0
        Maximum L2 norm of the gradient of all parameters together; 0 is no limit.
    ema_momentum : float, default=0.0
        Decay rate, in [0, 1), of the moving average of weights that is kept; 0 is off, 0.99 usual.
    learning_rate_factors : dict of str to float or None, default=None
        Learning-rate factors by layer name, as in :class:`MLPClassifier`; 0 freezes a layer.
    scoring : str, callable or None, default=None
        Score of the validation set: None is that of `score`, or 'loss', or a scikit-learn scorer.
    n_restarts : int, default=1
        Number of random initializations; the best by validation score (or training loss) is kept.
    callbacks : list of Callback or None, default=None
        Objects that are called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads, at most one per core; None is 1, -1 is all. Results do not depend on their number.
    dtype : {'auto', 'float32', 'float64'}, default='auto'
        Type to compute in; 'auto' is float32 for float32 X, else float64. 'lbfgs' is in float64.

    Attributes
    ----------
    layers_ : dict of str to dict of str to ndarray
        Weights and other arrays by layer and name. Writing into them changes predictions.
    input_shape_ : tuple of int
        Shape of one sample.
    loss_curve_ : list of float
        Training loss of every epoch.
    history_ : dict of str to list of float
        'loss', 'learning_rate', 'seconds', and 'val_loss', 'val_score' if validated, of each epoch.
    best_iteration_ : int
        Epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_iter_, n_parameters_ : int
        Numbers of epochs (iterations of 'lbfgs') and of trainable parameters.
    n_features_in_ : int
        Number of values of one sample.

    See Also
    --------
    MLPRegressor : Dense layers only, as in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Activation, Dense
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = NeuralNetworkRegressor([Dense(32), Activation("tanh")], solver="lbfgs", alpha=10)
    >>> make_pipeline(StandardScaler(), network).fit(X, y).score(X, y) > 0.5
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseNeuralNetwork._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES)), Loss],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        layers=None,
        *,
        input_shape=None,
        data_format="channels_last",
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        loss="squared_error",
        quantile=0.5,
        l1_ratio=0.0,
        max_norm=0.0,
        weight_decay=None,
        clipnorm=0.0,
        ema_momentum=0.0,
        learning_rate_factors=None,
        scoring=None,
        n_restarts=1,
        callbacks=None,
        n_jobs=None,
        dtype="auto",
    ):
        self.layers = layers
        self.input_shape = input_shape
        self.data_format = data_format
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.loss = loss
        self.quantile = quantile
        self.l1_ratio = l1_ratio
        self.max_norm = max_norm
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.ema_momentum = ema_momentum
        self.learning_rate_factors = learning_rate_factors
        self.scoring = scoring
        self.n_restarts = n_restarts
        self.callbacks = callbacks
        self.n_jobs = n_jobs
        self.dtype = dtype
