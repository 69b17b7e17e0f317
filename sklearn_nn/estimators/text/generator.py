"""TextGenerator: a recurrent network that learns a text character by character, and writes."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn.estimators._core.callbacks import with_callbacks
from sklearn_nn.estimators._core.parameters import TRAINING_CONSTRAINTS
from sklearn_nn.estimators.rnn_layers import COUNT, RECURRENT_CONSTRAINTS
from sklearn_nn.estimators.text.network import TextNetwork
from sklearn_nn.estimators.text.writing import Writing
from sklearn_nn.training.optimizers import OPTIMIZERS, Optimizer

#: Parameters of training that have no sense where one text is read in its order.
_NOT_OF_TEXT = {
    "shuffle",
    "max_fun",
    "input_noise",
    "batch_norm",
    "weight_init",
    "bias_init",
    "scoring",
    "n_restarts",
}


class TextGenerator(Writing, TextNetwork):
    """Character-level language model: a recurrent network that learns text, and writes more of it.

    At every character the network tells how likely each character is to come next; it is trained
    on what did come next (Karpathy, 2015). What it has learnt is read off by drawing a character,
    letting the network read it, drawing the next, and so on.

    The text is cut into `batch_size` streams that are read side by side, in windows of
    `sequence_length` characters. Layers remember from window to window, and gradients go back to
    the beginning of each (truncated back-propagation through time; Williams & Peng, 1990).

    Parameters
    ----------
    hidden_size : int, default=128
        Number of units of each recurrent layer.
    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Which recurrent layer, as in :class:`RNNClassifier`.
    num_layers : int, default=2
        Number of recurrent layers.
    embedding_size : int or None, default=None
        Length of a vector for each character, which is learnt. None is a one among zeros (one-hot).
    sequence_length : int, default=100
        Characters of a window, at most. Windows are made of one length, the largest that fills the
        streams.
    batch_size : int, default=50
        Number of streams. They are fewer where they would be shorter than a window, and may
        overlap by less than a window, so that every window is full.
    separator : str, default='\\n'
        What stands between texts, where `fit` gets several.
    vocabulary : str, list of str or None, default=None
        All characters that may ever come. None is those of the text that is fitted, held-out end
        included; any other is an error afterwards.
    dropout : float or list of float, default=0.0
        Share of the outputs of each recurrent layer that is set to zero while training, in [0, 1);
        one for all layers, or one for each.
    solver : str or Optimizer, default='adam'
        A first-order solver, as in :class:`MLPClassifier`.
    alpha : float, default=0.0
        Strength of the penalty (L2, unless `l1_ratio` says otherwise), which is divided by the
        number of characters of a batch.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate, as in :class:`MLPClassifier`.
    learning_rate_init : float, default=0.005
        The initial learning rate.
    power_t : float, default=0.5
        Exponent of 'invscaling'.
    max_iter : int, default=50
        Most epochs: times that the text is read.
    random_state : int, RandomState instance or None, default=None
        Draws the initial weights and dropout. The same number gives the same weights to the last
        bit, for any `n_jobs`.
    tol : float, default=1e-4
        Smallest change of the training loss, or of the validation loss with `early_stopping`, that
        counts as an improvement.
    verbose : bool, default=False
        Whether to say how many parameters there are for how many characters, and to show progress.
    warm_start : bool or 'resume', default=False
        Whether `fit` goes on from the weights of the last call, as in :class:`MLPClassifier`.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool or 'best', default=False
        Whether to stop when the loss of the held-out text (or of `X_val` of `fit`) no longer
        improves, and to keep the best weights. 'best' does not stop early, and keeps the best
        weights.
    validation_fraction : float or None, default=None
        Share of the text, its end, that is held out to validate on, in [0, 1); also without
        `early_stopping`. None is 0.1 with it, and nothing without.
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
    l1_ratio : float, default=0.0
        Share of the penalty that is L1, in [0, 1]; the rest is L2.
    max_norm : float, default=0.0
        Largest norm of the weights that lead to one unit; 0 is no limit.
    weight_decay : float or None, default=None
        Share of each weight, times the learning rate, that every step takes away apart from the
        gradient (decoupled decay). None is the solver's own: 0.01 for 'adamw', 0 for the others.
    clipnorm : float, default=1.0
        Largest norm of the gradient of all parameters together; 0 is no limit.
    ema_momentum : float, default=0.0
        Where positive, the fitted weights are a running average of those that training went
        through, of which so much is kept at each step, in [0, 1).
    learning_rate_factors : dict of str to float or None, default=None
        Factors on the learning rate by name of layer, as in :class:`MLPClassifier`; 0 freezes one.
    callbacks : list of Callback or None, default=None
        Called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads of one fit; None is 1, -1 all cores. Never more than there are cores.
    dtype : {'float32', 'float64'}, default='float32'
        The type to compute in.

    Attributes
    ----------
    vocabulary_ : str
        The characters that the network knows, in their order.
    character_counts_ : ndarray of shape (n_characters,)
        How often each of them stands in the text that was trained on.
    n_parameters_ : int
        Number of parameters. It should be of the order of `n_characters_` (Karpathy, 2015).
    n_characters_ : int
        Length of the text that was trained on; `partial_fit` adds up.
    layers_ : dict of str to dict of str to ndarray
        Weights by layer and name. Writing into them changes what is predicted.
    history_ : dict of str to list of float
        Figures of every epoch, lists of equal length: 'loss', 'learning_rate', 'seconds', and with
        a validation text 'val_loss' and 'val_score', which is minus 'val_loss'. Losses are in nats
        per character.
    loss_curve_ : list of float
        Training loss of every epoch.
    validation_loss_curve_ : list of float or None
        Validation loss of every epoch. The text is read in passages side by side, each behind a
        window that is read and not scored; `score` reads it as a whole.
    best_iteration_ : int
        The epoch of the smallest validation loss with `early_stopping`, else of the smallest loss.
    n_iter_ : int
        Number of epochs.

    See Also
    --------
    RNNClassifier : Classes of sequences of numbers, or of each of their steps.

    References
    ----------
    Karpathy, A. (2015). The unreasonable effectiveness of recurrent neural networks.
    https://karpathy.github.io/2015/05/21/rnn-effectiveness/

    Williams, R. J., & Peng, J. (1990). An efficient gradient-based algorithm for on-line training
    of recurrent network trajectories. Neural Computation 2(4).

    Holtzman, A., et al. (2020). The curious case of neural text degeneration. ICLR.

    Examples
    --------
    >>> from sklearn_nn import TextGenerator
    >>> text = "the cat sat on the mat and looked at the hat. " * 40
    >>> model = TextGenerator(32, num_layers=1, sequence_length=20, batch_size=8,
    ...                       learning_rate_init=0.02, random_state=0).fit(text)
    >>> model.sample(24, prime="the cat sat ", temperature=0)
    'on the mat and looked at'
    >>> model.perplexity(text) < 1.2
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **RECURRENT_CONSTRAINTS,
        "embedding_size": [*COUNT, None],
        "sequence_length": COUNT,
        "separator": [str],
        "vocabulary": [str, "array-like", set, None],
        **{k: v for k, v in TRAINING_CONSTRAINTS.items() if k not in _NOT_OF_TEXT},
        "solver": [StrOptions(set(OPTIMIZERS)), Optimizer],
        "batch_size": COUNT,
        "validation_fraction": [Interval(Real, 0, 1, closed="left"), None],
        "dtype": [StrOptions({"float32", "float64"})],
    }

    def __init__(
        self,
        hidden_size=128,
        *,
        cell="lstm",
        num_layers=2,
        embedding_size=None,
        sequence_length=100,
        batch_size=50,
        separator="\n",
        vocabulary=None,
        dropout=0.0,
        solver="adam",
        alpha=0.0,
        learning_rate="constant",
        learning_rate_init=0.005,
        power_t=0.5,
        max_iter=50,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=None,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        l1_ratio=0.0,
        max_norm=0.0,
        weight_decay=None,
        clipnorm=1.0,
        ema_momentum=0.0,
        learning_rate_factors=None,
        callbacks=None,
        n_jobs=None,
        dtype="float32",
    ):
        self.hidden_size = hidden_size
        self.cell = cell
        self.num_layers = num_layers
        self.embedding_size = embedding_size
        self.sequence_length = sequence_length
        self.batch_size = batch_size
        self.separator = separator
        self.vocabulary = vocabulary
        self.dropout = dropout
        self.solver = solver
        self.alpha = alpha
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.l1_ratio = l1_ratio
        self.max_norm = max_norm
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.ema_momentum = ema_momentum
        self.learning_rate_factors = learning_rate_factors
        self.callbacks = callbacks
        self.n_jobs = n_jobs
        self.dtype = dtype

    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def fit(self, X, y=None, *, X_val=None):
        """Learn a text.

        Parameters
        ----------
        X : str or list of str
            The text. Several are joined, with `separator` between them.
        y : None
            Not used; scikit-learn's searches pass it.
        X_val : str or list of str, default=None
            A text to validate on, in place of the end of X. Of several, each is read from its
            beginning.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError
            If X or X_val is no text.
        ValueError
            If a parameter is not valid, a text has less than two characters, or there is a
            character that `vocabulary` does not have; or if training diverges. In the last case the
            weights from before the epoch that diverged are kept, and where a callback raises what
            it was called with; otherwise the estimator is as it was before.
        """
        return self._fit(X, None, None, (X_val, None, None))

    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def partial_fit(self, X, y=None, *, X_val=None):
        """Read a text once, and learn from it.

        Parameters
        ----------
        X : str or list of str
            The text, as in `fit`. The first call settles which characters there are; pass all that
            will ever come as `vocabulary`. Nothing is held out.
        y : None
            Not used.
        X_val : str or list of str, default=None
            A text to validate on.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        TypeError
            If X or X_val is no text.
        ValueError
            As in `fit`; or if there is `early_stopping` without X_val.
        """
        return self._fit(X, None, None, (X_val, None, None), incremental=True)

    def initialize(self, X, y=None):
        """Build the network for the characters of a text and draw its first weights.

        Parameters
        ----------
        X : str or list of str
            The text.
        y : None
            Not used.

        Returns
        -------
        self : object
            The estimator, which is not trained.

        Raises
        ------
        TypeError
            If X is no text.
        ValueError
            If a parameter is not valid, or the text is not, as in `fit`.
        """
        return super().initialize(X, None)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.sparse = False
        return tags
