"""Networks of listed layers: NeuralNetworkClassifier and NeuralNetworkRegressor."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.kinds import NetworkClassifier, NetworkRegressor
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
from sklearn_nn.layers.names import is_named
from sklearn_nn.layers.recurrent.layers import Recurrent
from sklearn_nn.layers.shape import CHANNELS_FIRST, CHANNELS_LAST
from sklearn_nn.training.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES, Loss

#: Parameters that shape the layers of a preset, and that a list of layers takes the place of.
_OF_PRESETS = ("dropout", "input_noise", "batch_norm", "weight_init", "bias_init")
#: Layers that do the same with each value, wherever it lies.
_OF_EACH_VALUE = Activation | Dropout | GaussianNoise
#: Layers that read samples step by step.
_OF_STEPS = AttentionPool | Bidirectional | Conv1D | Embedding | LastStep | OneHot | Recurrent
SHAPE_CONSTRAINTS: dict = {
    "input_shape": [tuple, list, None],
    "data_format": [StrOptions({CHANNELS_FIRST, CHANNELS_LAST})],
}


def shaped_tags(tags):
    """Return scikit-learn's tags of an estimator whose samples may have any shape."""
    tags.input_tags.three_d_array = True
    return tags


class BaseNeuralNetwork(BaseNetwork):
    """A user-defined list of layers."""

    _layers_parameter = "layers"

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

    def __sklearn_tags__(self):
        return shaped_tags(super().__sklearn_tags__())


class NeuralNetworkClassifier(BaseNeuralNetwork, NetworkClassifier):
    """Classifier made of layers of one's own.

    Parameters
    ----------
    layers : list of Layer, or of (name, Layer)
        From the input to the last hidden layer; the estimator adds the output layer. A layer
        without a name is called after its class, with a number: 'dense1', 'dense2'. Layers and
        their parameters are parameters of the estimator, too: ``dense1``, ``dense1__units``; in the
        place of a layer, 'passthrough' does nothing.
    input_shape : tuple of int or None, default=None
        Shape of one sample, for X that comes as flat rows: (height, width, channels) of an image,
        (steps, channels) of a signal. None is the shape that X has.
    data_format : {'channels_last', 'channels_first'}, default='channels_last'
        Which axis of X holds the channels.
    solver : str or Optimizer, default='adam'
        How the weights are trained, as in :class:`MLPClassifier`.
    alpha : float, default=0.0001
        Strength of the penalty (L2, unless `l1_ratio` says otherwise), which is divided by the
        batch's sum of sample weights.
    batch_size : int or 'auto', default='auto'
        Samples in a batch; 'auto' is ``min(200, n_samples)``. Not used by 'lbfgs'.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate, as in :class:`MLPClassifier`.
    learning_rate_init : float, default=0.001
        The initial learning rate; :func:`find_learning_rate` finds one.
    power_t : float, default=0.5
        Exponent of 'invscaling'.
    max_iter : int, default=200
        Most epochs, or iterations of 'lbfgs'.
    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None, default=None
        Draws the initial weights, the validation split, the batches and dropout. The same number
        gives the same weights to the last bit, for any `n_jobs`.
    tol : float, default=1e-4
        Smallest change of loss, or of the validation score with `early_stopping`, that counts as
        an improvement. For 'lbfgs', the largest element of the gradient to stop at.
    verbose : bool, default=False
        Whether to show progress: a bar on a terminal where rich is installed, else a line for
        every epoch.
    warm_start : bool or 'resume', default=False
        Whether `fit` goes on from the weights of the last call: for `max_iter` more epochs with a
        new optimizer, as in scikit-learn. 'resume' goes on with optimizer, schedule, order of the
        samples and early stopping, to `max_iter` epochs in all, as if there had been one call.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool or 'best', default=False
        Whether to hold out `validation_fraction` of the samples (or to use `X_val` of `fit`), to
        stop when their score no longer improves, and to keep the best weights. 'best' does not
        stop early, and keeps the best weights.
        The split is stratified by class.
    validation_fraction : float, default=0.1
        Share of the samples that is held out.
    beta_1 : float, default=0.9
        How much of their mean of gradients 'adam', 'adamw', 'nadam' and 'adamax' keep at each
        step, in [0, 1).
    beta_2 : float, default=0.999
        How much of their mean of squared gradients they keep at each step, in [0, 1).
    epsilon : float, default=1e-8
        What they add to the divisor.
    n_iter_no_change : int, default=10
        Training stops after more than this many epochs without an improvement of `tol`. Without
        early stopping, schedules that plan the end, such as 'onecycle', are not cut short.
    max_fun : int, default=15000
        Most evaluations of the loss by 'lbfgs'.
    loss : {'log_loss', 'focal'} or Loss, default='log_loss'
        'focal' counts samples that are already right less (Lin et al., 2017). An object may be a
        loss of one's own.
    label_smoothing : float, default=0.0
        Share of each target that is spread evenly over the classes by 'log_loss', in [0, 1).
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes, which multiply `sample_weight`, in the validation score too.
        'balanced' weights classes inversely to their frequency among the weighted samples.
    l1_ratio : float, default=0.0
        Share of the penalty that is L1, the sum of absolute weights, in [0, 1]; the rest is L2,
        half the sum of squares.
    max_norm : float, default=0.0
        Largest norm of the weights that lead to one unit; 0 is no limit.
    weight_decay : float or None, default=None
        Share of each weight, times the learning rate, that every step takes away apart from the
        gradient (decoupled decay). None is the solver's own: 0.01 for 'adamw', 0 for the others.
    clipnorm : float, default=0.0
        Largest norm of the gradient of all parameters together; 0 is no limit.
    ema_momentum : float, default=0.0
        Where positive, the fitted weights are a running average of those that training went
        through, of which so much is kept at each step, in [0, 1); 0.99 is usual.
    learning_rate_factors : dict of str to float or None, default=None
        Factors on the learning rate by name of layer, as :meth:`summary` has them; 0 freezes a
        layer, as :meth:`freeze` does. A name stands for all layers within it, too, 'pretrained' for
        those that :meth:`from_pretrained` copies; the longest name counts. 'lbfgs' takes 0 and 1.
    scoring : str, callable or None, default=None
        What `early_stopping` watches: None is the estimator's own score, 'loss' the validation
        loss, else a scorer of scikit-learn.
    n_restarts : int, default=1
        How often to train, each time from other initial weights; what is best by validation score
        (by training loss without validation) is kept.
    callbacks : list of Callback or None, default=None
        Called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads of one fit or predict; None is 1, -1 all cores. Never more than there are cores.
    dtype : {'auto', 'float32', 'float64'}, default='auto'
        The type to compute in. 'auto' is the type that scikit-learn's validation gives X:
        float32 for float32, else float64; 'lbfgs' always computes in float64.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    layers_ : dict of str to dict of str to ndarray
        Weights and other arrays by layer and name. Writing into them changes what `predict`
        returns.
    input_shape_ : tuple of int
        Shape of one sample.
    history_ : dict of str to list of float
        Figures of every epoch, lists of equal length: 'loss', 'learning_rate', 'seconds', and with
        a validation set 'val_loss' and 'val_score'.
    loss_curve_ : list of float
        Training loss of every epoch.
    best_iteration_ : int
        The epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_parameters_ : int
        Number of parameters.
    n_iter_ : int
        Number of epochs.
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


class NeuralNetworkRegressor(BaseNeuralNetwork, NetworkRegressor):
    """Regressor made of layers of one's own.

    Parameters
    ----------
    layers : list of Layer, or of (name, Layer)
        From the input to the last hidden layer; the estimator adds the output layer. A layer
        without a name is called after its class, with a number: 'dense1', 'dense2'. Layers and
        their parameters are parameters of the estimator, too: ``dense1``, ``dense1__units``; in the
        place of a layer, 'passthrough' does nothing.
    input_shape : tuple of int or None, default=None
        Shape of one sample, for X that comes as flat rows: (height, width, channels) of an image,
        (steps, channels) of a signal. None is the shape that X has.
    data_format : {'channels_last', 'channels_first'}, default='channels_last'
        Which axis of X holds the channels.
    solver : str or Optimizer, default='adam'
        How the weights are trained, as in :class:`MLPClassifier`.
    alpha : float, default=0.0001
        Strength of the penalty (L2, unless `l1_ratio` says otherwise), which is divided by the
        batch's sum of sample weights.
    batch_size : int or 'auto', default='auto'
        Samples in a batch; 'auto' is ``min(200, n_samples)``. Not used by 'lbfgs'.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate, as in :class:`MLPClassifier`.
    learning_rate_init : float, default=0.001
        The initial learning rate; :func:`find_learning_rate` finds one.
    power_t : float, default=0.5
        Exponent of 'invscaling'.
    max_iter : int, default=200
        Most epochs, or iterations of 'lbfgs'.
    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None, default=None
        Draws the initial weights, the validation split, the batches and dropout. The same number
        gives the same weights to the last bit, for any `n_jobs`.
    tol : float, default=1e-4
        Smallest change of loss, or of the validation score with `early_stopping`, that counts as
        an improvement. For 'lbfgs', the largest element of the gradient to stop at.
    verbose : bool, default=False
        Whether to show progress: a bar on a terminal where rich is installed, else a line for
        every epoch.
    warm_start : bool or 'resume', default=False
        Whether `fit` goes on from the weights of the last call: for `max_iter` more epochs with a
        new optimizer, as in scikit-learn. 'resume' goes on with optimizer, schedule, order of the
        samples and early stopping, to `max_iter` epochs in all, as if there had been one call.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool or 'best', default=False
        Whether to hold out `validation_fraction` of the samples (or to use `X_val` of `fit`), to
        stop when their score no longer improves, and to keep the best weights. 'best' does not
        stop early, and keeps the best weights.
    validation_fraction : float, default=0.1
        Share of the samples that is held out.
    beta_1 : float, default=0.9
        How much of their mean of gradients 'adam', 'adamw', 'nadam' and 'adamax' keep at each
        step, in [0, 1).
    beta_2 : float, default=0.999
        How much of their mean of squared gradients they keep at each step, in [0, 1).
    epsilon : float, default=1e-8
        What they add to the divisor.
    n_iter_no_change : int, default=10
        Training stops after more than this many epochs without an improvement of `tol`. Without
        early stopping, schedules that plan the end, such as 'onecycle', are not cut short.
    max_fun : int, default=15000
        Most evaluations of the loss by 'lbfgs'.
    loss : str or Loss, default='squared_error'
        'squared_error' is half the squared error; 'poisson' half the Poisson deviance, with the
        exponential as output activation, for targets ``y >= 0``. 'absolute_error', 'huber' and
        'log_cosh' heed outliers less; 'quantile' predicts the `quantile` of the target. An object
        sets what these depend on, such as ``Huber(delta=2)``, or is a loss of one's own.
    quantile : float, default=0.5
        The share of targets that shall lie below the prediction, with ``loss='quantile'``.
    l1_ratio : float, default=0.0
        Share of the penalty that is L1, the sum of absolute weights, in [0, 1]; the rest is L2,
        half the sum of squares.
    max_norm : float, default=0.0
        Largest norm of the weights that lead to one unit; 0 is no limit.
    weight_decay : float or None, default=None
        Share of each weight, times the learning rate, that every step takes away apart from the
        gradient (decoupled decay). None is the solver's own: 0.01 for 'adamw', 0 for the others.
    clipnorm : float, default=0.0
        Largest norm of the gradient of all parameters together; 0 is no limit.
    ema_momentum : float, default=0.0
        Where positive, the fitted weights are a running average of those that training went
        through, of which so much is kept at each step, in [0, 1); 0.99 is usual.
    learning_rate_factors : dict of str to float or None, default=None
        Factors on the learning rate by name of layer, as :meth:`summary` has them; 0 freezes a
        layer, as :meth:`freeze` does. A name stands for all layers within it, too, 'pretrained' for
        those that :meth:`from_pretrained` copies; the longest name counts. 'lbfgs' takes 0 and 1.
    scoring : str, callable or None, default=None
        What `early_stopping` watches: None is the estimator's own score, 'loss' the validation
        loss, else a scorer of scikit-learn.
    n_restarts : int, default=1
        How often to train, each time from other initial weights; what is best by validation score
        (by training loss without validation) is kept.
    callbacks : list of Callback or None, default=None
        Called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads of one fit or predict; None is 1, -1 all cores. Never more than there are cores.
    dtype : {'auto', 'float32', 'float64'}, default='auto'
        The type to compute in. 'auto' is the type that scikit-learn's validation gives X:
        float32 for float32, else float64; 'lbfgs' always computes in float64.

    Attributes
    ----------
    layers_ : dict of str to dict of str to ndarray
        Weights and other arrays by layer and name. Writing into them changes what `predict`
        returns.
    input_shape_ : tuple of int
        Shape of one sample.
    history_ : dict of str to list of float
        Figures of every epoch, lists of equal length: 'loss', 'learning_rate', 'seconds', and with
        a validation set 'val_loss' and 'val_score'.
    loss_curve_ : list of float
        Training loss of every epoch.
    best_iteration_ : int
        The epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_parameters_ : int
        Number of parameters.
    n_iter_ : int
        Number of epochs.
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
